"""The instances of one image as the tab shows them: found, corrected by clicks, added, and switched on or off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core.result import Result
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, Mask, Points, Progress
from ipseg.engine.protocol import Engine
from ipseg.labelling.review import edits
from ipseg.method.instances import NO_POINTS
from ipseg.method.prompt import Prompt
from ipseg.ui.widgets.clicks import as_points

SAME = 0.5  # share of an instance in the mask of a click, from which on the click is about that instance


@dataclass(frozen=True)
class Edit:
    """A click that corrects an instance, or adds one where no instance has its number."""

    number: int  # of the instance, from 1
    x: float  # in pixels of the upright image, as y
    y: float
    positive: bool


@dataclass(frozen=True, repr=False)
class ShownInstance:
    """One instance; its number stays when others are corrected, added or switched off."""

    number: int  # from 1
    mask: Mask  # (H, W) bool, in the pixels of the image; those of different instances do not overlap
    score: float  # in [0, 1]
    status: Status
    by_hand: bool = False  # whether a person corrected or added it


def found_in(result: Result, accepted: bool = False) -> tuple[ShownInstance, ...]:
    """The instances of a result, the best first; its single mask alone where that is an answer and none was found.

    ``accepted``: a person takes the single mask whatever its score, and it is the only instance.
    """
    whole = ShownInstance(1, result.mask, result.score, Status.DETECTED if accepted else result.status, accepted)
    if accepted or not result.instances:
        return (whole,) if whole.mask.any() and whole.status.has_mask else ()
    return tuple(
        ShownInstance(number, one.mask, one.score, one.status) for number, one in enumerate(result.instances, 1)
    )


def about(
    engine: Engine,
    image: ImageArray,
    found: Sequence[ShownInstance],
    place: tuple[float, float],
    prompt: Prompt,
    progress: Progress | None = None,
) -> int:
    """The number of the instance that a positive click beside all instances is about: a new one, or one it completes.

    ``place``: (x, y) in pixels of the image. The click completes the instance that is mostly in the mask of the click
    alone, the one with most of it where there are several. Raises what :func:`ipseg.labelling.review.edits.added`
    raises.
    """
    points = _points([Edit(0, *place, positive=True)])
    alone, at = edits.added(engine, image, _labelled(image, ()), "0", points, prompt=prompt, progress=progress)
    mask = alone.instances[at].mask
    share = {one.number: float((one.mask & mask).sum() / one.mask.sum()) for one in found}
    most = max(share, key=lambda number: share[number], default=0)
    return most if share.get(most, 0.0) > SAME else max(share, default=0) + 1


def corrected(
    engine: Engine,
    image: ImageArray,
    found: Sequence[ShownInstance],
    clicks: Sequence[Edit],
    prompt: Prompt,
    progress: Progress | None = None,
) -> tuple[ShownInstance, ...]:
    """The instances after clicks, in the order of their numbers. Masks never overlap.

    An instance with clicks goes on from its mask with all of them (:mod:`ipseg.labelling.review.edits`); a number that
    no instance has adds one. Raises what the functions of that module raise.
    """
    labelled = _labelled(image, found)
    for number in sorted({one.number for one in clicks}):
        points = _points([one for one in clicks if one.number == number])
        names = [one.label for one in labelled.instances]
        if str(number) in names:
            labelled, _ = edits.corrected(engine, image, labelled, names.index(str(number)), points, progress=progress)
        else:
            labelled, _ = edits.added(engine, image, labelled, str(number), points, prompt=prompt, progress=progress)
    edited = {one.number for one in clicks} | {one.number for one in found if one.by_hand}
    made = [
        ShownInstance(int(one.label), one.mask, one.score, one.status, int(one.label) in edited)
        for one in labelled.instances
    ]
    return tuple(sorted(made, key=lambda one: one.number))


def labels(found: Sequence[ShownInstance], size: tuple[int, int]) -> NDArray[np.uint8]:
    """The number of the instance that holds each pixel, 0 elsewhere: (H, W) uint8, ``size`` being (height, width)."""
    numbers = np.zeros(size, np.uint8)
    for one in found:
        numbers[one.mask] = one.number
    return numbers


def without(labels: NDArray[np.uint8], off: Sequence[int]) -> NDArray[np.uint8]:
    """Numbers (H, W) with 0 where the instance is switched off."""
    return np.where(np.isin(labels, list(off)), np.uint8(0), labels)


def _labelled(image: ImageArray, found: Sequence[ShownInstance]) -> LabelledImage:
    """The instances as labels, whose names are the numbers."""
    made = tuple(LabelledInstance(str(one.number), one.mask, one.score, one.status) for one in found)
    return LabelledImage("the image", (image.shape[0], image.shape[1]), made)


def _points(clicks: Sequence[Edit]) -> Points:
    return as_points(tuple((one.x, one.y, one.positive) for one in clicks)) or NO_POINTS
