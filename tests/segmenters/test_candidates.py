"""The segmenter around a salient-object network, on a stand-in network that knows one colour, and by hand."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from ipseg.classical import crops
from ipseg.core import cache, plugins, serialize
from ipseg.core.types import Points
from ipseg.segmenters import candidates
from ipseg.segmenters.candidates import CandidateSegmenter, Settings

NONE = np.empty((0, 2), np.float32)
NOWHERE = Points(NONE, NONE)
SIZE = (96, 160)
FIRST, SECOND = (20, 30, 60, 70), (100, 30, 140, 70)  # (left, top, right, bottom) of two red squares


class Red:
    """Red is salient; it counts its passes."""

    def __init__(self):
        self.boxes = []

    def gamma(self, image):
        return 1.0

    def low(self, image, name=""):
        return crops.resize((image[..., 0] > 150).astype(np.float32), (320, 320))

    def crop(self, image, box, side, gamma):
        self.boxes.append(box)
        left, top, right, bottom = box
        return crops.resize((image[top:bottom, left:right, 0] > 150).astype(np.float32), (side, side))


def square(box, size=SIZE):
    made = np.zeros(size, bool)
    left, top, right, bottom = box
    made[top:bottom, left:right] = True
    return made


@pytest.fixture
def segmenter():
    return CandidateSegmenter(Red(), Settings())


@pytest.fixture
def encoding(segmenter):
    image = np.full((*SIZE, 3), 60, np.uint8)
    image[square(FIRST) | square(SECOND)] = (220, 40, 30)
    return segmenter.encode(image)


def prior(box, grid=(24, 40), strength=3.0):
    return np.where(square(box)[2::4, 2::4], strength, -strength).astype(np.float32)


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def best(segmenter, encoding, **prompts):
    """As the refinement has it: candidates, then the outline of the first."""
    points = prompts.pop("points", NOWHERE)
    found = segmenter.predict(encoding, points, several=True, **prompts)
    return segmenter.predict(encoding, NOWHERE, mask_logits=found.logits[0]).masks[0]


def test_the_similar_one_of_two_salient_objects(segmenter, encoding):
    for box, other in ((FIRST, SECOND), (SECOND, FIRST)):
        mask = best(segmenter, encoding, prior=prior(box))
        assert iou(mask, square(box)) > 0.85
        assert not (mask & square(other)).any()
        alone = segmenter.predict(encoding, NOWHERE, prior=prior(box))
        np.testing.assert_array_equal(alone.masks[0], mask)


def test_only_the_shape_of_a_prior_counts(segmenter, encoding):
    mask = best(segmenter, encoding, prior=prior(FIRST))
    np.testing.assert_array_equal(best(segmenter, encoding, prior=100 + prior(FIRST, strength=9)), mask)


def test_a_flat_prior_leaves_the_saliency_of_the_image(segmenter, encoding):
    mask = best(segmenter, encoding, prior=np.zeros((24, 40), np.float32))
    assert iou(mask, square(FIRST) | square(SECOND)) > 0.85
    assert segmenter.network.boxes == []


def test_crops_are_computed_once_for_a_prompt_and_an_image(segmenter, encoding):
    found = segmenter.predict(encoding, NOWHERE, prior=prior(FIRST), several=True)
    passes = len(segmenter.network.boxes)
    assert passes > 0
    points = Points(np.float32([[40, 50]]), NONE)
    segmenter.predict(encoding, points, prior=prior(FIRST), several=True)
    segmenter.predict(encoding, points, mask_logits=found.logits[0])
    assert len(segmenter.network.boxes) == passes
    segmenter.predict(encoding, NOWHERE, prior=prior(SECOND), several=True)
    assert len(segmenter.network.boxes) > passes


def test_candidates_without_a_positive_point_come_last(segmenter, encoding):
    there = Points(np.float32([[120, 50]]), NONE)  # on the second, where the similarity is on the first
    found = segmenter.predict(encoding, there, prior=prior(FIRST), several=True)
    held = found.masks[:, 50, 120]
    assert held[0]
    assert (np.diff(found.scores) <= 0).all()
    assert (found.scores[held] >= 0).all()
    assert (found.scores[~held] < 0).all()


def test_points_alone_and_boxes_alone(segmenter, encoding):
    point = Points(np.float32([[40, 50]]), NONE)
    assert iou(best(segmenter, encoding, points=point), square(FIRST)) > 0.85
    assert iou(best(segmenter, encoding, box=(95, 25, 145, 75)), square(SECOND)) > 0.85
    assert not segmenter.predict(encoding, NOWHERE).masks.any()
    boxed = best(segmenter, encoding, prior=prior((20, 30, 140, 70)), box=(90, 20, 150, 80))
    assert iou(boxed, square(SECOND)) > 0.85
    logits = segmenter.predict(encoding, NOWHERE, prior=np.zeros((24, 40), np.float32)).logits[0]
    cut = segmenter.predict(encoding, NOWHERE, mask_logits=logits, box=(0, 0, 80, 96)).masks[0]
    assert iou(cut, square(FIRST)) > 0.85


def test_clicks_correct_the_logits(segmenter, encoding):
    logits = segmenter.predict(encoding, NOWHERE, prior=prior(FIRST)).logits[0]
    both = segmenter.predict(encoding, Points(np.float32([[120, 50]]), NONE), mask_logits=logits)
    assert iou(both.masks[0], square(FIRST) | square(SECOND)) > 0.8
    back = segmenter.predict(encoding, Points(NONE, np.float32([[120, 50]])), mask_logits=both.logits[0])
    assert iou(back.masks[0], square(FIRST)) > 0.8


def test_what_stands_out_is_proposed_without_a_prompt(segmenter, encoding):
    found = segmenter.proposals(encoding)
    assert len(found) == 2
    for proposal in found:
        assert not proposal.parts
        mask = segmenter.predict(encoding, NOWHERE, mask_logits=proposal.logits).masks[0]
        assert max(iou(mask, square(FIRST)), iou(mask, square(SECOND))) > 0.9
    assert segmenter.proposals(encoding) is found  # computed once


def test_a_region_with_a_neck_is_proposed_with_its_parts(segmenter):
    image = np.full((*SIZE, 3), 60, np.uint8)
    neck = (60, 46, 100, 54)
    image[square(FIRST) | square(SECOND) | square(neck)] = (220, 40, 30)
    (proposal,) = segmenter.proposals(segmenter.encode(image))
    assert len(proposal.parts) >= 2
    inside = proposal.logits > 0
    assert all(((part > 0) & ~inside).sum() < 0.2 * (part > 0).sum() for part in proposal.parts)


def test_two_maps_at_once_are_refused(segmenter, encoding):
    with pytest.raises(ValueError, match="got both"):
        segmenter.predict(encoding, NOWHERE, prior=prior(FIRST), mask_logits=prior(FIRST))


def test_encodings_travel_and_are_counted(segmenter, encoding):
    again = serialize.unpack(serialize.pack(encoding))
    np.testing.assert_array_equal(
        best(segmenter, again, prior=prior(FIRST)), best(segmenter, encoding, prior=prior(FIRST))
    )
    assert cache.nbytes(encoding) == encoding.image.nbytes + encoding.low.nbytes + encoding.saliency.nbytes
    small = CandidateSegmenter(Red(), Settings(image_side=80)).encode(np.zeros((*SIZE, 3), np.uint8))
    assert (small.size, small.image.shape) == (SIZE, (48, 80, 3))


def test_two_threads_at_once_get_the_same_masks(segmenter, encoding):
    def ask(box):
        return segmenter.predict(encoding, NOWHERE, prior=prior(box), several=True).logits.tobytes()

    boxes = [FIRST, SECOND] * 4
    alone = [ask(box) for box in boxes]
    with ThreadPoolExecutor(2) as pool:
        other = CandidateSegmenter(Red(), Settings())
        segmenter = other
        assert list(pool.map(ask, boxes)) == alone


# The steps, by hand.


def locate(near, saliency, crop_of, size=SIZE, **settings):
    fine = crops.resize(near, saliency.shape)
    return candidates.located(near, fine, saliency, size, crop_of, Settings(**settings))


def test_a_crop_grows_where_the_object_touches_its_border():
    asked = []
    object_ = square((20, 30, 120, 50))

    def crop_of(box):
        asked.append(box)
        left, top, right, bottom = box
        return object_[top:bottom, left:right].astype(np.float32)

    near = square((20, 30, 60, 50))[2::4, 2::4].astype(np.float32)
    nothing = np.zeros(SIZE, np.float32)
    found = locate(near, nothing, crop_of)
    assert len(asked) > 2
    for before, after in pairwise(asked):  # to the right alone: the object has its left, upper and lower edge inside
        assert after[2] > before[2]
        assert (after[0], after[1], after[3]) == (before[0], before[1], before[3])
    assert asked[-1][2] > 120  # the object ends inside the last crop
    np.testing.assert_array_equal(found > 0.5, object_ > 0)
    first = asked[0]
    asked.clear()
    locate(near, nothing, crop_of, touch=1.0)
    assert asked == [first]
    asked.clear()
    assert not (locate(near, nothing, crop_of, growths=1) > 0.5)[40, 110]
    assert len(asked) == 2


def test_a_crop_that_would_be_too_large_gives_way_to_the_saliency_of_the_whole_image():
    near = square((50, 30, 100, 70))[2::4, 2::4].astype(np.float32)

    def crop_of(box):
        return np.ones((box[3] - box[1], box[2] - box[0]), np.float32)

    whole = locate(near, np.ones(SIZE, np.float32), crop_of, largest=0.3, step=1.0)
    assert (whole > 0.5).all()  # the object fills the image


def test_a_wider_crop_that_shows_something_else_is_not_taken():
    near = square((50, 30, 100, 70))[2::4, 2::4].astype(np.float32)
    object_, other = square((50, 30, 100, 70)).astype(np.float32), square((0, 0, 160, 35)).astype(np.float32)
    asked = []

    def crop_of(box):
        asked.append(box)
        shown = np.maximum(object_, square((75, 30, 160, 50))) if len(asked) == 1 else other
        return shown[box[1] : box[3], box[0] : box[2]]

    found = locate(near, np.zeros(SIZE, np.float32), crop_of)
    assert len(asked) == 2
    assert (found > 0.5)[60, 60]  # as the first crop has it
    assert not (found > 0.5)[10, 10]
    found = locate(near, other, lambda box: np.ones((box[3] - box[1], box[2] - box[0])), largest=0.3, step=1.0)
    assert not (found > 0.5)[10, 10]  # nor the whole image's saliency


def test_agreement_of_two_maps_inside_of_a_box():
    first, second = square((0, 0, 20, 20)).astype(np.float32), square((10, 0, 30, 20)).astype(np.float32)
    assert candidates.agreement(first, second, (0, 0, 40, 40)) == pytest.approx(1 / 3)
    assert candidates.agreement(first, second, (10, 0, 20, 20)) == 1
    assert candidates.agreement(first, second, (50, 50, 60, 60)) == 0


def test_salient_parts_are_joined_only_where_the_crop_is_touched():
    near = square((20, 30, 60, 50))[2::4, 2::4].astype(np.float32)
    whole = square((20, 30, 150, 50)).astype(np.float32)

    def crop_of(box):
        return whole[box[1] : box[3], box[0] : box[2]]

    similar = np.maximum(near, 0.3)
    assert locate(similar, whole, crop_of, growths=0)[40, 145] == 1
    assert locate(near, whole, crop_of, growths=0)[40, 145] == 0  # not similar
    assert locate(similar, whole, crop_of, growths=0, touch=1.0)[40, 145] == 0


def test_the_level_rises_while_the_region_is_too_large():
    near = np.full((24, 40), 0.55, np.float32)
    near[8:16, 10:20] = 0.7
    settings = Settings()
    box = candidates.region(near, SIZE, settings)
    assert box is not None
    assert crops.area(box) < 0.5 * SIZE[0] * SIZE[1]
    assert candidates.region(np.full((24, 40), 0.9, np.float32), SIZE, settings) is None
    assert candidates.region(np.zeros((24, 40), np.float32), SIZE, settings) is None
    saliency = np.full(SIZE, 0.25, np.float32)
    assert locate(np.zeros((24, 40), np.float32), saliency, None) is saliency


def test_the_chosen_mask_as_a_probability_and_its_outline():
    size = (320, 320)
    chosen, soft = square((40, 40, 80, 80), size), np.full(size, 0.4, np.float32)
    soft[50, 50] = 0.9
    found = candidates.soft_mask(chosen, soft)
    assert found[50, 50] == np.float32(0.9)
    assert found[40, 40] == np.float32(0.6)
    assert found[38, 38] == np.float32(0.4)  # two pixels around it
    assert found[37, 40] == 0
    for settings, box in ((Settings(), (38, 38, 82, 82)), (Settings(outline=0.5), (40, 40, 80, 80))):
        segmenter = CandidateSegmenter(Red(), settings)
        encoding = segmenter.encode(np.zeros((*size, 3), np.uint8))
        mask = segmenter.predict(encoding, NOWHERE, mask_logits=candidates.logits(found)).masks[0]
        np.testing.assert_array_equal(mask, square(box, size))


def test_log_odds_and_points():
    np.testing.assert_allclose(candidates.logits(np.float32([0, 0.5, 0.75, 1])), [-8, 0, np.log(3), 8], atol=1e-2)
    masks = np.stack([square((0, 0, 4, 4), (8, 8)), square((4, 4, 8, 8), (8, 8))])
    points = np.float32([[2, 2], [90, 5]])
    np.testing.assert_array_equal(candidates.without_points(masks, points, (16, 16)), [0, 1])
    np.testing.assert_array_equal(candidates.without_points(masks, NONE, (16, 16)), [0, 0])
    inside = candidates.inside_box((4, 0, 8, 16), (16, 16), (4, 4))
    np.testing.assert_array_equal(inside, np.tile([0, 1, 0, 0], (4, 1)))


def test_the_cut_follows_the_image():
    image = np.full((60, 90, 3), 30, np.uint8)
    image[20:40, 30:60] = (200, 60, 40)
    rng = np.random.default_rng(0)
    image = np.clip(image + rng.integers(-8, 9, image.shape), 0, 255).astype(np.uint8)
    rough = np.full((60, 90), 0.05, np.float32)
    rough[14:46, 24:66] = 0.3
    rough[18:38, 28:56] = 0.8
    found = candidates.cut(image, rough, 90)
    assert iou(found, square((30, 20, 60, 40), (60, 90))) > 0.9
    np.testing.assert_array_equal(candidates.cut(image, rough, 90), found)


def test_what_it_declares():
    assert plugins.declares("segmenters", "candidates", "accepts_prior")
    assert not plugins.declares("segmenters", "candidates", "is_sam")
    assert candidates.USES == ("u2net",)
