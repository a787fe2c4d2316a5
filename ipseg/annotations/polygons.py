"""Masks as polygons that keep their holes.

A hole is joined to what surrounds it by a seam: the polygon runs along one row of the mask's own pixels to the hole,
around it, and back. Every reader that fills a polygon by the even-odd rule, as OpenCV, Pillow and pycocotools do, gets
the hole back.

Two frames: :func:`centres` has vertices on the centres of the border pixels, as OpenCV and the tools built on it draw
(pixel (0, 0) has its centre at (0, 0)); :func:`corners` has them on the corners of pixels, as COCO defines coordinates
(pixel (0, 0) reaches from (0, 0) to (1, 1)).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.types import Mask

Polygon = NDArray[np.int32]  # (n, 2) of (x, y) in pixels, not closed


def centres(mask: Mask) -> list[Polygon]:
    """(H, W) bool as one polygon for each part (8-connected), vertices on pixel centres; the largest part first.

    ``cv2.fillPoly`` of the polygons is the mask. A part of one pixel is a polygon of three equal vertices, and one of
    a line two pixels long has a vertex twice: readers refuse fewer than three.
    """
    offset, cropped = _cropped(mask)
    return [_simplified(each) + offset for each in _joined(cropped)]


def corners(mask: Mask) -> list[Polygon]:
    """The same with vertices on the corners of pixels: the area of the polygons is that of the mask."""
    offset, cropped = _cropped(mask)
    doubled = np.repeat(np.repeat(cropped, 2, axis=0), 2, axis=1)  # pixel x becomes 2x and 2x + 1
    # the border of a pixel at 2x is its left edge x, and at 2x + 1 its right edge x + 1
    return [_simplified((each + 1) // 2) + offset for each in _joined(doubled)]


def as_one(polygons: list[Polygon]) -> Polygon:
    """Several parts as one polygon, each joined to those before it by a straight seam between their nearest vertices.

    The seam has no area, but a reader that draws borders draws it as a line one pixel wide.
    """
    from scipy.spatial import KDTree  # here, as the import takes a tenth of a second

    whole = polygons[0]
    for part in polygons[1:]:
        distances, nearest = KDTree(whole).query(part)
        there = int(distances.argmin())
        here = int(nearest[there])
        loop = np.concatenate([part[there:], part[: there + 1]])
        whole = np.concatenate([whole[: here + 1], loop, whole[here:]])
    return whole


def _cropped(mask: Mask) -> tuple[Polygon, NDArray[np.uint8]]:
    """The (x, y) of the upper left corner of a mask's box, and the mask inside."""
    box = geometry.bounding_box(mask)
    if box is None:
        raise ValueError("expected a mask that is not empty")
    left, top, right, bottom = box
    return np.array([left, top], np.int32), mask[top:bottom, left:right].astype(np.uint8)


def _joined(mask: NDArray[np.uint8]) -> list[Polygon]:
    """One contour through every border pixel for each part, its holes joined by seams."""
    found, hierarchy = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    contours = [each[:, 0] for each in found]
    parents = hierarchy[0, :, 3]
    outer = [number for number in range(len(contours)) if parents[number] < 0]
    outer.sort(key=lambda number: (-cv2.contourArea(contours[number]), contours[number].min(axis=0).tolist()))
    return [
        _with_holes(mask, contours[each], [contours[hole] for hole in np.flatnonzero(parents == each)])
        for each in outer
    ]


def _with_holes(mask: NDArray[np.uint8], outer: Polygon, holes: list[Polygon]) -> Polygon:
    """Each hole from its leftmost vertex along the row to the left, where a contour that is joined already is met.

    The row is of the mask's own pixels, and its last pixel lies on the contour of what is left of it: the outer one,
    or a hole whose leftmost vertex lies further left, and which was joined before.
    """
    whole = outer
    for hole in sorted(holes, key=lambda each: each.min(axis=0).tolist()):
        start = int(np.lexsort((hole[:, 1], hole[:, 0]))[0])
        x, y = hole[start]
        outside = np.flatnonzero(mask[y, :x] == 0)
        end = int(outside[-1]) + 1 if len(outside) else 0
        place = int(np.flatnonzero((whole == (end, y)).all(axis=1))[0])
        loop = np.concatenate([hole[start:], hole[: start + 1]])
        whole = np.concatenate([whole[: place + 1], loop, whole[place:]])
    return whole


def _simplified(polygon: Polygon) -> Polygon:
    """Without the vertices on a straight line between their neighbours that it runs through; at least three."""
    distinct = polygon[(polygon != np.roll(polygon, 1, axis=0)).any(axis=1)]
    if len(distinct) > 2:
        before, after = distinct - np.roll(distinct, 1, axis=0), np.roll(distinct, -1, axis=0) - distinct
        turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
        distinct = distinct[turns | ((before * after).sum(axis=1) < 0)]
    distinct = distinct if len(distinct) else polygon[:1]
    return np.concatenate([distinct, np.repeat(distinct[-1:], max(0, 3 - len(distinct)), axis=0)])
