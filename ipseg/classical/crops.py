"""Where in an image the object is, by a similarity map, and what of a salient object a crop has cut off.

Three frames: cells of the similarity map, pixels of the image, and pixels of the low maps, which span the image at a
longest side of a few hundred pixels. All maps are float32 of shape (rows, columns).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Map = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in whole pixels, right and bottom excluded."""

PEAK = 10  # highest values of a map whose mean counts as its peak
SMALLEST, THINNEST = 0.15, 0.5  # of a crop: its sides, as a share of the longer side of the image and of each other
BESIDE, FRINGE = 7, 5  # pixels of the windows within which a part touches an object, and its edge belongs to it


def low_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(height, width) scaled to a longest side of ``side``, at least 8 pixels each."""
    scale = side / max(size)
    return max(8, round(size[0] * scale)), max(8, round(size[1] * scale))


def resize(values: NDArray, size: tuple[int, int]) -> Map:
    """A map brought to ``size`` (height, width): area average where it gets smaller, bilinear where larger."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    if values.shape == size:
        return values
    how = cv2.INTER_AREA if size[0] < values.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(values, size[::-1], interpolation=how)


def resize_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """A mask brought to ``size`` (height, width), nearest."""
    return np.asarray(cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST)) > 0


def normalised(values: Map) -> Map:
    """Shifted and scaled: the median to 0, the mean of the ten highest values to 1. A flat map is 0 everywhere."""
    middle = float(np.median(values))
    height = float(np.sort(values, axis=None)[-PEAK:].mean()) - middle
    if height <= 1e-6:
        return np.zeros_like(values)
    return (values - np.float32(middle)) / np.float32(height)


def regions(similarity: Map, level: float) -> list[Box]:
    """Bounding boxes, in cells, of the connected regions above ``level``, the most similar region first.

    Regions are found in a slightly blurred map, and ordered by the sum of the squares of what exceeds the level.
    """
    inside = (cv2.GaussianBlur(similarity, (3, 3), 0) > level).astype(np.uint8)
    count, labels, measures, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    excess = np.bincount(labels.ravel(), (np.maximum(similarity - level, 0) ** 2).ravel(), minlength=count)
    boxes = [(x, y, x + w, y + h) for x, y, w, h in measures[:, :4].tolist()]
    return [boxes[each] for each in sorted(range(1, count), key=lambda each: -excess[each])]


def smoothed(values: Map) -> Map:
    """Clipped to [0, 1] and blurred by one cell, so that hills are few."""
    return gaussian_filter(np.clip(values, 0, 1), 1.0)


def hills(smooth: Map, floor: float, peak: float, dip: float) -> NDArray[np.int32]:
    """The number of the hill that each cell of a smooth map belongs to, from 1, and 0 below ``floor``.

    A hill reaches ``peak``, and a dip of at least ``dip`` divides it from each other one (watershed).
    """
    from skimage.measure import label  # here, as these imports take a tenth of a second
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    peaks = label(h_maxima(smooth, dip) & (smooth >= peak))
    return watershed(-smooth, peaks, mask=smooth >= floor).astype(np.int32)


def grown(box: Box, grid: tuple[int, int], size: tuple[int, int], factor: float) -> Box:
    """A box on a ``grid`` (rows, columns) over an image of ``size``, times ``factor`` around its centre, in pixels.

    It is cut at the image. Each side has at least 0.15 of the image's longer side and half of the other side.
    """
    left, top, right, bottom = box
    height, width = size
    across, down = width / grid[1], height / grid[0]
    x, y = (left + right) / 2 * across, (top + bottom) / 2 * down
    w = max((right - left) * across * factor, SMALLEST * max(size), (bottom - top) * down * factor * THINNEST)
    h = max((bottom - top) * down * factor, SMALLEST * max(size), w * THINNEST)
    return (
        max(0, int(x - w / 2)),
        max(0, int(y - h / 2)),
        min(width, int(np.ceil(x + w / 2))),
        min(height, int(np.ceil(y + h / 2))),
    )


def area(box: Box) -> int:
    """Pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


def overlap(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    across = max(0, min(first[2], second[2]) - max(first[0], second[0]))
    down = max(0, min(first[3], second[3]) - max(first[1], second[1]))
    return across * down / (area(first) + area(second) - across * down)


def low_box(box: Box, size: tuple[int, int], low: tuple[int, int]) -> Box:
    """A box in an image of ``size``, in pixels of its low maps, at least 2 pixels on a side."""
    across, down = low[1] / size[1], low[0] / size[0]
    left, top = min(round(box[0] * across), low[1] - 2), min(round(box[1] * down), low[0] - 2)
    right, bottom = max(left + 2, round(box[2] * across)), max(top + 2, round(box[3] * down))
    return left, top, min(right, low[1]), min(bottom, low[0])


def placed(crop: Map, box: Box, low: tuple[int, int]) -> Map:
    """The map of a crop on a low map of size ``low``, inside ``box`` in its pixels; 0 around it."""
    whole = np.zeros(low, np.float32)
    left, top, right, bottom = box
    whole[top:bottom, left:right] = resize(crop, (bottom - top, right - left))
    return whole


def border(crop: Map, box: Box) -> tuple[NDArray[np.bool_], ...]:
    """What of a map (h, w) is above 0.5 along the left, top, right and bottom of ``box``, one pixel inside it.

    A side that is the image's own border has no pixels.
    """
    left, top, right, bottom = box
    height, width = crop.shape
    return (
        crop[top:bottom, left + 1][: None if left > 1 else 0] > 0.5,
        crop[top + 1, left:right][: None if top > 1 else 0] > 0.5,
        crop[top:bottom, right - 2][: None if right < width - 1 else 0] > 0.5,
        crop[bottom - 2, left:right][: None if bottom < height - 1 else 0] > 0.5,
    )


def touching(crop: Map, box: Box) -> float:
    """How much of the border of ``box`` that is not the image's own border has a map (h, w) above 0.5, in [0, 1]."""
    sides = np.concatenate(border(crop, box))
    return float(sides.mean()) if len(sides) else 0.0


def extended(box: Box, sides: Sequence[bool], size: tuple[int, int], step: float) -> Box:
    """A box of an image of ``size``, with those of its left, top, right and bottom moved outwards that ``sides`` names.

    Each moves by ``step`` of the box's own width or height, at most to the image's border.
    """
    left, top, right, bottom = box
    across, down = (right - left) * step, (bottom - top) * step
    return (
        max(0, int(left - across * sides[0])),
        max(0, int(top - down * sides[1])),
        min(size[1], int(np.ceil(right + across * sides[2]))),
        min(size[0], int(np.ceil(bottom + down * sides[3]))),
    )


def join(crop: Map, saliency: Map, similarity: Map, least: float) -> Map:
    """The map of a crop, with what goes on outside of it: salient parts of the whole image that touch its object.

    All maps are low ones. A part is joined when its mean similarity is above ``least``; one that has less than 0.02 of
    the object's pixels, or fewer than 8 beside it, is not.
    """
    inside = crop > 0.5
    rest = cv2.morphologyEx(((saliency > 0.5) & ~inside).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, measures, _ = cv2.connectedComponentsWithStats(rest)
    beside = cv2.dilate(inside.astype(np.uint8), np.ones((BESIDE, BESIDE), np.uint8)) > 0
    joined = crop
    for each in range(1, count):
        part = labels == each
        if measures[each, cv2.CC_STAT_AREA] < 0.02 * inside.sum() or (part & beside).sum() < 8:
            continue
        if similarity[part].mean() > least:
            wide = cv2.dilate(part.astype(np.uint8), np.ones((FRINGE, FRINGE), np.uint8)) > 0
            joined = np.where(wide, np.maximum(joined, saliency), joined)
    return joined
