"""Metrics, each named after its protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import Mask

BOUND = 0.008  # of the diagonal: how far boundaries of DAVIS may lie apart and match


@dataclass(frozen=True)
class Pixels:
    """The pixels of one prediction that every metric but boundary F is computed from; ignored ones are in none."""

    intersection: int  # predicted and true
    union: int  # predicted or true
    truth: int  # true
    outside_intersection: int  # neither predicted nor true
    outside_union: int  # not both

    @property
    def iou(self) -> float:
        """Intersection over union, 1 where both masks are empty."""
        return self.intersection / self.union if self.union else 1.0


def count(predicted: Mask, truth: Mask, ignored: Mask | None = None) -> Pixels:
    """The pixels of two (H, W) bool masks without those of ``ignored``. Raises ValueError when the shapes differ."""
    if predicted.shape != truth.shape or (ignored is not None and ignored.shape != truth.shape):
        raise ValueError(f"expected masks of one size, got {predicted.shape} and {truth.shape}")
    if ignored is not None:
        predicted, truth = predicted[~ignored], truth[~ignored]
    both, either, true = (int(np.count_nonzero(each)) for each in (predicted & truth, predicted | truth, truth))
    return Pixels(both, either, true, predicted.size - either, predicted.size - both)


def boundary_f(predicted: Mask, truth: Mask, bound: float = BOUND) -> float:
    """The boundary F of two (H, W) bool masks, in [0, 1]; 1 for two masks without a boundary.

    As ``davis2017/metrics.py`` of the released evaluation has it: precision and recall of boundary pixels that lie
    within ``bound`` times the diagonal, rounded up, of the other mask's boundary. Raises ValueError when the shapes
    differ.
    """
    from skimage.morphology import disk  # here, as the page imports this module, and has no use for it

    if predicted.shape != truth.shape:
        raise ValueError(f"expected masks of one size, got {predicted.shape} and {truth.shape}")
    near = disk(int(np.ceil(bound * np.linalg.norm(truth.shape)))).astype(np.uint8)
    ours, theirs = _boundary(predicted), _boundary(truth)
    lengths = np.count_nonzero(ours), np.count_nonzero(theirs)
    if not any(lengths):
        return 1.0
    if not all(lengths):
        return 0.0
    precision, recall = (
        np.count_nonzero(one & cv2.dilate(other.astype(np.uint8), near).astype(bool)) / length
        for one, other, length in ((ours, theirs, lengths[0]), (theirs, ours, lengths[1]))
    )
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def _boundary(mask: Mask) -> Mask:
    """(H, W) bool: where a pixel differs from the one to its right, below it, or right below it."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    right, below, diagonal = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    return (mask ^ right) | (mask ^ below) | (mask ^ diagonal)


def resized(mask: Mask, side: int) -> Mask:
    """An (H, W) mask squashed to a square of ``side`` pixels, nearest: pixel i is that of i * H / side, rounded down.

    The rule of ``torch.nn.functional.interpolate(mode="nearest")``, which the released few-shot scripts use.
    """
    rows, columns = (np.arange(side) * (length / side) for length in mask.shape)
    return mask[rows.astype(int)[:, None], columns.astype(int)[None, :]]


def area_under_curve(
    present: Sequence[float] | NDArray[np.floating], absent: Sequence[float] | NDArray[np.floating]
) -> float:
    """The area under the ROC curve: the probability that a score of ``present`` is above one of ``absent``, ties half.

    Both are (n,) finite scores, of any range. Raises ValueError when either is empty.
    """
    from sklearn.metrics import roc_auc_score

    if not len(present) or not len(absent):
        raise ValueError("expected at least one score of each kind")
    return float(roc_auc_score(np.repeat([1, 0], [len(present), len(absent)]), np.concatenate([present, absent])))
