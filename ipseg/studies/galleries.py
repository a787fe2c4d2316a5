"""The galleries after the paper's Figures 9 and 10: prompt sets, and prompts that break the rule.

The images are shipped; results never are. They are computed by the engine that runs, and kept on disk under a name
made of all that decides them: code, settings, images.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import images, store
from ipseg.core.masks import open_mask
from ipseg.core.types import ImageArray, InputError, Mask, Progress
from ipseg.engine.protocol import Engine
from ipseg.evaluation.metrics import iou
from ipseg.evaluation.predict import decides


@dataclass(frozen=True)
class Shown:
    """An image of a gallery with the true mask of the object."""

    picture: Path
    mask: Path
    caption: str

    @property
    def truth(self) -> Mask:
        """(H, W) bool."""
        return open_mask(self.mask)


@dataclass(frozen=True)
class Kind:
    """One kind of thing: its prompt sets by name, and the inputs that all of them are asked about."""

    name: str
    title: str
    sets: Mapping[str, tuple[Shown, ...]]
    inputs: tuple[Shown, ...]


@dataclass(frozen=True)
class Case:
    """A prompt that breaks the rule "one single, complete thing", an input, and the prompt that mends it."""

    name: str
    title: str
    broken: str  # what is wrong with it, in a message
    rule: str  # the word of the rule that it breaks: single, complete or clear
    prompt: Shown
    input: Shown
    mended: Shown


@dataclass(frozen=True)
class Answer:
    """What an engine answered for one prompt and one input."""

    picture: ImageArray
    mask: Mask
    found: bool
    iou: float  # with the truth
    saliency: NDArray[np.uint8]  # of the first prompt image: what counted as the object, 0 to 255


def read(folder: Path) -> tuple[dict[str, Kind], dict[str, Case]]:
    """The galleries of a folder with ``galleries/index.json``, by name. Raises InputError when it cannot be read."""
    try:
        index = json.loads((folder / "galleries" / "index.json").read_text())
    except (OSError, ValueError):
        raise InputError(
            "The images of the galleries are not here; run the page from a checkout of the project."
        ) from None

    def shown(entry: Mapping[str, str]) -> Shown:
        return Shown(folder / entry["picture"], folder / entry["mask"], entry["caption"])

    kinds = {
        kind["kind"]: Kind(
            kind["kind"],
            kind["title"],
            {each["set"]: tuple(shown(entry) for entry in each["prompts"]) for each in kind["sets"]},
            tuple(shown(entry) for entry in kind["inputs"]),
        )
        for kind in index["prompt_sets"]
    }
    cases = {
        case["name"]: Case(
            case["name"],
            case["title"],
            case["broken"],
            case["rule"],
            *(shown(case[part]) for part in ("prompt", "input", "mended")),
        )
        for case in index["failure_cases"]
    }
    return kinds, cases


def cache_folder() -> Path:
    """Where results are kept: XDG_CACHE_HOME, else ~/.cache."""
    return store.folder("galleries")


def answer(
    engine: Engine,
    prompts: Sequence[Path],
    asked: Shown,
    folder: Path | None = None,
    progress: Progress | None = None,
    saved: bool = True,
) -> Answer:
    """The engine's answer, computed once and read from ``folder`` (:func:`cache_folder`) afterwards.

    ``saved``: whether it is read and saved there; a visitor's own prompts are not.
    """
    path = (folder or cache_folder()) / f"{_key(engine, [*prompts, asked.picture])}.npz"
    picture = images.open_image(asked.picture)
    known = store.load(path) if saved else None
    if known is None or not {"mask", "found", "saliency"} <= set(known) or known["mask"].shape != picture.shape[:2]:
        report: dict[str, Any] = {"progress": progress} if progress else {}
        prompt = engine.prompt(list(prompts), **report)
        result = engine.segment(prompt, picture, **report)
        saliency = np.rint(prompt.views[0].saliency * 255).astype(np.uint8)
        known = {"mask": result.mask, "found": np.array(result.found), "saliency": saliency}
        if saved:
            store.save(path, known)
    mask = known["mask"]
    return Answer(picture, mask, bool(known["found"]), iou(mask, asked.truth), known["saliency"])


def answers(
    engine: Engine,
    sets: Mapping[str, Sequence[Path]],
    inputs: Sequence[Shown],
    folder: Path | None = None,
    progress: Progress | None = None,
    unsaved: Collection[str] = (),
) -> dict[str, list[Answer]]:
    """Every set asked about every input: {set: an answer for each input}. ``unsaved``: sets of a visitor's own."""
    found: dict[str, list[Answer]] = {}
    total = len(sets) * len(inputs)
    for number, (name, prompts) in enumerate(sets.items()):
        found[name] = []
        for place, asked in enumerate(inputs):
            report = _part(progress, number * len(inputs) + place, total)
            if report:
                report(0.0, "mask")
            found[name].append(answer(engine, prompts, asked, folder, report, name not in unsaved))
    return found


def _part(progress: Progress | None, done: int, total: int) -> Progress | None:
    """The progress of one answer as progress of all."""
    return (lambda share, step: progress((done + share) / total, step)) if progress else None


def agreement(found: Mapping[str, Sequence[Answer]]) -> dict[tuple[str, str], float]:
    """How alike the masks of each two sets are: the mean over the inputs of their IoU (Table 5's question)."""
    return {
        (one, other): float(np.mean([iou(a.mask, b.mask) for a, b in zip(found[one], found[other], strict=True)]))
        for one, other in combinations(found, 2)
    }


def mean_iou(found: Sequence[Answer]) -> float:
    """With the truth, over the inputs."""
    return float(np.mean([each.iou for each in found]))


def _key(engine: Engine, files: Sequence[Path]) -> str:
    digest = hashlib.blake2b(decides(engine), digest_size=16)
    for file in files:
        digest.update(hashlib.blake2b(file.read_bytes(), digest_size=16).digest())
    return digest.hexdigest()
