"""Object proposals of an image, independent of a prompt: cuts from several starts (GrabCut, Rother et al., 2004).

Each start is a region in which an object may lie: all but the border, or an ellipse around the middle. The cuts differ
enough that one of them is often close to the object, and a prompt can choose among them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import ImageArray

FRAMES = ((0.9, 0.9, 3), (0.7, 0.92, 3))  # (half extent of the start, of the sure background beyond, rounds)
ELLIPSES = ((0.6, 0.95, 3), (0.4, 0.95, 3))  # (radius of the start, half extent of the sure background beyond, rounds)


def propose(image: ImageArray) -> NDArray[np.bool_]:
    """Masks from starts that are the same for every image: (n, h, w) bool, n = 4."""
    height, width = image.shape[:2]
    x = np.abs((np.arange(width) + 0.5) / width * 2 - 1)[None, :]
    y = np.abs((np.arange(height) + 0.5) / height * 2 - 1)[:, None]
    box, circle = np.maximum(x, y), x**2 + y**2
    starts = [(box <= extent, box > background, rounds) for extent, background, rounds in FRAMES]
    starts += [(circle < radius**2, box > background, rounds) for radius, background, rounds in ELLIPSES]
    return np.stack([grab_cut(image, inside, background, rounds) for inside, background, rounds in starts])


def grab_cut(
    image: ImageArray, inside: NDArray[np.bool_], background: NDArray[np.bool_] | None = None, rounds: int = 3
) -> NDArray[np.bool_]:
    """GrabCut from a first guess ``inside``; ``background`` stays outside: (h, w) bool.

    Without two colours, or with fewer than 8 pixels inside or outside, there is no colour model and the guess stays.
    The random numbers of OpenCV belong to the thread and are seeded here, so the same input gives the same mask.
    """
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    if background is not None:
        labels[background] = cv2.GC_BGD
    guess = labels == cv2.GC_PR_FGD
    if min(guess.sum(), (~guess).sum()) < 8 or not np.ptp(image, axis=(0, 1)).any():
        return guess
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(image), labels, None, *models, rounds, cv2.GC_INIT_WITH_MASK)
    return labels == cv2.GC_PR_FGD


def largest_parts(mask: NDArray[np.bool_], share: float = 0.1) -> NDArray[np.bool_]:
    """The mask without the parts smaller than ``share`` of its largest one."""
    count, part, measures, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count <= 2:
        return mask
    areas = measures[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return (areas >= share * areas.max())[part]


def parts_with(mask: NDArray[np.bool_], points: NDArray) -> NDArray[np.bool_]:
    """The connected parts of the mask that hold one of ``points``, (n, 2) of (x, y) in its pixels; all if none does."""
    part = cv2.connectedComponents(mask.astype(np.uint8))[1]
    height, width = mask.shape
    columns, rows = np.clip(np.floor(points).astype(np.intp), 0, (width - 1, height - 1)).T
    held = np.setdiff1d(part[rows, columns], 0)
    return np.isin(part, held) if held.size else mask


def outline_contrast(masks: NDArray[np.bool_], image: ImageArray) -> NDArray[np.float32]:
    """How sharp the steps are along the outline of each (n, h, w) mask, next to the mean step: (n,) in [0, 1]."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    across = np.linalg.norm(np.diff(lab, axis=1), axis=2)
    down = np.linalg.norm(np.diff(lab, axis=0), axis=2)
    usual = across.mean() + down.mean() + 1e-6
    parted = ((masks[:, :, 1:] != masks[:, :, :-1], across), (masks[:, 1:] != masks[:, :-1], down))
    sharp = sum((outline * (1 - np.exp(-steps / usual))).sum((1, 2)) for outline, steps in parted)
    length = sum(outline.sum((1, 2)) for outline, _ in parted)
    return (sharp / (length + 1e-6)).astype(np.float32)


def soft_iou(masks: NDArray[np.bool_], probability: NDArray, area: NDArray | None = None) -> NDArray[np.float32]:
    """Intersection over union of masks (n, ...) with a foreground probability (...) in [0, 1]: (n,) in [0, 1].

    ``area`` (...) is what each element covers, as where they are superpixels; without it they are pixels.
    """
    flat, mass = masks.reshape(len(masks), -1), (probability if area is None else area * probability).ravel()
    size = flat.sum(axis=1) if area is None else flat @ area.ravel()
    inside = flat.astype(mass.dtype) @ mass
    return (inside / (size + mass.sum() - inside + 1e-9)).astype(np.float32)


def without_holes(mask: NDArray[np.bool_], share: float = 0.05) -> NDArray[np.bool_]:
    """The mask with every hole filled that has less than ``share`` of the mask's pixels."""
    around = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    count, part, measures, _ = cv2.connectedComponentsWithStats(around, connectivity=4)
    if count <= 2:  # the mask, and what is around it
        return mask
    hole = (around > 0) & (part != part[0, 0]) & (measures[:, cv2.CC_STAT_AREA] < share * mask.sum())[part]
    return mask | hole[1:-1, 1:-1]


def separate_parts(mask: NDArray[np.bool_], share: float = 0.08, most: int = 4) -> list[NDArray[np.bool_]]:
    """Connected parts of a mask that falls apart, the largest first: those with ``share`` of the largest; else none."""
    count, part, measures, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count <= 2:
        return []
    areas = measures[1:, cv2.CC_STAT_AREA]
    order = np.argsort(-areas, kind="stable")[:most]
    return [part == each + 1 for each in order if areas[each] >= share * areas.max()]
