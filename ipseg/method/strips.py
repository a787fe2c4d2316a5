"""Thin images: cut into overlapping windows that the networks can see, and what is found in them put together again.

A network that scales an image to a longest side, or squashes it to a square, sees little of one that is many times as
long as it is high. So such an image is segmented window by window (:func:`ipseg.core.geometry.windows`), each as an
image of its own, and the window with the best score decides. Not in the paper, whose images are all about square.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.masks import iou
from ipseg.core.progress import part_of
from ipseg.core.result import Instance, Result
from ipseg.core.types import Frame, ImageArray, Mask, Points, Progress, Similarity
from ipseg.method import instances

TRIED = 8  # windows that are segmented where only the best mask is asked for: those with the most similar cells
BEST = 4  # cells by which a window is judged before it is segmented
SAME = 0.5  # intersection over union, inside of what two windows share, above which two masks are of one object
CUT_OFF = 0.5  # of its contrast that counts of a salient region that goes on outside of its window
VIEWS = 4  # windows that serve as prompt images, at most, where the prompt's object is longer than a window

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in whole pixels of the image; right and bottom are outside."""


def segment(
    image: ImageArray,
    segment_one: Callable[..., Result],
    likelihood: Callable[[ImageArray], float],
    clicks: Points | None = None,
    *,
    all_instances: bool = False,
    progress: Progress | None = None,
) -> Result:
    """The result for an image (H, W, 3) from those of its windows.

    ``segment_one(window, clicks=..., progress=...)`` is the result for one window alone, in its own pixels;
    ``likelihood(window)`` says how much its best cells are like the object. ``all_instances``: segment all windows and
    join their instances; else :data:`TRIED` of them, those with ``clicks`` always. The mask is that of the window with
    the best score, and goes on in the windows beside it as long as these agree with it where both see the image.
    Windows with a positive click add their masks.
    """
    boxes = geometry.windows(image.shape[:2])
    found: dict[int, Result] = {}
    total = len(boxes) if all_instances else min(TRIED, len(boxes))

    def at(number: int) -> Result:
        if number not in found:
            report = part_of(progress, len(found), max(total, len(found) + 1))
            inside = within(clicks, boxes[number])
            found[number] = segment_one(cut(image, boxes[number]), clicks=inside, progress=report)
        return found[number]

    clicked = [number for number, box in enumerate(boxes) if _has_positive(within(clicks, box))]
    chosen = range(len(boxes)) if all_instances or len(boxes) <= TRIED else _likely(image, boxes, likelihood)
    for number in sorted({*chosen, *clicked}):
        at(number)
    best = max(found, key=lambda number: (bool(found[number].mask.any()), found[number].score, -number))
    used = sorted({*_joined(best, boxes, at), *clicked})
    return _together(image, boxes, found, best, used, all_instances)


def parts_shown(size: tuple[int, int], mask: Mask) -> list[Box]:
    """The parts of a thin prompt image of ``size`` (height, width) that show the object of a mask (H, W), not empty.

    One part where the object fits into a window: a window around its middle. Else the windows of what it covers, of
    which the :data:`VIEWS` with most of it are taken.
    """
    left, top, right, bottom = geometry.bounding_box(mask) or (0, 0, size[1], size[0])
    around = geometry.window_around(size, (left, top, right, bottom))
    own = [
        (left + around[0], top + around[1], right + around[0], bottom + around[1])
        for left, top, right, bottom in geometry.windows((around[3] - around[1], around[2] - around[0]))
    ]
    own.sort(key=lambda box: -np.count_nonzero(cut(mask, box)))
    return [box for box in own[:VIEWS] if cut(mask, box).any()]


def most_salient(image: ImageArray, saliency: Callable[[ImageArray], NDArray[np.float32]]) -> Box:
    """The window in which an object stands out most: where the salient region is most unlike the rest in colour, and
    is not cut off at an end of the window.

    ``saliency`` is the map (h, w) in [0, 1] of one window. Maps of different windows cannot be compared as they are:
    in a window without an object whatever stands out a little is stretched to 1.
    """
    boxes = geometry.windows(image.shape[:2])

    def stands_out(box: Box) -> float:
        window = cut(image, box)
        found = saliency(window)
        whole = not any(_goes_on(found > 0.5, box, other) for other in boxes if other != box)
        return _contrast(window, found) * (1.0 if whole else CUT_OFF)

    return max(boxes, key=stands_out)


def cut(values: NDArray, box: Box) -> NDArray:
    """What a box holds of (H, W) or (H, W, C) values, contiguous."""
    left, top, right, bottom = box
    return np.ascontiguousarray(values[top:bottom, left:right])


def within(points: Points | None, box: Box) -> Points | None:
    """The points inside of a box, in its pixels; None where there is none."""
    if points is None:
        return None
    left, top, right, bottom = box
    shift = np.array([left, top], np.float32)
    found = [
        each[((each >= (left, top)) & (each <= (right, bottom))).all(axis=1)] - shift
        for each in (points.positive, points.negative)
    ]
    return Points(*found) if any(map(len, found)) else None


def place(mask: Mask, box: Box, size: tuple[int, int]) -> Mask:
    """A mask of a window in the pixels of the whole image: (H, W) bool."""
    whole = np.zeros(size, bool)
    left, top, right, bottom = box
    whole[top:bottom, left:right] = mask
    return whole


def same(one: Mask, other: Mask, boxes: tuple[Box, Box]) -> bool:
    """Whether masks of two windows are of one object: whether they agree on what both windows see, and are there."""
    first, second = (cut(mask, box) for mask, box in zip((one, other), shared(*boxes), strict=True))
    return bool(first.size) and bool((first & second).any()) and iou(first, second) > SAME


def shared(one: Box, other: Box) -> tuple[Box, Box]:
    """What two boxes have in common, in the pixels of each; boxes without a pixel where that is nothing."""
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, bottom = max(left, min(one[2], other[2])), max(top, min(one[3], other[3]))
    moved = [(left - box[0], top - box[1], right - box[0], bottom - box[1]) for box in (one, other)]
    return moved[0], moved[1]


def groups(masks: Sequence[tuple[int, Mask]], boxes: Sequence[Box]) -> list[list[int]]:
    """Which of the masks, each with the number of its window, are of one object: lists of places, each place once."""
    group = list(range(len(masks)))
    for place_of, (number, mask) in enumerate(masks):
        for other in range(place_of):
            before, earlier = masks[other]
            if number != before and same(mask, earlier, (boxes[number], boxes[before])):
                old, new = group[place_of], group[other]
                group = [new if each == old else each for each in group]
    return [[at for at, each in enumerate(group) if each == name] for name in dict.fromkeys(group)]


def _has_positive(clicks: Points | None) -> bool:
    return clicks is not None and len(clicks.positive) > 0


def _likely(image: ImageArray, boxes: Sequence[Box], likelihood: Callable[[ImageArray], float]) -> list[int]:
    """The windows with the most similar cells."""
    values = np.array([likelihood(cut(image, box)) for box in boxes])
    return np.argsort(-values, kind="stable")[:TRIED].tolist()


def _joined(best: int, boxes: Sequence[Box], at: Callable[[int], Result]) -> Iterator[int]:
    """The best window, then those beside it into which its object goes on."""
    yield best
    for step in (-1, 1):
        number = best
        while 0 <= number + step < len(boxes) and _goes_on(at(number).mask, boxes[number], boxes[number + step]):
            if not same(at(number).mask, at(number + step).mask, (boxes[number], boxes[number + step])):
                break
            number += step
            yield number


def _goes_on(mask: Mask, box: Box, beside: Box) -> bool:
    """Whether a mask touches the end of its window on the side of another one."""
    ends = {
        (-1, 0): mask[:, 0],
        (1, 0): mask[:, -1],
        (0, -1): mask[0],
        (0, 1): mask[-1],
    }
    return bool(ends[int(np.sign(beside[0] - box[0])), int(np.sign(beside[1] - box[1]))].any())


def _together(
    image: ImageArray,
    boxes: Sequence[Box],
    found: dict[int, Result],
    best: int,
    used: Sequence[int],
    all_instances: bool,
) -> Result:
    size, chosen = image.shape[:2], found[best]
    mask = np.zeros(size, bool)
    for number in used:
        mask |= place(found[number].mask, boxes[number], size)
    # a click decides the status of its own window, and of the whole
    status = max((found[number].status for number in used), key=lambda each: each.has_mask + (each == "detected"))
    seconds: dict[str, float] = {}
    for each in found.values():
        for step, value in each.seconds.items():
            seconds[step] = seconds.get(step, 0.0) + value
    moved = _moved([(found[number].points, boxes[number]) for number in used])
    similarity = _similarity({number: found[number].similarity for number in used}, boxes, best, size)
    result = replace(
        chosen, image=image, mask=mask, status=status, points=moved, similarity=similarity, seconds=seconds
    )
    return replace(result, instances=_instances(found, boxes, size, chosen)) if all_instances else result


def _moved(points: Sequence[tuple[Points, Box]]) -> Points:
    """Points of windows, together, in the pixels of the image."""
    shifts = [np.array(box[:2], np.float32) for _, box in points]
    return Points(
        np.concatenate([each.positive + shift for (each, _), shift in zip(points, shifts, strict=True)]),
        np.concatenate([each.negative + shift for (each, _), shift in zip(points, shifts, strict=True)]),
    )


def _similarity(
    maps: dict[int, Similarity | None], boxes: Sequence[Box], best: int, size: tuple[int, int]
) -> Similarity | None:
    """The similarity of some windows on cells over the whole image; elsewhere it is as low as the lowest of them."""
    own, known = maps[best], {number: each for number, each in maps.items() if each is not None}
    if own is None:
        return None
    across, down = own.frame.cell
    frame = geometry.squash_frame(size, (max(1, round(size[0] / down)), max(1, round(size[1] / across))))
    values = np.full(frame.grid, min(float(each.values[each.inside].min()) for each in known.values()), np.float32)
    for number, each in known.items():
        left, top, right, bottom = boxes[number]
        shift = (left, top, left, top)
        there = Frame(size, each.frame.grid, tuple(a + b for a, b in zip(each.frame.box, shift, strict=True)))  # type: ignore[arg-type]
        on_all = geometry.resample(each.values[..., None], there, frame)[..., 0]
        columns, rows = _centres(frame)
        covered = ((rows >= top) & (rows < bottom))[:, None] & ((columns >= left) & (columns < right))[None]
        values = np.where(covered, np.maximum(values, on_all), values)
    return Similarity(values, np.ones(frame.grid, bool), frame)


def _centres(frame: Frame) -> tuple[NDArray, NDArray]:
    """The columns and rows, in image pixels, of the centres of cells."""
    rows, columns = frame.grid
    ends = [np.stack([np.arange(n), np.zeros(n)], axis=1) for n in (columns, rows)]
    return geometry.cells_to_image(ends[0], frame)[:, 0], geometry.cells_to_image(ends[1][:, ::-1], frame)[:, 1]


def _instances(
    found: dict[int, Result], boxes: Sequence[Box], size: tuple[int, int], chosen: Result
) -> tuple[Instance, ...]:
    """The instances of all windows; one that several windows see is one."""
    seen = [(number, one) for number, each in sorted(found.items()) for one in each.instances]
    made = []
    for group in groups([(number, one.mask) for number, one in seen], boxes):
        several = [seen[at] for at in group]
        best = max((one for _, one in several), key=lambda one: one.score)
        mask = np.zeros(size, bool)
        for number, one in several:
            mask |= place(one.mask, boxes[number], size)
        made.append(replace(best, mask=mask, points=_moved([(one.points, boxes[number]) for number, one in several])))
    return instances.apart(made, chosen.threshold, chosen.reject_threshold)


def _contrast(image: ImageArray, saliency: NDArray[np.float32]) -> float:
    """How unlike the salient region is to the rest: the distance of their mean colours over the deviation of the rest.

    Times the difference of their mean saliency; 0 where either is empty.
    """
    inside = saliency > 0.5
    if not inside.any() or inside.all():
        return 0.0
    values = image.astype(np.float32)
    region, rest = values[inside], values[~inside]
    apart = float(np.linalg.norm(region.mean(axis=0) - rest.mean(axis=0)))
    spread = float(np.linalg.norm(rest.std(axis=0))) + 8.0  # of a flat background, noise of some steps
    return apart / spread * float(saliency[inside].mean() - saliency[~inside].mean())
