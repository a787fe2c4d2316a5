"""The log odds of the weight-free engine, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import geometry, plugins
from ipseg.core.types import FeatureMap, InputFeatures, Prototype
from ipseg.method import similarity
from ipseg.method.scorers.density import Density, Settings, excess, log_odds

FRAME = geometry.squash_frame((10, 20), (1, 2))
LAYER = FeatureMap("texture", np.float32([[[1, 0], [0, 1]]]), FRAME)
OBJECT = Prototype({"texture": np.float32([1, 0])}, {"texture": np.float32([0, 1])}, (np.float32([[1, 0]]),))
OTHER = Prototype({"texture": np.float32([0, 1])}, {"texture": np.float32([1, 0])}, (np.float32([[0, 1]]),))
LEFT = np.zeros((10, 20), bool)
LEFT[:, :10] = True


def level(ratio: float) -> float:
    """What a ratio becomes that levels off at 3."""
    return 3 * np.tanh(np.log(ratio) / 3)


def searched(foreground) -> InputFeatures:
    return InputFeatures((LAYER,), lambda: np.repeat(np.repeat(np.float32([foreground]), 10, 0), 10, 1))


def test_the_log_ratio_has_a_floor_and_an_unseen_background():
    # floor 0.02 and unseen 0.5 of the typical product 1; half of 0.25, 0.3 of nothing, 0.2 of the unseen
    maps = [(0.5, np.float32([0.25, 0.25])), (0.3, np.float32([-9, -9]))]
    found = similarity.log_ratio(np.float32([0.5, -1]), maps, 1.0)
    np.testing.assert_allclose(found, [level(0.52 / 0.245), level(0.02 / 0.245)], rtol=1e-5)
    np.testing.assert_allclose(found, [0.737172, -2.049735], rtol=1e-5)
    doubled = similarity.log_ratio(np.float32([1, -1]), [(share, 2 * each) for share, each in maps], 2.0)
    np.testing.assert_allclose(doubled, found, rtol=1e-5)  # only ratios matter


def test_the_log_ratio_levels_off_at_its_clip():
    maps = [(1.0, np.float32([0, 1e9]))]
    np.testing.assert_allclose(similarity.log_ratio(np.float32([1e9, 0]), maps, 1.0), [3, -3], atol=1e-3)
    assert similarity.log_ratio(np.float32([1e9, 0]), maps, 1.0, clip=1.0).max() <= 1


def test_log_odds_of_a_probability_are_never_certain():
    found = similarity.log_odds(np.array([0, 0.05, 0.5, 0.8, 1]))
    np.testing.assert_allclose(found, [-2.944439, -2.944439, 0, 1.386294, 2.944439], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("foreground", "own"),
    [
        ((0.9, 0.49), [0, 1]),  # what is salient is no background
        ((0.6, 0.1), [0, 1]),
        ((0.49, 0.1), [0.5, 0.5]),  # nothing is
        ((0.9, 0.6), [0, 1]),  # everything is: then the least salient cell
        ((0.9, 0.9), [0.5, 0.5]),
    ],
)
def test_the_input_s_own_background_are_its_cells_that_are_not_salient(foreground, own):
    given = searched(foreground)
    cells = geometry.to_cells(given.foreground(), FRAME)
    expected = log_odds(OBJECT, LAYER, {"texture": np.float32(own)}, cells, Settings())
    np.testing.assert_allclose(Density().similarity(OBJECT, given, None).values, expected, rtol=1e-5)


def test_the_first_layer_alone_has_a_weight():
    assert Density().layer_weights(["texture", "other"]) == {"texture": 1.0}


def test_every_term_by_hand():
    own = {"texture": np.float32([0, 1])}
    flat = np.float32([[0.5, 0.5]])
    expected = np.array([[level(1.02 / 0.12), level(0.02 / 0.92)]])  # backgrounds 0.1 and 0.1 + 0.5 + 0.3
    np.testing.assert_allclose(log_odds(OBJECT, LAYER, own, flat, Settings()), 1.5 * expected, rtol=1e-5)
    np.testing.assert_allclose(log_odds(OBJECT, LAYER, own, flat, Settings(gain=1.0)), expected, rtol=1e-5)
    salient = np.float32([[0.8, 0.5]])
    with_prior = log_odds(OBJECT, LAYER, own, salient, Settings(gain=0.0, prior=2.0))
    np.testing.assert_allclose(with_prior, [[2 * np.log(4), 0]], rtol=1e-5)
    by_default = log_odds(OBJECT, LAYER, own, salient, Settings())
    np.testing.assert_allclose(by_default, 1.5 * expected + [[np.log(4), 0]], rtol=1e-5)
    one = log_odds(OBJECT, LAYER, own, flat, Settings(prompt_background=0.9, input_background=0.0, gain=1.0))
    np.testing.assert_allclose(one, [[level(1.02 / 0.07), level(0.02 / 0.97)]], rtol=1e-5)


def test_the_inputs_own_background_is_where_it_is_not_salient():
    weights = Settings(prompt_background=0.0, input_background=1.0, gain=1.0, prior=0.0)
    found = Density(weights).similarity(OBJECT, searched([0.9, 0.2]), None)
    np.testing.assert_allclose(found.values, [[level(1.02 / 0.02), level(0.02 / 1.02)]], rtol=1e-5)
    found = Density(weights).similarity(OBJECT, searched([0.2, 0.9]), None)
    np.testing.assert_allclose(found.values, [[level(1.02 / 1.02), level(0.02 / 0.02)]], atol=1e-6)
    everywhere = Density(weights).similarity(OBJECT, searched([0.9, 0.9]), None)  # nothing below a half: the lowest
    np.testing.assert_allclose(everywhere.values, [[level(1.02 / 0.52), level(0.02 / 0.52)]], rtol=1e-5)


def test_a_negative_prompt_lowers_what_it_explains_better():
    np.testing.assert_allclose(excess(OTHER, OBJECT, LAYER), [[level(0.02 / 1.02), level(1.02 / 0.02)]], rtol=1e-5)
    plain = Density().similarity(OBJECT, searched([0.9, 0.2]), None).values
    lowered = Density().similarity(OBJECT, searched([0.9, 0.2]), OTHER).values
    np.testing.assert_allclose(plain - lowered, [[0, 4 * level(1.02 / 0.02)]], rtol=1e-5)


def test_scores_of_masks_by_hand():
    masks = np.stack([LEFT, ~LEFT])
    scores = Density().mask_scores(OBJECT, searched([0.9, 0.2]), None, masks)
    np.testing.assert_allclose(scores, [1.5, -1.0], atol=1e-5)
    scores = Density().mask_scores(OBJECT, searched([0.9, 0.2]), OTHER, masks)
    np.testing.assert_allclose(scores, [1.5, -1.0 - 4.0], atol=1e-5)


def test_presence_compares_the_cells():
    assert Density().presence(OBJECT, searched([0.9, 0.2]), None, LEFT) == pytest.approx(1)
    assert Density().presence(OBJECT, searched([0.9, 0.2]), None, ~LEFT) == pytest.approx(0)


def test_variants_take_its_terms_away():
    found = plugins.build("scorers", "density").variants(["texture"])
    assert list(found) == ["cosine", "backgrounds", "prior"]
    assert found["prior"] == Density()
    assert found["backgrounds"].settings.prior == 0
    assert found["cosine"].layer_weights(["texture"]) == {"texture": 1.0}
    assert not found["cosine"].log_odds
