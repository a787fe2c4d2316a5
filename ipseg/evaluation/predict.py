"""Predict every episode and save the predictions: scoring needs no engine, and a killed run continues where it stopped.

A folder of predictions is named by a hash of everything that decides them: engine, settings, data and code. A change of
any of them gives another folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

import ipseg
from ipseg.core import images, masks
from ipseg.core.serialize import to_json
from ipseg.datasets.perseg import Episode
from ipseg.engine.protocol import Engine


def folder(root: Path, engine: Engine, data: Path) -> Path:
    """The folder below ``root`` for the predictions of this engine, with this code, on this data."""
    source = hashlib.blake2b(decides(engine), digest_size=8)
    for file in sorted(data.glob("*/*/*")):
        source.update(f"{file.relative_to(data)} {file.stat().st_size} {file.stat().st_mtime_ns}".encode())
    name = re.sub(r"[^\w.-]+", "-", engine.info.name)
    return root / f"{data.resolve().name}-{name}-{source.hexdigest()}"


def decides(engine: Engine) -> bytes:
    """A digest (32 bytes) of what decides a prediction besides the images: code, settings and weights."""
    source = hashlib.blake2b(digest_size=32)
    for file in sorted(Path(ipseg.__file__).parent.rglob("*.py")):
        source.update(file.read_bytes())
    settings = json.dumps(_record(engine), sort_keys=True, default=str)
    source.update(settings.encode() + engine.info.name.encode())
    return source.digest()


def predict(
    engine: Engine, episodes: list[Episode], target: Path, report: Callable[[int, int], None] = lambda done, of: None
) -> Iterator[tuple[Episode, dict]]:
    """Predict each episode, or read the prediction that is already in ``target``; yields (episode, record) in order.

    A record holds ``status``, ``score``, ``seconds`` (of the whole call) and the name of the mask's PNG file.
    """
    target.mkdir(parents=True, exist_ok=True)
    record = _record(engine)
    target.with_name(f"{target.name}.json").write_text(to_json(record, indent=2))  # settings, weights
    for number, episode in enumerate(episodes):
        report(number, len(episodes))
        names = (episode.prompt.name, episode.query.name)
        stem = "_to_".join(name.replace("_", "__").replace("/", "_-") for name in names)  # no two pairs alike
        path = target / f"{stem}.json"
        if not path.is_file():
            _predict(engine, episode, path)
        yield episode, json.loads(path.read_text())


def _record(engine: Engine) -> dict:
    return {"method": asdict(engine.config), "scorer": repr(engine.scorer), **engine.info.record}


def read_mask(target: Path, record: dict) -> np.ndarray:
    """The predicted mask of a record: (H, W) bool."""
    return masks.read_mask(target / record["mask"], empty=True).mask


def _predict(engine: Engine, episode: Episode, path: Path) -> None:
    prompt = engine.prompt(episode.prompt.image)
    result = engine.segment(prompt, episode.query.image)
    mask = path.with_suffix(".png")
    mask.write_bytes(images.encode_png(result.mask.astype(np.uint8) * 255))
    record = {"status": result.status.value, "score": result.score, "seconds": result.seconds, "mask": mask.name}
    partial = path.with_suffix(".part")
    partial.write_text(to_json(record))
    os.replace(partial, path)  # written after the mask, in one step: where the record exists, so does the mask
