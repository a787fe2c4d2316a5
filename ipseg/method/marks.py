"""What a person marks on an image, boxes and points, and the mask that the segmenter makes of it.

Not in the paper, whose prompt is an image alone: marks say which of several objects is meant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import Brief, Candidates, Mask, MaskError, Points, SettingError
from ipseg.method import refinement
from ipseg.method.encodings import Encodings, Named
from ipseg.method.refinement import NOWHERE

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels of the upright image; 0 is the outer edge of the first pixel."""


@dataclass(frozen=True, repr=False)
class Marks(Brief):
    """Boxes around the object, one around each where there are several, and points on it and beside it."""

    boxes: tuple[Box, ...] = ()
    points: Points = NOWHERE  # (x, y) in image pixels

    @property
    def empty(self) -> bool:
        """Whether nothing is marked."""
        return not self.boxes and not len(self.points.positive) + len(self.points.negative)

    @property
    def around(self) -> tuple[int, int, int, int]:
        """The smallest box in whole pixels that holds the boxes, or the positive points where there is none."""
        corners = np.array(self.boxes, float).reshape(-1, 2) if self.boxes else self.points.positive
        (left, top), (right, bottom) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
        return int(left), int(top), int(right), int(bottom)

    def within(self, box: tuple[int, int, int, int]) -> Marks:
        """The marks inside of a box in whole pixels, in its pixels; of boxes that reach beyond it what is inside."""
        left, top, right, bottom = box
        found = []
        for one in self.boxes:
            edges = max(one[0], left), max(one[1], top), min(one[2], right), min(one[3], bottom)
            if edges[0] < edges[2] and edges[1] < edges[3]:
                found.append((edges[0] - left, edges[1] - top, edges[2] - left, edges[3] - top))
        moved = [
            each[((each >= (left, top)) & (each <= (right, bottom))).all(axis=1)] - np.array([left, top], np.float32)
            for each in (self.points.positive, self.points.negative)
        ]
        return Marks(tuple(found), Points(*moved))


def of_each(count: int, boxes: Any, points: Any) -> list[Marks]:
    """The marks of each of ``count`` images.

    ``boxes``: of one image a box or a list of boxes; of several a list with a box, a list of boxes or None for each.
    ``points``: of one image :class:`~ipseg.core.types.Points`, of several a list of such or None. None: no marks.
    Raises :class:`~ipseg.core.types.SettingError` for another count, or what is no box.
    """
    of_boxes = [boxes] if count == 1 and not _is_list_for_one(boxes) else boxes
    of_points = points if isinstance(points, list | tuple) else None if points is None else [points]
    columns = []
    for given, what in ((of_boxes, "boxes"), (of_points, "points")):
        column = [None] * count if given is None else list(given)
        if len(column) != count:
            raise SettingError(f"There are {what} for {len(column)} images and {count} images; give as many, or None.")
        columns.append(column)
    wrong = [at for at in columns[1] if not (at is None or isinstance(at, Points))]
    if wrong:
        raise SettingError(f"The points are a {type(wrong[0]).__name__}; give ipseg.Points.")
    return [Marks(_boxes(own), NOWHERE if at is None else at) for own, at in zip(*columns, strict=True)]


def mask_of(encodings: Encodings, image: Named, marks: Marks, label: str = "the image") -> Mask:
    """The mask of what is marked: (H, W) bool, not empty.

    In each box, the segmenter's candidate for it that agrees best with the points, drawn once more with the points in
    it, and nothing outside of the box; of several boxes the masks together. Without a box the same for the points,
    on the whole image. The mask contains the positive points and none of the negative ones
    (:func:`ipseg.method.refinement.obeying`). ``label``: what an error message calls the image. Raises
    :class:`~ipseg.core.types.SettingError` for marks off the image, for positive points outside of all boxes, and for
    negative points alone, and :class:`~ipseg.core.types.MaskError` where the segmenter finds nothing there.
    """
    size = image.pixels.shape[:2]
    check(marks, size, label)
    encoding, mask = encodings.encoding(image), np.zeros(size, bool)
    for box in marks.boxes:
        positive = marks.points.positive[_inside(box, marks.points.positive)]
        found = _draw(encodings.segmenter, encoding, Points(positive, marks.points.negative), box)
        rows, columns = pixels_of(box, size)
        mask[rows, columns] |= found[rows, columns]
    if not marks.boxes:
        mask = _draw(encodings.segmenter, encoding, marks.points)
    if mask.any():
        allowed = np.zeros(size, bool)
        for each in map(partial(pixels_of, size=size), marks.boxes):
            allowed[each] = True
        mask = refinement.obeying(encodings.segmenter, encoding, mask, marks.points)
        mask &= allowed | (not marks.boxes)
    if not mask.any():
        raise MaskError(f"No object was found where {label} is marked; mark it more closely, or give a mask.")
    return mask


def check(marks: Marks, size: tuple[int, int], label: str = "the image") -> None:
    """Raise :class:`SettingError` for marks from which no mask can follow on an image of ``size`` (height, width)."""
    height, width = size
    extent = f"{label} is {width}x{height} pixels"
    for box in marks.boxes:
        left, top, right, bottom = box
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise SettingError(f"The box {_listed(box)} is not on its image; {extent}, give one in it.")
        if not all(stop > start for start, stop in ((one.start, one.stop) for one in pixels_of(box, size))):
            raise SettingError(f"The box {_listed(box)} holds no pixel; give a larger one.")
    for x, y in np.concatenate([marks.points.positive, marks.points.negative]):
        if not (0 <= x <= width and 0 <= y <= height):
            raise SettingError(f"The point {x:g},{y:g} is not on its image; {extent}, give one in it.")
    if not marks.boxes and not len(marks.points.positive):
        raise SettingError(f"Nothing on {label} is marked as the object; give a box, or a point on the object.")
    for point in marks.points.positive if marks.boxes else ():
        if not any(_inside(box, point[None]).all() for box in marks.boxes):
            where = f"The point {point[0]:g},{point[1]:g} is in no box of {label}"
            raise SettingError(f"{where}; give one in a box, or leave it out.")


def pixels_of(box: Box, size: tuple[int, int]) -> tuple[slice, slice]:
    """The rows and the columns of the pixels whose centre is in a box."""
    left, top, right, bottom = (math.ceil(edge - 0.5) for edge in box)
    return slice(max(0, top), min(size[0], bottom)), slice(max(0, left), min(size[1], right))


def _draw(segmenter: Any, encoding: Any, points: Points, box: Box | None = None) -> Mask:
    first = segmenter.predict(encoding, NOWHERE if box else points, box=box, several=True)
    best = int(np.argmax(first.scores - _contradicted(first, points)))
    if not first.masks[best].any():
        return first.masks[best]
    return segmenter.predict(encoding, points, mask_logits=first.logits[best], box=box).masks[0]


def _contradicted(candidates: Candidates, points: Points) -> NDArray[np.float32]:
    """How many points each of (n, H, W) candidates contradicts: (n,)."""
    height, width = candidates.masks.shape[1:]
    counts = np.zeros(len(candidates.masks), np.float32)
    for each, wanted in ((points.positive, True), (points.negative, False)):
        columns, rows = np.clip(np.floor(each).astype(np.intp), 0, (width - 1, height - 1)).T
        counts += (candidates.masks[:, rows, columns] != wanted).sum(axis=1)
    return counts


def _inside(box: Box, points: NDArray) -> NDArray[np.bool_]:
    """Which of (n, 2) points are in a box: (n,)."""
    return np.all((points >= box[:2]) & (points <= box[2:]), axis=1)


def _boxes(given: Any) -> tuple[Box, ...]:
    if given is None:
        return ()
    listed: Any = given if isinstance(given, list | tuple | np.ndarray) and not _is_box(given) else [given]
    if not all(map(_is_box, listed)):
        raise SettingError(f"{given} is no box; give (left, top, right, bottom) in pixels, or a list of such.")
    return tuple(tuple(float(edge) for edge in box) for box in listed)  # type: ignore[misc]


def _is_box(value: Any) -> bool:
    try:
        return len(value) == 4 and all(np.ndim(edge) == 0 and math.isfinite(edge) for edge in value)
    except TypeError:
        return False


def _is_list_for_one(boxes: Any) -> bool:
    """Whether ``boxes`` is a list for each of one image, and not a box or a list of boxes of that image."""
    if boxes is None or _is_box(boxes) or not hasattr(boxes, "__len__"):
        return False
    return len(boxes) == 1 and not _is_box(boxes[0])


def _listed(box: Box) -> str:
    return ",".join(f"{edge:g}" for edge in box)
