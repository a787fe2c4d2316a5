"""Anyone's folder in PerSeg's layout: every ordered pair of different images of one object.

::

    Images/<object>/NN.jpg         also .jpeg, .png and .webp
    Annotations/<object>/NN.png    the object's mask, read by the rules of :mod:`ipseg.core.masks`

An image whose mask is empty is neither a prompt nor an input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ipseg.core.types import InputError
from ipseg.datasets._episodes import Annotated, Dataset, Episode, EvaluationProtocol, MaskFile

TITLE = "A folder in PerSeg's layout"
SOURCE = "give a folder in PerSeg's layout"
LICENCE = "yours"

PROTOCOL = EvaluationProtocol(
    "every ordered pair of images of one object; original size; pixels summed per object, mean over objects",
    accuracy=True,
    unit="objects",
)
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Settings:
    """Which masks."""

    data: Path  # the folder
    mask_value: int | None = None  # which of several values of the masks is the object


@dataclass(frozen=True)
class Sample:
    """One annotated image of one object; ``truth`` is the file of its ground-truth mask, of the image's size."""

    object: str
    image: Path
    truth: Path

    @property
    def name(self) -> str:
        """``<object>/NN``: unique in the folder."""
        return f"{self.object}/{self.image.stem}"


@dataclass(frozen=True)
class Pair:
    """The object of ``prompt`` is to be segmented in ``query``; it is present when both are samples of one object."""

    prompt: Sample
    query: Sample

    @property
    def present(self) -> bool:
        """Whether the prompt's object is in the query image."""
        return self.prompt.object == self.query.object


def samples(folder: Path) -> list[Sample]:
    """Every image that has an annotation, sorted. Raises :class:`InputError` when the layout is not there."""
    if not (folder / "Images").is_dir() or not (folder / "Annotations").is_dir():
        raise InputError(f"{folder} has no folders Images and Annotations; give a folder in PerSeg's layout.")
    found = [
        Sample(image.parent.name, image, truth)
        for image in sorted((folder / "Images").glob("*/*"))
        if image.suffix.lower() in SUFFIXES
        and not image.is_dir()
        and (truth := folder / "Annotations" / image.parent.name / f"{image.stem}.png").is_file()
    ]
    double = [name for name, count in Counter(sample.name for sample in found).items() if count > 1]
    if double:
        raise InputError(f"{folder} has several images {double[0]}; delete all but one.")
    if not found:
        raise InputError(f"{folder} has no image Images/<object>/NN.jpg with its Annotations/<object>/NN.png.")
    return found


def pairs(found: list[Sample], *, absent: bool = False) -> Iterator[Pair]:
    """Every ordered pair of different images of one object; with ``absent``, every pair of different objects."""
    for prompt in found:
        for query in found:
            if prompt is not query and (prompt.object != query.object) == absent:
                yield Pair(prompt, query)


def build(settings: Settings) -> Dataset:
    """One episode for each ordered pair."""
    sides = {sample: annotated(sample, settings.mask_value) for sample in samples(settings.data)}
    shown = [sample for sample, side in sides.items() if not side.mask().empty]
    found = tuple(
        Episode(f"{pair.prompt.name}->{pair.query.image.stem}", sides[pair.prompt], sides[pair.query], name, unit=name)
        for pair in pairs(shown)
        for name in [pair.query.object]
    )
    return Dataset("folder", found, PROTOCOL, {"mask_value": settings.mask_value})


def annotated(sample: Sample, mask_value: int | None = None) -> Annotated:
    """The image of a sample with its truth."""
    return Annotated(f"{sample.object}/{sample.image.name}", sample.image, MaskFile(sample.truth, mask_value))
