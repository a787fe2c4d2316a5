"""The segmenter without weights: what it makes of priors, logits, points and boxes."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import plugins
from ipseg.core.types import Points

NONE = np.empty((0, 2), np.float32)
NOWHERE = Points(NONE, NONE)
SIZE = (48, 64)


@pytest.fixture(scope="module")
def segmenter():
    return plugins.build("segmenters", "graphcut")


@pytest.fixture(scope="module")
def shown(make_scene):
    return make_scene(*SIZE)


@pytest.fixture(scope="module")
def encoding(segmenter, shown):
    return segmenter.encode(shown[0])


def iou(mask, truth) -> float:
    return (mask & truth).sum() / (mask | truth).sum()


def odds(mask, strength: float = 2.0):
    return np.where(mask, strength, -strength).astype(np.float32)


def test_it_says_what_it_takes(segmenter):
    assert segmenter.accepts_prior
    assert not segmenter.is_sam


def test_a_prior_is_cut_as_it_stands(segmenter, encoding, shown):
    answer = segmenter.predict(encoding, NOWHERE, prior=odds(shown[1]))
    assert len(answer.masks) == 1
    assert iou(answer.masks[0], shown[1]) > 0.9
    sure = segmenter.predict(encoding, NOWHERE, prior=odds(shown[1], 8.0))
    assert 0.95 < sure.scores[0] <= 1
    assert answer.scores[0] < sure.scores[0]  # a soft intersection over union
    wrong = segmenter.predict(encoding, NOWHERE, prior=odds(~shown[1]))
    assert iou(wrong.masks[0], shown[1]) < 0.1


def test_candidates_come_best_first_and_the_best_fits_the_prior(segmenter, encoding, shown):
    answer = segmenter.predict(encoding, NOWHERE, prior=odds(shown[1]), several=True)
    assert len(answer.masks) > 1
    assert (np.diff(answer.scores) <= 0).all()
    assert iou(answer.masks[0], shown[1]) > 0.8
    assert len({mask.tobytes() for mask in answer.logits > 0}) == len(answer.masks)
    assert set(np.unique(answer.logits)) == {-4, 4}


def test_its_own_logits_lead_to_the_same_mask(segmenter, encoding, shown):
    first = segmenter.predict(encoding, NOWHERE, prior=odds(shown[1]))
    again = segmenter.predict(encoding, NOWHERE, mask_logits=first.logits[0])
    np.testing.assert_array_equal(first.masks, again.masks)


def test_a_prior_and_logits_together_are_refused(segmenter, encoding, shown):
    with pytest.raises(ValueError, match="expected mask_logits or a prior, got both"):
        segmenter.predict(encoding, NOWHERE, mask_logits=odds(shown[1]), prior=odds(shown[1]))


def test_points_alone_find_what_they_stand_on(segmenter, encoding, shown):
    y, x = (axis.mean() + 0.5 for axis in np.nonzero(shown[1]))
    corners = np.array([[2, 2], [61, 45], [2, 45], [61, 2]], np.float32)
    answer = segmenter.predict(encoding, Points(np.array([[x, y]], np.float32), corners))
    assert iou(answer.masks[0], shown[1]) > 0.7


def test_points_correct_the_logits_around_them(segmenter, encoding, shown):
    y, x = (axis.mean() + 0.5 for axis in np.nonzero(shown[1]))
    there = np.array([[x, y]], np.float32)
    nothing = odds(np.zeros(SIZE, bool))
    added = segmenter.predict(encoding, Points(there, NONE), mask_logits=nothing).masks[0]
    assert iou(added, shown[1]) > 0.7
    removed = segmenter.predict(encoding, Points(NONE, there), mask_logits=odds(shown[1])).masks[0]
    assert iou(removed, shown[1]) < 0.3
    assert not removed[int(y), int(x)]


def test_nothing_lies_outside_a_box(segmenter, encoding, shown):
    everywhere = odds(np.ones(SIZE, bool))
    mask = segmenter.predict(encoding, NOWHERE, prior=everywhere, box=(10.0, 10.0, 30.0, 30.0)).masks[0]
    assert mask[14:26, 14:26].all()
    assert not mask[:6].any()
    assert not mask[36:].any()


def test_a_box_alone_says_where_the_object_is(segmenter, encoding, shown):
    rows, columns = np.flatnonzero(shown[1].any(1)), np.flatnonzero(shown[1].any(0))
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    for several in (True, False):
        assert iou(segmenter.predict(encoding, NOWHERE, box=box, several=several).masks[0], shown[1]) > 0.8
    elsewhere = segmenter.predict(encoding, NOWHERE, box=(0.0, 0.0, 9.0, 9.0)).masks[0]
    assert not (elsewhere & shown[1]).any()
