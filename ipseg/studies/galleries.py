"""The galleries after the paper's Figures 9 and 10: prompt sets, and prompts that violate a condition.

The images are part of the repository; results are not. They are computed by the engine that runs, and cached on disk
under a hash of all that decides them: code, settings, images.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import images, store
from ipseg.core.masks import iou, open_mask
from ipseg.core.progress import part_of
from ipseg.core.status import Status
from ipseg.core.store import ARRAYS, Arrays, ResultStore, run_key
from ipseg.core.types import ImageArray, InputError, Mask, Progress
from ipseg.engine.protocol import Engine


@dataclass(frozen=True)
class GalleryImage:
    """An image of a gallery with the ground-truth mask of the object; a visitor's own image has none."""

    image: Path
    mask: Path | None
    caption: str

    @property
    def truth(self) -> Mask | None:
        """(H, W) bool; None where there is none."""
        return None if self.mask is None else open_mask(self.mask)


@dataclass(frozen=True)
class ObjectKind:
    """One kind of object: its prompt sets by name, and the input images in which each set is segmented."""

    name: str
    title: str
    sets: Mapping[str, tuple[GalleryImage, ...]]
    inputs: tuple[GalleryImage, ...]


@dataclass(frozen=True)
class FailureCase:
    """A prompt that violates the condition "one single, complete, clear object", an input, and a corrected prompt."""

    name: str
    title: str
    broken: str  # what is wrong with the prompt, one message
    rule: str  # the condition that it violates: single, complete or clear
    prompt: GalleryImage
    input: GalleryImage
    mended: GalleryImage


@dataclass(frozen=True)
class GalleryResult:
    """The result of an engine for one prompt and one input image."""

    image: ImageArray  # (H, W, 3) uint8
    mask: Mask  # (H, W) bool
    status: Status
    iou: float | None  # with the truth, in [0, 1]; None without a truth
    saliency: NDArray[np.uint8]  # (H, W) of the first prompt image, 0 to 255


def read(folder: Path) -> tuple[dict[str, ObjectKind], dict[str, FailureCase]]:
    """The galleries of a folder with ``galleries/index.json``, by name. Raises InputError when it cannot be read."""
    try:
        index = json.loads((folder / "galleries" / "index.json").read_text())
    except (OSError, ValueError):
        raise InputError(
            "The images of the galleries are not here; run the page from a checkout of the project."
        ) from None

    def shown(entry: Mapping[str, str]) -> GalleryImage:
        return GalleryImage(folder / entry["image"], folder / entry["mask"], entry["caption"])

    kinds = {
        kind["kind"]: ObjectKind(
            kind["kind"],
            kind["title"],
            {each["set"]: tuple(shown(entry) for entry in each["prompts"]) for each in kind["sets"]},
            tuple(shown(entry) for entry in kind["inputs"]),
        )
        for kind in index["prompt_sets"]
    }
    cases = {
        case["name"]: FailureCase(
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
    """The folder of the cached results, below XDG_CACHE_HOME, else ~/.cache."""
    return store.folder("galleries")


def compute(
    engine: Engine,
    prompts: Sequence[Path],
    asked: GalleryImage,
    folder: Path | None = None,
    progress: Progress | None = None,
    saved: bool = True,
) -> GalleryResult:
    """The engine's result, computed once and read from ``folder`` (default :func:`cache_folder`) afterwards.

    ``saved``: whether it is read and saved there; a visitor's own prompts are not.
    """
    shown = [images.open_image(prompt) for prompt in prompts]
    image = images.open_image(asked.image)

    def computed() -> Arrays:
        report: dict[str, Any] = {"progress": progress} if progress else {}
        prompt = engine.prompt(shown, **report)
        result = engine.segment(prompt, image, **report)
        saliency = np.rint(prompt.views[0].saliency * 255).astype(np.uint8)
        return {"mask": result.mask, "status": np.array(result.status.value), "saliency": saliency}

    def fits(arrays: Arrays) -> bool:
        return {"mask", "status", "saliency"} <= set(arrays) and arrays["mask"].shape == image.shape[:2]

    results = ResultStore((folder or cache_folder()) if saved else None, ARRAYS)
    key = run_key(engine, [images.fingerprint(each) for each in (*shown, image)])
    found = results.get_or_compute(key, computed, fits)
    mask, truth = found["mask"], asked.truth
    value = None if truth is None else iou(mask, truth)
    return GalleryResult(image, mask, Status(str(found["status"])), value, found["saliency"])


def compute_all(
    engine: Engine,
    sets: Mapping[str, Sequence[Path]],
    inputs: Sequence[GalleryImage],
    folder: Path | None = None,
    progress: Progress | None = None,
    unsaved: Collection[str] = (),
) -> dict[str, list[GalleryResult]]:
    """Segment every set of prompts in every input: {set: results}. ``unsaved``: sets of a visitor's own."""
    found: dict[str, list[GalleryResult]] = {}
    total = len(sets) * len(inputs)
    for number, (name, prompts) in enumerate(sets.items()):
        found[name] = []
        for place, asked in enumerate(inputs):
            report = part_of(progress, number * len(inputs) + place, total)
            if report:
                report(0.0, "mask")
            found[name].append(compute(engine, prompts, asked, folder, report, name not in unsaved))
    return found


def agreement(found: Mapping[str, Sequence[GalleryResult]]) -> dict[tuple[str, str], float]:
    """The agreement of the masks of each two sets: the mean over the inputs of their IoU, in [0, 1] (Table 5)."""
    return {
        (one, other): float(np.mean([iou(a.mask, b.mask) for a, b in zip(found[one], found[other], strict=True)]))
        for one, other in combinations(found, 2)
    }


def mean_iou(found: Sequence[GalleryResult]) -> float:
    """The mean of the IoU with the ground truth, in [0, 1], over the inputs that have one; NaN where none has."""
    values = [each.iou for each in found if each.iou is not None]
    return float(np.mean(values)) if values else float("nan")


def reliability(found: Mapping[str, Sequence[GalleryResult]]) -> dict[str, float]:
    """How well each set's masks agree with those of all others: the mean of its agreements, in [0, 1].

    Of at least two sets. Without a truth it tells which prompt to trust: a mask that the other prompts find, too, is
    seldom a mistake of one prompt.
    """
    values = agreement(found)
    return {name: float(np.mean([value for pair, value in values.items() if name in pair])) for name in found}


def consensus(found: Mapping[str, Sequence[GalleryResult]]) -> list[NDArray[np.float32]]:
    """The share of the sets whose mask holds each pixel, in [0, 1]: (H, W) for each input."""
    return [np.mean([each.mask for each in one], axis=0, dtype=np.float32) for one in zip(*found.values(), strict=True)]
