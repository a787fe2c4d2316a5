"""Several methods on one prompt and one or more images: masks, times, IoU.

A method that fails is listed with its error message; the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from ipseg.core import packages, plugins, viz
from ipseg.core.masks import GivenMask, iou, read_mask
from ipseg.core.progress import part_of
from ipseg.core.result import Result, SegmentationMethod
from ipseg.core.types import ImageArray, InputError, Mask, Progress, SettingError
from ipseg.engine.protocol import Engine
from ipseg.method.prompt import PromptSource

USUAL = ("ipseg", "persam")


@dataclass(frozen=True)
class PreparedMethod:
    """One method with its encoded prompt, or the error message of its failure."""

    name: str  # of its plug-in
    label: str  # as a table names it, with with its settings where they differ
    about: str = ""  # how it differs from its publication, one message
    implementation: SegmentationMethod | None = None
    prompt: Any = None
    mask_source: str = ""  # "given", "saliency", or "" for a method that takes none
    seconds: float = 0.0  # of encoding the prompt
    error: str = ""


@dataclass(frozen=True)
class Entry:
    """The result of one method for one image, or its error message."""

    method: str
    label: str
    about: str
    mask_source: str
    result: Result | None = None
    seconds: float = 0.0  # of the whole call; less where the image's encodings were cached
    prompt_seconds: float = 0.0
    iou: float | None = None  # against the truth, where one is given
    absent: bool = False  # whether the truth is empty; then there is no IoU
    error: str = ""

    def record(self) -> dict[str, Any]:
        """For a JSON file: points are (x, y) in pixels of the upright image."""
        fields = {"method": self.method, "label": self.label, **({"about": self.about} if self.about else {})}
        if self.result is None:
            return {**fields, "error": self.error}
        points = self.result.points
        return {
            **fields,
            "prompt_mask": self.mask_source,
            "status": self.result.status.value,
            "iou": None if self.iou is None else round(self.iou, 4),
            **({"truth": "absent"} if self.absent else {}),
            "area": round(float(self.result.mask.mean()), 4),
            "seconds": round(self.seconds, 4),
            "prompt_seconds": round(self.prompt_seconds, 4),
            "positive_points": points.positive.astype(float).round(2).tolist(),
            "negative_points": points.negative.astype(float).round(2).tolist(),
        }


@dataclass(frozen=True)
class Comparison:
    """The results of all methods for one image."""

    image: ImageArray
    entries: tuple[Entry, ...]
    truth: GivenMask | None = None  # an empty one says that the object is absent
    agreement: Mapping[tuple[str, str], float] = field(default_factory=dict)  # IoU of each two methods' masks

    @property
    def answered(self) -> list[Entry]:
        """The entries with a result."""
        return [entry for entry in self.entries if entry.result is not None]

    @property
    def colours(self) -> dict[str, tuple[int, int, int]]:
        """The RGB colour of each method with a result, the same in the image of the differences and in each overlay."""
        names = [entry.method for entry in self.answered]
        return {name: viz.METHOD_COLOURS[place % len(viz.METHOD_COLOURS)] for place, name in enumerate(names)}


def check(names: Sequence[str]) -> None:
    """Raise SettingError unless there are two methods or more, known, each once."""
    known = plugins.names("baselines")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SettingError(f'There is no method "{unknown[0]}"; choose two or more of: {", ".join(known)}.')
    if len(names) < 2 or len(set(names)) < len(names):
        raise SettingError(f"A comparison needs two or more different methods; choose of: {', '.join(known)}.")


def prepare(
    engine: Engine,
    names: Sequence[str],
    image: PromptSource,
    mask: Any = None,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    progress: Progress | None = None,
) -> list[PreparedMethod]:
    """Build every method on the parts of one engine and encode the prompt, one (H, W, 3) uint8 image.

    ``image``: or a saved prompt, of which the other methods take the image and the mask that was given with it.
    ``mask``: (H, W) bool, a path, or None for the method's own choice.

    ``settings`` are the methods' own, by name. Raises what :func:`check` raises; a method that cannot be made or that
    cannot use the prompt is listed with its message.
    """
    check(names)
    return [
        _prepare(engine, name, image, mask, dict((settings or {}).get(name, {})), part_of(progress, number, len(names)))
        for number, name in enumerate(names)
    ]


def compare(
    prepared: Sequence[PreparedMethod],
    images: Sequence[ImageArray],
    truths: Sequence[GivenMask | Mask | None] | None = None,
    *,
    progress: Progress | None = None,
) -> Iterator[Comparison]:
    """Segment every image by every method, one image after another.

    ``truths``: a mask or None for each image; an empty mask says that the object is absent.
    """
    given: Sequence[GivenMask | Mask | None] = truths or [None] * len(images)
    known = [None if truth is None else read_mask(truth, empty=True) for truth in given]
    total = len(prepared) * len(images)
    for number, (image, truth) in enumerate(zip(images, known, strict=True)):
        entries = tuple(
            _ask(method, image, truth, part_of(progress, number * len(prepared) + place, total))
            for place, method in enumerate(prepared)
        )
        yield Comparison(image, entries, truth, _agreement(entries))


def _prepare(
    engine: Engine, name: str, image: PromptSource, mask: Any, settings: Mapping[str, Any], progress: Progress | None
) -> PreparedMethod:
    title = plugins.module("baselines", name).TITLE
    start = time.perf_counter()
    try:
        with packages.needed(title):
            implementation = plugins.method(name, engine, **settings)
            prompt = implementation.prompt(image, mask, progress=progress)
    except InputError as error:
        return PreparedMethod(name, title, error=str(error))
    return PreparedMethod(
        name,
        implementation.label,
        implementation.about,
        implementation,
        prompt,
        prompt.source,
        time.perf_counter() - start,
    )


def _ask(method: PreparedMethod, image: ImageArray, truth: GivenMask | None, progress: Progress | None) -> Entry:
    about = (method.name, method.label, method.about, method.mask_source)
    if method.implementation is None:
        return Entry(*about, error=method.error)
    start = time.perf_counter()
    try:
        result = method.implementation.segment(method.prompt, image, progress=progress)
    except InputError as error:
        return Entry(*about, error=str(error))
    seconds = time.perf_counter() - start
    absent = truth is not None and truth.empty
    score = None if truth is None or absent else iou(result.mask, truth.mask, truth.ignored)
    return Entry(*about, result, seconds, method.seconds, score, absent)


def _agreement(entries: Sequence[Entry]) -> dict[tuple[str, str], float]:
    masks = {entry.method: entry.result.mask for entry in entries if entry.result is not None}
    return {(one, other): iou(masks[one], masks[other]) for one, other in combinations(masks, 2)}
