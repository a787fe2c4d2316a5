"""Metrics, held to algebra."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.evaluation import metrics
from ipseg.evaluation.metrics import area_under_curve


def square(top: int, left: int, side: int = 10) -> np.ndarray:
    mask = np.zeros((40, 50), bool)
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize(
    ("present", "absent", "area"),
    [
        ([0.9, 0.8], [0.1, 0.2, 0.3], 1),
        ([0.1], [0.9, 0.8], 0),
        ([0.5, 0.5], [0.5], 0.5),
        ([0.9, 0.4], [0.5, 0.3], 0.75),  # 3 of the 4 pairs are in order
        ([0.9, 0.5], [0.5, 0.1], 0.875),  # 3 in order, 1 tie
    ],
)
def test_area_under_curve_by_hand(present, absent, area):
    assert area_under_curve(present, absent) == pytest.approx(area)


def test_area_under_curve_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    present, absent = rng.integers(3, 12, 40) / 12, rng.integers(0, 9, 60) / 12
    higher, lower = present[:, None], absent[None]
    expected = ((higher > lower) + 0.5 * (higher == lower)).mean()
    assert area_under_curve(list(present), list(absent)) == pytest.approx(expected)
    assert area_under_curve(np.float32(present), np.float32(absent)) == pytest.approx(expected)


def test_pixels_by_hand():
    predicted, truth, ignored = (np.array([row], bool) for row in ([1, 1, 0, 0, 1], [1, 0, 1, 0, 0], [0, 0, 0, 0, 1]))
    found = metrics.count(predicted, truth, ignored)
    assert found == metrics.Pixels(1, 3, 2, 1, 3)
    assert found.iou == 1 / 3
    assert metrics.count(predicted & False, truth & False).iou == 1
    for wrong in ((predicted[:, 1:], truth, None), (predicted, truth, ignored[:, 1:])):
        with pytest.raises(ValueError, match="one size"):
            metrics.count(*wrong)


def test_the_boundary_f_by_hand():
    one = square(10, 10)
    edge = one ^ np.roll(one, -1, 1) | one ^ np.roll(one, -1, 0) | one ^ np.roll(one, (-1, -1), (0, 1))
    assert metrics.boundary_f(one, one) == 1
    assert metrics.boundary_f(one & False, one & False) == 1
    assert metrics.boundary_f(one, one & False) == metrics.boundary_f(one & False, one) == 0
    far = square(10, 10)
    far[:, 15:] = False
    part = one & far
    tight = metrics.boundary_f(part, one, bound=0.0)
    ours = part ^ np.roll(part, -1, 1) | part ^ np.roll(part, -1, 0) | part ^ np.roll(part, (-1, -1), (0, 1))
    precision, recall = (ours & edge).sum() / ours.sum(), (ours & edge).sum() / edge.sum()
    assert 0 < recall < precision < 1
    assert tight == pytest.approx(2 * precision * recall / (precision + recall))
    assert metrics.boundary_f(part, one, bound=1.0) == 1
    with pytest.raises(ValueError, match="one size"):
        metrics.boundary_f(one, one.T)


def test_boundaries_match_within_eight_pixels_of_an_image_of_davis():
    """0.008 of the diagonal of 854x480 pixels is 7.8, rounded up."""
    truth = np.zeros((480, 854), bool)
    truth[:, :400] = True
    for shift, expected in ((8, 1), (9, 0)):
        assert metrics.boundary_f(np.roll(truth, shift, 1) | truth, truth) == expected


def test_a_mask_is_resized_to_the_pixels_at_whole_shares():
    mask = np.array([[1, 0, 0, 1], [0, 1, 1, 0]], bool)
    np.testing.assert_array_equal(metrics.resized(mask, 2), mask[:, ::2])
    np.testing.assert_array_equal(metrics.resized(mask, 4), mask.repeat(2, axis=0))
    np.testing.assert_array_equal(metrics.resized(mask, 3), mask[[0, 0, 1]][:, [0, 1, 2]])


def test_area_under_curve_of_nothing():
    for present, absent in (([], [0.5]), ([0.5], [])):
        with pytest.raises(ValueError, match="at least one score of each kind"):
            area_under_curve(present, absent)
