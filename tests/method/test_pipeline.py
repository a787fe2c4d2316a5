"""The method with parts whose outputs are known: what each step hands to the next."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from PIL import Image

from ipseg.core import geometry
from ipseg.core.types import Candidates, FeatureMap, ImageError, MaskError, Points, SettingError, Similarity
from ipseg.method import stages
from ipseg.method.config import EngineInfo, IPSegConfig
from ipseg.method.pipeline import IPSeg

SIZE, GRID = (40, 60), (4, 6)
FRAME = geometry.squash_frame(SIZE, GRID)
IMAGE = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
OTHER = IMAGE[:, ::-1].copy()
NONE = np.empty((0, 2), np.float32)


class Features:
    density = True

    def __init__(self):
        self.calls = 0

    def __call__(self, image):
        self.calls += 1
        return (FeatureMap("a", np.ones((*GRID, 2), np.float32), FRAME),)


class Saliency:
    """The left half, asking for the features."""

    def __init__(self):
        self.calls = 0

    def __call__(self, image, features):
        self.calls += 1
        assert features()[0].name == "a"
        shown = np.zeros(SIZE, np.float32)
        shown[:, :30] = 0.8
        return shown


class Cutter:
    """Two candidates, the left and the right half; of one, the half with the higher prior or logits."""

    accepts_prior, is_sam = True, False

    def __init__(self):
        self.asked = []

    def encode(self, image):
        return "encoding"

    def predict(self, encoding, points, *, mask_logits=None, prior=None, box=None, several=False):
        self.asked.append((mask_logits, prior, several))
        low = np.zeros((2, *GRID), np.float32) - 1
        low[0, :, :3], low[1, :, 3:] = 1, 1
        if not several:
            low = low[[0 if mask_logits[0, 0] > 0 else 1]]
        masks = np.stack([geometry.to_image(each, FRAME, smooth=False) > 0 for each in low])
        return Candidates(masks, np.float32([0.5, 0.4])[: len(low)], low)


class Scorer:
    """A similarity that rises to the right; masks and presence as reported."""

    log_odds, needs_density, of_small_masks = True, True, None

    def __init__(self, presence=0.5, masks=None, looks=False):
        self.value, self.masks, self.looks, self.negatives = presence, masks, looks, []

    def model(self, images):
        return [each.cells(FRAME) for each in images]

    def similarity(self, model, image, negative):
        self.negatives.append(negative)
        if self.looks:
            image.foreground()
        values = np.arange(24, dtype=np.float32).reshape(GRID) % 6
        return Similarity(values, np.ones(GRID, bool), FRAME)

    def mask_scores(self, model, image, negative, masks):
        return self.masks

    def presence(self, model, image, negative, mask):
        return self.value

    def layer_weights(self, layers):
        return {}


def engine(scorer=None, **config) -> IPSeg:
    chosen = IPSegConfig(**{"k": 4, "clusters": 2, "refinement": "ranked", "erosion": 0, **config})
    return IPSeg(Features(), Saliency(), Cutter(), scorer or Scorer(), chosen)


@pytest.mark.parametrize(
    ("score", "status"),
    [
        (0.51, "detected"),
        (0.5, "detected"),
        (0.4999, "uncertain"),
        (0.25, "uncertain"),
        (0.2499, "not_detected"),
        (0.0, "not_detected"),
    ],
)
def test_the_two_thresholds_split_the_scores(score, status):
    made = engine(Scorer(presence=score), threshold=0.5, reject_threshold=0.25)
    prompt = made.prompt(IMAGE)
    result = made.segment(prompt, OTHER)
    assert (result.status, result.score, result.threshold, result.reject_threshold) == (status, score, 0.5, 0.25)
    given = engine(Scorer(presence=score)).segment(prompt, OTHER, threshold=0.5, reject_threshold=0.25)
    assert given.status == status
    assert made.segment(prompt, OTHER, threshold=score).status == "detected"
    always = made.segment(prompt, OTHER, threshold=0, reject_threshold=0.25)
    assert (always.status, always.threshold, always.reject_threshold) == ("detected", 0, 0)


def test_a_lower_threshold_takes_the_reject_threshold_along():
    made = engine(Scorer(presence=0.1), threshold=0.5, reject_threshold=0.25)
    result = made.segment(made.prompt(IMAGE), OTHER, threshold=0.125)
    assert (result.status, result.threshold, result.reject_threshold) == ("not_detected", 0.125, 0.125)


def test_each_instance_has_its_own_status():
    made = engine(Scorer(presence=0.3), threshold=0.5, reject_threshold=0.25)
    found = made.segment(made.prompt(IMAGE), OTHER, all_instances=True).instances
    assert [one.status for one in found] == ["uncertain"]
    assert made.segment(made.prompt(IMAGE), OTHER, all_instances=True, reject_threshold=0.31).instances == ()


def test_a_positive_click_makes_the_object_detected():
    made, there = engine(threshold=0.9, reject_threshold=0.9), np.float32([[5, 5]])
    prompt = made.prompt(IMAGE)
    assert made.segment(prompt, OTHER).status == "not_detected"
    assert made.segment(prompt, OTHER, clicks=Points(there, NONE)).status == "detected"
    assert made.segment(prompt, OTHER, clicks=Points(NONE, there)).status == "not_detected"
    assert made.segment(prompt, OTHER, clicks=Points(NONE, NONE)).status == "not_detected"


@pytest.mark.parametrize(
    ("masks", "left"), [(None, True), (np.float32([0, 0.05]), True), (np.float32([0, 0.2]), False)]
)
def test_the_scores_of_masks_are_added_to_the_segmenters(masks, left):
    made = engine(Scorer(masks=masks))
    mask = made.segment(made.prompt(IMAGE), OTHER).mask
    assert mask[:, :30].all() == left
    assert mask[:, 30:].any() != left


def test_the_similarity_is_the_prior_of_the_first_pass():
    made = engine()
    similarity = made.segment(made.prompt(IMAGE), OTHER).similarity
    (logits, prior, several), (again, none, one) = made.segmenter.asked
    assert (logits, none, several, one) == (None, None, True, False)
    np.testing.assert_array_equal(prior, similarity.values)
    assert again.shape == GRID


def test_points_come_from_both_ends_of_the_similarity():
    made = engine()
    points = made.segment(made.prompt(IMAGE), OTHER).points
    assert set(points.positive[:, 0]) == {55}  # centres of the last column
    assert set(points.negative[:, 0]) == {5}
    chosen, _ = stages.choose_points(made.encodings, made.scorer, made.config, made.prompt(IMAGE), OTHER)
    np.testing.assert_array_equal(chosen.positive, points.positive)


def test_a_prompts_cells_are_where_its_mask_or_its_saliency_is():
    made, mask = engine(), np.zeros(SIZE, bool)
    mask[:10, :20] = True
    prompt = made.prompt([IMAGE, OTHER], [mask, None])
    assert [view.given for view in prompt.views] == [True, False]
    assert prompt.source == "given"
    np.testing.assert_array_equal(prompt.model[0], geometry.to_cells(mask.astype(np.float32), FRAME) > 0.5)
    np.testing.assert_array_equal(prompt.model[1], np.arange(6)[None].repeat(4, 0) < 3)
    assert made.saliency.calls == 1


def test_where_nothing_stands_out_all_of_it_is_used():
    made = replace(engine(), saliency=lambda image, features: np.zeros(SIZE, np.float32))
    prompt = made.prompt(IMAGE)
    assert prompt.views[0].cells.all()
    assert prompt.notices == (
        "Nothing stands out in the prompt image, so all of it was used; crop it to the object or give a mask.",
    )


def test_consensus_is_the_share_of_the_candidates():
    made = engine(consensus=True)
    saliency = made.prompt(IMAGE).views[0].saliency
    np.testing.assert_allclose(saliency, 0.5)  # each pixel is in one of the two candidates
    ((logits, prior, several),) = made.segmenter.asked
    assert (logits, several) == (None, True)
    np.testing.assert_allclose(prior[:, :30], np.log(0.8 / 0.2), rtol=1e-5)
    np.testing.assert_allclose(prior[:, 30:], np.log(0.05 / 0.95), rtol=1e-5)


def test_the_negative_prompts_model_reaches_the_scorer():
    made = engine()
    prompt, negative = made.prompt(IMAGE), made.prompt(OTHER)
    made.segment(prompt, OTHER, negative_prompt=negative)
    made.segment(prompt, OTHER)
    assert made.scorer.negatives == [negative.model, None]


@pytest.mark.parametrize("looks", [True, False])
def test_the_inputs_saliency_is_computed_only_when_the_scorer_asks(looks):
    made = engine(Scorer(looks=looks))
    mask = np.ones(SIZE, bool)
    steps = []
    result = made.segment(made.prompt(IMAGE, mask), OTHER, progress=lambda share, step: steps.append(step))
    assert made.saliency.calls == looks
    assert ("saliency" in result.seconds) == ("saliency" in steps) == looks
    again = made.segment(made.prompt(IMAGE, mask), OTHER)
    assert set(again.seconds) == {"points", "mask"}
    assert made.features.calls == 2  # the prompt and the input, once each


def test_numbers_out_of_range_are_refused_before_any_work():
    made = engine()
    prompt = made.prompt(IMAGE)
    with pytest.raises(SettingError, match="c is 5 but K is 4"):
        made.segment(prompt, "missing.png", clusters=5)
    with pytest.raises(ImageError, match="Got 2 prompt images and 1 masks"):
        made.prompt([IMAGE, OTHER], [None])
    with pytest.raises(ImageError, match="Got 0 prompt images"):
        made.prompt([])


def test_an_engine_is_frozen_and_another_shares_its_cache_where_its_parts_are_the_same():
    made = engine()
    for name in ("config", "info", "scorer", "encodings"):
        with pytest.raises(FrozenInstanceError):
            setattr(made, name, None)
    made.prompt(IMAGE)
    for change in ({"scorer": Scorer()}, {"info": EngineInfo("other")}, {"config": replace(made.config, k=9)}):
        assert replace(made, **change).encodings is made.encodings
    for change in ({"saliency": Saliency()}, {"config": replace(made.config, consensus=True)}):
        other = replace(made, **change)
        assert other.encodings is not made.encodings
        other.prompt(IMAGE)
    assert made.features.calls == 3


def test_several_instances_have_scores_and_one_single_mask():
    made = engine()
    result = made.segment(made.prompt(IMAGE), OTHER, all_instances=True)
    assert all(one.score == 0.5 for one in result.instances)
    assert "instances" in result.seconds


@pytest.mark.parametrize("threshold", [float("nan"), float("inf"), 7, -0.1, True, "0.5", None])
def test_a_threshold_out_of_range(threshold, one_message):
    made = engine()
    if threshold is not None:
        with pytest.raises(SettingError, match="threshold is") as caught:
            made.segment(made.prompt(IMAGE), OTHER, threshold=threshold)
        one_message(caught.value, names=str(threshold))
    with pytest.raises(SettingError, match="threshold is"):
        IPSegConfig(threshold=threshold)


def test_one_mask_is_for_one_image(one_message):
    mask = np.zeros(SIZE, bool)
    mask[10:30, 10:30] = True
    with pytest.raises(ImageError, match="2 prompt images and 1 masks") as caught:
        engine().prompt([IMAGE, OTHER], masks=mask)
    one_message(caught.value)
    first, second = engine().prompt([IMAGE, OTHER], masks=[mask, None]).views
    assert (first.given, second.given) == (True, False)
    np.testing.assert_array_equal(first.saliency, mask)


def test_a_value_of_the_mask_is_chosen(one_message):
    labels = np.zeros(SIZE, np.uint8)
    labels[5:20, 5:20], labels[25:38, 30:55] = 3, 9
    with pytest.raises(MaskError, match="3 and 9"):
        engine().prompt(IMAGE, labels)
    (view,) = engine().prompt(IMAGE, labels, mask_value=9).views
    np.testing.assert_array_equal(view.saliency, labels == 9)


def test_what_was_assumed_of_a_mask_is_a_notice_of_the_prompt(encode):
    exif = Image.Exif()
    exif[274] = 3  # rotated by half a turn: the sizes do not say on which pixels the mask was drawn
    mask = np.zeros(SIZE, bool)
    mask[5:20, 5:20] = True
    prompt = engine().prompt(encode(IMAGE, "PNG", exif=exif), mask)
    assert any("taken as drawn on the upright image" in notice for notice in prompt.notices)
    np.testing.assert_array_equal(prompt.views[0].saliency, mask)
    assert engine().prompt(IMAGE, mask).notices == ()


def test_layers_for_prompt_images_alone_are_computed_of_no_input():
    seen = []

    class Extractor(Features):
        def prompt_layers(self, image):
            seen.append(image.shape)
            return (replace(self(image)[0], name="finer"),)

    names = []

    class Reading(Scorer):
        def model(self, images):
            names.extend(layer.name for layer in images[0].features)
            return super().model(images)

    made = replace(engine(Reading()), features=Extractor())
    made.segment(made.prompt([IMAGE, IMAGE]), OTHER)
    assert seen == [IMAGE.shape]
    assert names[-1] == "finer"
