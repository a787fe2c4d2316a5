"""The galleries after the paper's Figures 9 and 10: prompt sets, and prompts that violate a condition.

The images are part of the repository; results are not. They are computed by the engine that runs, and cached on disk
under a hash of all that decides them: code, settings, images.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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


CORRECTED, SECOND, NEGATIVE = "corrected", "second", "negative"
"""What may help in a failure case: another prompt image in place of the first, beside it, or as a negative prompt."""


@dataclass(frozen=True)
class FailureCase:
    """A prompt that violates the condition "one single, complete, clear object", an input, and what may help.

    Or a prompt that fulfils it, and an input that is hard nevertheless.
    """

    name: str
    title: str
    broken: str  # what is wrong with the prompt, or hard about the input, one message
    rule: str  # the condition that the prompt violates: single, complete or clear; "" where it is the input
    prompt: GalleryImage
    input: GalleryImage
    mended: GalleryImage  # the prompt image that may help
    remedy: str = CORRECTED


HARD = (  # name, title, what is hard, prompt, input, what may help, its image with a caption
    (
        "twin",
        "Beside its twin",
        "A robot of the same shape stands beside it: the features of both are alike, whatever their colour.",
        "Images/robot/00",
        "Images/robot/03",
        NEGATIVE,
        "galleries/prompt_sets/robot/B/00",
        "A purple robot, which is not meant.",
    ),
    (
        "touching",
        "Partly hidden",
        "A mug hides part of the teapot, and everything on the table stands out alike: they are taken together.",
        "Images/blue_teapot/00",
        "Images/blue_teapot/02",
        SECOND,
        "Images/blue_teapot/01",
        "The teapot again, on another table and from another side.",
    ),
    (
        "another_side",
        "From another side",
        "The prompt shows the car from the side, the image shows it from the front, behind a car of another colour.",
        "Images/toy_car/00",
        "Images/toy_car/03",
        CORRECTED,
        "Images/toy_car/01",
        "The car from the front.",
    ),
    (
        "same_colour",
        "Green on green",
        "The green mug stands on grass, among toys that stand out as it does.",
        "Images/green_mug/00",
        "Images/green_mug/04",
        SECOND,
        "Images/green_mug/01",
        "The mug again, on a yellow cloth.",
    ),
    (
        "evening",
        "In the evening",
        "Little light, and a toadstool that touches the duck: the edge between the two is hard to tell.",
        "Images/yellow_duck/00",
        "Images/yellow_duck/04",
        SECOND,
        "Images/yellow_duck/01",
        "The duck again, on grass.",
    ),
)


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
            shown(case["prompt"]),
            shown(case["input"]),
            shown(case["mended"]),
        )
        for case in index["failure_cases"]
    }
    return kinds, cases | {name: _hard(folder, name, *rest) for name, *rest in HARD}


def _hard(folder: Path, name: str, title: str, hard: str, *rest: str) -> FailureCase:
    prompt, asked, remedy, mended, caption = rest
    shown, searched, other = (_example(folder, place) for place in (prompt, asked, mended))
    return FailureCase(name, title, hard, "", shown, searched, replace(other, caption=caption), remedy)


def _example(folder: Path, place: str) -> GalleryImage:
    """An example image and its mask, beside it or below ``Annotations``."""
    mask = place.replace("Images/", "Annotations/", 1)
    return GalleryImage(folder / f"{place}.jpg", folder / f"{mask}.png", "")


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
    *,
    negative: Sequence[Path] = (),
) -> GalleryResult:
    """The engine's result, computed once and read from ``folder`` (default :func:`cache_folder`) afterwards.

    ``saved``: whether it is read and saved there; a visitor's own prompts are not. ``negative``: images of a negative
    prompt.
    """
    shown = [images.open_image(prompt) for prompt in prompts]
    unlike = [images.open_image(prompt) for prompt in negative]
    image = images.open_image(asked.image)

    def computed() -> Arrays:
        report: dict[str, Any] = {"progress": progress} if progress else {}
        prompt = engine.prompt(shown, **report)
        other: dict[str, Any] = {"negative_prompt": engine.prompt(unlike, **report)} if unlike else {}
        result = engine.segment(prompt, image, **other, **report)
        saliency = np.rint(prompt.views[0].saliency * 255).astype(np.uint8)
        return {"mask": result.mask, "status": np.array(result.status.value), "saliency": saliency}

    def fits(arrays: Arrays) -> bool:
        return {"mask", "status", "saliency"} <= set(arrays) and arrays["mask"].shape == image.shape[:2]

    results = ResultStore((folder or cache_folder()) if saved else None, ARRAYS)
    settings = {"negative": [images.fingerprint(each) for each in unlike]} if unlike else None
    key = run_key(engine, [images.fingerprint(each) for each in (*shown, image)], settings)
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


def compute_case(engine: Engine, case: FailureCase, progress: Progress | None = None) -> tuple[GalleryResult, ...]:
    """The results without and with what may help in a failure case."""
    before = compute(engine, [case.prompt.image], case.input, progress=part_of(progress, 0, 2))
    other, report = case.mended.image, part_of(progress, 1, 2)
    if case.remedy == NEGATIVE:
        return before, compute(engine, [case.prompt.image], case.input, progress=report, negative=[other])
    prompts = [other, case.prompt.image] if case.remedy == SECOND else [other]  # the saliency map is of the first
    return before, compute(engine, prompts, case.input, progress=report)


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
