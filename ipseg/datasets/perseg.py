"""PerSeg's layout: ``Images/<object>/NN.jpg`` and ``Annotations/<object>/NN.png`` (0/255)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ipseg.core.types import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


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
class Episode:
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
        and (truth := folder / "Annotations" / image.parent.name / f"{image.stem}.png").is_file()
    ]
    double = [name for name, count in Counter(sample.name for sample in found).items() if count > 1]
    if double:
        raise InputError(f"{folder} has several images {double[0]}; delete all but one.")
    if not found:
        raise InputError(f"{folder} has no image Images/<object>/NN.jpg with its Annotations/<object>/NN.png.")
    return found


def episodes(found: list[Sample], *, absent: bool = False) -> Iterator[Episode]:
    """Every ordered pair of different images of one object; with ``absent``, every pair of different objects."""
    for prompt in found:
        for query in found:
            if prompt is not query and (prompt.object != query.object) == absent:
                yield Episode(prompt, query)
