"""What a result says of its mask and instances."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ipseg.core import geometry, viz
from ipseg.core.result import Instance, Result
from ipseg.core.status import Status
from ipseg.core.types import Points, Similarity

SIZE = (6, 8)
FRAME = geometry.squash_frame(SIZE, (3, 4))
POINTS = Points(np.array([[1.25, 2.126]], np.float32), np.array([[7, 5]], np.float32))
IMAGE = np.full((*SIZE, 3), 100, np.uint8)


def box(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


def result(status: Status = Status.DETECTED, instances=(), similarity=None, score: float = 0.71236) -> Result:
    return Result(IMAGE, box(1, 1, 4, 4), status, score, 0.5, 0.25, POINTS, similarity, {"mask": 0.123456}, instances)


PAIR = (
    Instance(box(0, 0, 2, 3), POINTS, 0.9, Status.DETECTED),
    Instance(box(4, 2, 8, 6), POINTS, 0.41239, Status.UNCERTAIN),
)


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
        "status": "detected",
        "score": 0.7124,
        "threshold": 0.5,
        "reject_threshold": 0.25,
        "positive_points": [[1.25, 2.13]],
        "negative_points": [[7.0, 5.0]],
        "instances": [
            {
                "status": "detected",
                "score": 0.9,
                "pixels": 6,
                "box": [0, 0, 2, 3],
            },  # left, top, right, bottom; the last two outside
            {"status": "uncertain", "score": 0.4124, "pixels": 16, "box": [4, 2, 8, 6]},
        ],
        "seconds": {"mask": 0.1235},
    }
    assert "instances" not in result().record()


def test_only_a_detected_or_uncertain_object_has_a_mask_to_write():
    np.testing.assert_array_equal(result(Status.DETECTED).answer_mask, box(1, 1, 4, 4))
    np.testing.assert_array_equal(result(Status.UNCERTAIN).answer_mask, box(1, 1, 4, 4))
    assert not result(Status.NOT_DETECTED).answer_mask.any()
    assert result(Status.NOT_DETECTED).mask.any()  # the best guess stays


def test_the_overlay_shows_each_state_in_its_colour():
    sure, uncertain, guess = (result(status).overlay(points=False) for status in Status)
    for shown, colour in ((sure, viz.MASK), (uncertain, viz.UNCERTAIN)):
        np.testing.assert_array_equal(shown, viz.overlay(IMAGE, box(1, 1, 4, 4), colour=colour))
    np.testing.assert_array_equal(guess, viz.overlay_of(IMAGE, box(1, 1, 4, 4), Status.NOT_DETECTED))
    assert len({viz.MASK, viz.UNCERTAIN, viz.GUESS}) == 3
    assert np.ptp(sure[5, 7]) == 0  # outside it is grey, and darker
    assert sure[5, 7, 0] < IMAGE[5, 7, 0]
    assert (result().overlay() != sure).any()  # the points
    assert result(instances=PAIR).overlay_instances().shape == IMAGE.shape


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
    assert made.heat_map().shape == IMAGE.shape


def test_a_result_prints_in_one_short_line():
    text = repr(result(instances=PAIR))
    assert text == (
        "Result(status='detected', score=0.71, mask=(6, 8) bool, 18.8% of the image, "
        "points=1 positive and 1 negative, instances=2, seconds=0.12)"
    )
    assert repr(PAIR[0].points) == "Points(positive=(1, 2) float32, negative=(1, 2) float32)"


@pytest.mark.parametrize("instances", [(), PAIR])
def test_a_notebook_shows_the_mask_or_every_instance(instances):
    shown = result(instances=instances)
    decoded = np.asarray(Image.open(io.BytesIO(shown._repr_png_())))
    np.testing.assert_array_equal(decoded, shown.overlay_instances() if instances else shown.overlay())
