"""Predict every episode and save the predictions: scoring needs no engine, and a killed run continues where it stopped.

A folder of predictions is named by what decides them beside the images: engine, settings, weights and code. A change
of any of them gives another folder. Each prediction is saved with the fingerprints of its two images: where an image
has changed, its pairs are predicted again.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.core import images, masks
from ipseg.core.serialize import to_json
from ipseg.core.store import Codec, ResultStore, atomic_write, check_writable, remove_partials, run_key, writing
from ipseg.datasets.folder import Pair
from ipseg.engine.protocol import Engine

Record = dict[str, Any]
RECORD: Codec[Record] = Codec(".json", lambda record: to_json(record).encode(), json.loads)


def folder(root: Path, engine: Engine, data: Path) -> Path:
    """The folder below ``root`` for the predictions of this engine, with this code, on this data."""
    name = re.sub(r"[^\w.-]+", "-", engine.info.name)
    return root / f"{data.resolve().name}-{name}-{run_key(engine)[:16]}"


def predict(
    engine: Engine, episodes: list[Pair], target: Path, report: Callable[[int, int], None] = lambda done, of: None
) -> Iterator[tuple[Pair, Record]]:
    """Predict each episode, or read the prediction that is already in ``target``; yields (episode, record) in order.

    A record holds ``status``, ``score``, ``seconds`` (of the whole call), the name of the ``mask``'s PNG file, and
    ``content``: the fingerprint of the two images. Raises :class:`~ipseg.core.types.SettingError` when ``target``
    cannot be made or written, and :class:`~ipseg.core.store.OutputError` when a prediction cannot be written.
    """
    check_writable(target, "choose another --runs")
    remove_partials(target)
    settings = target.with_name(f"{target.name}.json")
    with writing(settings):
        atomic_write(settings, to_json(_record(engine), indent=2))
    saved = ResultStore(target, RECORD, max_bytes=None, optional=False)
    fingerprint = functools.cache(lambda path: images.fingerprint(images.open_image(path)))
    for number, episode in enumerate(episodes):
        report(number, len(episodes))
        names = (episode.prompt.name, episode.query.name)
        stem = "_to_".join(name.replace("_", "__").replace("/", "_-") for name in names)  # no two pairs alike
        content = " ".join(fingerprint(sample.image) for sample in (episode.prompt, episode.query))
        compute = functools.partial(_predict, engine, episode, target / f"{stem}.png", content)
        yield episode, saved.get_or_compute(stem, compute, functools.partial(_is_complete, target, content))


def _is_complete(target: Path, content: str, record: Record) -> bool:
    """Whether a saved record is that of these images, and its mask is there."""
    return record.get("content") == content and (target / record.get("mask", "")).is_file()


def _record(engine: Engine) -> Record:
    return {"method": asdict(engine.config), "scorer": repr(engine.scorer), **engine.info.record}


def read_mask(target: Path, record: Record) -> np.ndarray:
    """The predicted mask of a record: (H, W) bool."""
    return masks.read_mask(target / record["mask"], empty=True).mask


def _predict(engine: Engine, episode: Pair, mask: Path, content: str) -> Record:
    """The record of one prediction, after its mask is written: where a record is saved, so is its mask."""
    prompt = engine.prompt(episode.prompt.image)
    result = engine.segment(prompt, episode.query.image)
    with writing(mask):
        atomic_write(mask, images.encode_png(result.mask.astype(np.uint8) * 255))
    scores = {"status": result.status.value, "score": result.score, "seconds": result.seconds}
    return {**scores, "mask": mask.name, "content": content}
