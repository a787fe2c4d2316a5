"""What a result says of its mask and instances."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import geometry, viz
from ipseg.core.result import Instance, Result
from ipseg.core.types import Points, Similarity

SIZE = (6, 8)
FRAME = geometry.squash_frame(SIZE, (3, 4))
POINTS = Points(np.array([[1.25, 2.126]], np.float32), np.array([[7, 5]], np.float32))
PICTURE = np.full((*SIZE, 3), 100, np.uint8)


def box(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def result(found: bool = True, instances=(), similarity=None, score: float = 0.71236) -> Result:
    return Result(PICTURE, box(1, 1, 4, 4), found, score, 0.5, POINTS, similarity, {"mask": 0.123456}, instances)


PAIR = (Instance(box(0, 0, 2, 3), POINTS, 0.9), Instance(box(4, 2, 8, 6), POINTS, 0.61239))


def test_instances_are_numbered_from_one():
    expected = PAIR[0].mask * 1 + PAIR[1].mask * 2
    labels = result(instances=PAIR).labels()
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(result(instances=PAIR).all_instances, expected > 0)
    assert not result().labels().any()
    assert not result().all_instances.any()


def test_the_record_is_plain_rounded_data():
    assert result(instances=PAIR).record() == {
        "found": True,
        "score": 0.7124,
        "threshold": 0.5,
        "positive_points": [[1.25, 2.13]],
        "negative_points": [[7.0, 5.0]],
        "instances": [
            {"score": 0.9, "pixels": 6, "box": [0, 0, 2, 3]},  # left, top, right, bottom; the last two outside
            {"score": 0.6124, "pixels": 16, "box": [4, 2, 8, 6]},
        ],
        "seconds": {"mask": 0.1235},
    }
    assert "instances" not in result().record()


def test_the_overlay_shows_a_guess_in_grey():
    sure, guess = (result(found).overlay(points=False) for found in (True, False))
    assert np.ptp(sure[2, 2].astype(int)) > 20
    assert np.ptp(guess[2, 2].astype(int)) < np.ptp(sure[2, 2].astype(int))
    assert viz.MASK != viz.GUESS
    assert np.ptp(sure[5, 7]) == 0  # outside it is grey, and darker
    assert sure[5, 7, 0] < PICTURE[5, 7, 0]
    assert (result().overlay() != sure).any()  # the points
    assert result(instances=PAIR).overlay_instances().shape == PICTURE.shape


def test_the_cut_out_is_transparent_outside_the_mask():
    cut = result().cut_out()
    np.testing.assert_array_equal(cut[..., 3] > 0, result().mask)


def test_the_similarity_is_brought_to_the_pixels():
    with pytest.raises(ValueError, match="a method that has none"):
        result().similarity_map()
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    made = result(similarity=Similarity(values, np.ones((3, 4), bool), FRAME))
    shown = made.similarity_map()
    assert shown.shape == SIZE
    assert shown[0, 0] == 0
    assert shown[-1, -1] == 11
    np.testing.assert_allclose(shown[0, 1:3], [0.25, 0.75])  # bilinear between the centres of two cells
    assert made.heat_map().shape == PICTURE.shape
