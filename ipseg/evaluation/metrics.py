"""Metrics, each named after its protocol."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import Mask


def iou(predicted: Mask, truth: Mask, ignored: Mask | None = None) -> float:
    """Intersection over union of two (H, W) bool masks at the image's own size, in [0, 1]; 1 for two empty masks.

    Pixels of ``ignored``, (H, W) bool, are left out of both (the border of PASCAL VOC's truths). Raises ValueError when
    the shapes differ.
    """
    if predicted.shape != truth.shape or (ignored is not None and ignored.shape != truth.shape):
        raise ValueError(f"expected masks of one size, got {predicted.shape} and {truth.shape}")
    if ignored is not None:
        predicted, truth = predicted & ~ignored, truth & ~ignored
    union = np.count_nonzero(predicted | truth)
    return float(np.count_nonzero(predicted & truth) / union) if union else 1.0


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
