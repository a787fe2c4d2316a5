"""Intersection over union, held to algebra."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core.masks import iou


def square(top: int, left: int, side: int = 10) -> np.ndarray:
    mask = np.zeros((40, 50), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_iou_by_algebra():
    assert iou(square(5, 5), square(5, 5)) == 1
    assert iou(square(5, 5), square(20, 20)) == 0
    assert iou(square(5, 5), square(5, 6)) == pytest.approx(90 / 110)  # shifted by one
    assert iou(square(5, 5), square(6, 6)) == pytest.approx(81 / 119)
    assert iou(square(5, 5), square(5, 5, 20)) == pytest.approx(1 / 4)
    assert iou(square(5, 5, 20), square(5, 5)) == pytest.approx(1 / 4)
    assert type(iou(square(5, 5), square(5, 6))) is float


def test_iou_of_empty_masks():
    empty = np.zeros((40, 50), bool)
    assert iou(empty, empty) == 1
    assert iou(empty, square(5, 5)) == iou(square(5, 5), empty) == 0
    assert iou(~empty, ~empty) == 1


def test_ignored_pixels_count_for_neither():
    border = square(5, 5, 20) & ~square(7, 7, 16)
    assert iou(square(5, 5, 20), square(7, 7, 16), border) == 1
    assert iou(square(7, 7, 16), square(7, 7, 16), border) == 1
    assert iou(square(7, 7, 8), square(7, 7, 16), border) == pytest.approx(1 / 4)
    assert iou(square(5, 5, 20), square(7, 7, 16)) == pytest.approx(256 / 400)
    with pytest.raises(ValueError, match="one size"):
        iou(square(5, 5), square(5, 5), border.T)


def test_iou_of_two_sizes():
    with pytest.raises(ValueError, match=r"one size, got \(40, 50\) and \(50, 40\)"):
        iou(square(5, 5), square(5, 5).T)
