"""Metrics, each named after its protocol."""

from __future__ import annotations

import numpy as np

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


def area_under_curve(present: list[float], absent: list[float]) -> float:
    """The area under the ROC curve: the probability that a score of ``present`` is above one of ``absent``, ties half.

    Raises ValueError when either list is empty.
    """
    if not present or not absent:
        raise ValueError("expected at least one score of each kind")
    higher, lower = np.asarray(present)[:, None], np.asarray(absent)[None, :]
    return float(((higher > lower) + 0.5 * (higher == lower)).mean())
