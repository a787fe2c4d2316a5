"""The facts of a label folder without its masks: scores, images without an instance, errors, classes that compete."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseg.annotations.labels import LabelFolder, LabelledImage
from ipseg.core.status import Status


@dataclass(frozen=True)
class Row:
    """One instance without its mask."""

    image: str  # the name of its image
    number: int  # in the image, from 1
    label: str
    score: float
    status: Status
    second: str = ""  # the class with the next best score for these pixels, "" for none
    second_score: float = 0.0


@dataclass(frozen=True)
class Overview:
    """All instances of a label folder, and the images that need a person."""

    classes: tuple[str, ...]
    images: int
    corrected: int  # images
    rows: tuple[Row, ...]
    without: tuple[str, ...]  # names of images without an instance
    errors: tuple[tuple[str, str], ...]  # names of images that could not be labelled, and why

    @classmethod
    def of(cls, labels: LabelFolder) -> Overview:
        """Read the labels, one image after another."""
        return cls.of_images(labels.classes, labels)

    @classmethod
    def of_images(cls, classes: Sequence[str], images: Iterable[LabelledImage]) -> Overview:
        """The same of labelled images; each is let go before the next is taken."""
        count, corrected = 0, 0
        rows: list[Row] = []
        without: list[str] = []
        errors: list[tuple[str, str]] = []
        for image in images:
            count, corrected = count + 1, corrected + image.corrected
            if image.error:
                errors.append((image.name, image.error))
            elif not image.instances:
                without.append(image.name)
            rows += rows_of(image)
        return cls(tuple(classes), count, corrected, tuple(rows), tuple(without), tuple(errors))

    def of_class(self, label: str) -> tuple[Row, ...]:
        """The instances of a class, the lowest score first."""
        return tuple(sorted((row for row in self.rows if row.label == label), key=_lowest_first))

    def lowest_images(self, label: str) -> tuple[str, ...]:
        """The names of the images with a class, that with the lowest score of it first."""
        return tuple(dict.fromkeys(row.image for row in self.of_class(label)))

    def confusion(self) -> NDArray[np.int64]:
        """(n, n): how many instances of class i have class j as the next best; the diagonal is 0."""
        places = {label: place for place, label in enumerate(self.classes)}
        found = np.zeros((len(places), len(places)), np.int64)
        for row in self.rows:
            if row.second in places and row.second != row.label:
                found[places[row.label], places[row.second]] += 1
        return found

    def closest(self, label: str, second: str) -> tuple[Row, ...]:
        """The instances of ``label`` that ``second`` claimed too, the smallest difference of the scores first."""
        rows = (row for row in self.rows if row.label == label and row.second == second)
        return tuple(sorted(rows, key=lambda row: (row.score - row.second_score, row.image, row.number)))


def rows_of(image: LabelledImage) -> list[Row]:
    """The instances of one image, in their order."""
    return [
        Row(image.name, number, one.label, float(one.score), one.status, one.second, float(one.second_score))
        for number, one in enumerate(image.instances, start=1)
    ]


def _lowest_first(row: Row) -> tuple[float, str, int]:
    return row.score, row.image, row.number
