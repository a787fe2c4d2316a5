"""The ideas from after the paper: each against a case that was computed by hand, and on the engine that is at hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ipseg.core import plugins
from ipseg.core.types import (
    Candidates,
    FeatureMap,
    Frame,
    InputFeatures,
    Points,
    PromptFeatures,
    SettingError,
    Similarity,
)
from ipseg.method.extensions import (
    backward_vote,
    clusters,
    farthest_points,
    positional_debias,
    several_prototypes,
    similarity_prior,
)
from ipseg.method.scorers.cosine import Cosine

pytestmark = pytest.mark.usefixtures("small_offline")

FRAME = Frame((40, 40), (4, 4), (0.0, 0.0, 40.0, 40.0))
EAST, NORTH = np.array([1.0, 0.0]), np.array([0.0, 1.0])


def layer(values) -> FeatureMap:
    """A (4, 4, C) map on FRAME."""
    return FeatureMap("a", np.asarray(values, np.float32), FRAME)


def halves() -> FeatureMap:
    """The left half points east, the right half north."""
    values = np.empty((4, 4, 2))
    values[:, :2], values[:, 2:] = EAST, NORTH
    return layer(values)


def prompt(features: FeatureMap, cells: np.ndarray) -> PromptFeatures:
    return PromptFeatures((features,), lambda frame: cells)


def image(features: FeatureMap) -> InputFeatures:
    return InputFeatures((features,), lambda: np.zeros((40, 40), np.float32))


def similarity(values) -> Similarity:
    return Similarity(np.asarray(values, np.float32), np.ones((4, 4), bool), FRAME)


LEFT = np.arange(16).reshape(4, 4) % 4 < 2


def test_farthest_points_by_hand():
    positions = np.array([[0, 0], [0, 1], [0, 4], [0, 10]])
    weights = np.array([1.0, 0.9, 0.5, 0.0])
    assert farthest_points.select(positions, weights, 3, alpha=1.0) == [0, 3, 2]  # by distance alone
    assert farthest_points.select(positions, weights, 3, alpha=0.0) == [0, 1, 2]  # by weight alone
    # alpha 0.5: 0.5 d / 10 + 0.5 w is 0.5, 0.45 and 0.5 for 1, 2, 3: the first of equals; then d is 3 and 9 of 9
    assert farthest_points.select(positions, weights, 4, alpha=0.5) == [0, 1, 3, 2]
    assert farthest_points.select(positions, weights, 9, alpha=0.5) == [0, 1, 3, 2]


def test_farthest_points_are_those_of_the_similar_cells():
    values = np.zeros((4, 4))
    values[0, 0], values[3, 3], values[1, 1] = 1.0, 0.9, 0.8
    chosen = farthest_points.choose(similarity(values), settings=farthest_points.Settings(points=2))
    np.testing.assert_allclose(chosen.positive, [[5, 5], [35, 35]])  # cells of 10 pixels
    assert len(chosen.negative) == 1  # no cell is half a deviation below the mean: the least similar alone
    flat = farthest_points.choose(similarity(np.ones((4, 4))))
    assert len(flat.positive) == len(flat.negative) == 0
    with pytest.raises(SettingError, match="alpha"):
        farthest_points.Settings(alpha=2)


def test_the_backward_vote_by_hand():
    known = np.array([EAST, NORTH])
    cells = np.array([[0.9, 0.1], [0.1, 0.9], [0.6, 0.5]])
    assert backward_vote.votes(cells, [(known, np.array([True, False]))]).tolist() == [1, 0, 1]
    both = [(known, np.array([True, False])), (known, np.array([True, True]))]
    assert backward_vote.votes(cells, both).tolist() == [1, 0.5, 1]


def test_the_backward_vote_drops_cells_that_belong_to_the_background():
    made = backward_vote.BackwardVote(Cosine())
    diagonal = halves().values.copy()
    diagonal[0, 3] = (0.7, 0.72)  # similar to the object, but more so to the background
    model = made.model([prompt(halves(), LEFT)])
    inner = Cosine().similarity(model[0], image(layer(diagonal)), None)
    found = made.similarity(model, image(layer(diagonal)), None)
    assert inner.values[0, 3] > 0.6
    assert found.values[0, 3] == found.values.min() == inner.values.min()
    np.testing.assert_array_equal(found.values[LEFT], inner.values[LEFT])


def test_clusters_by_hand():
    cells = np.array([EAST, EAST, NORTH, NORTH])
    labels = clusters.join(cells, 0.6)
    assert labels[0] == labels[1] != labels[2] == labels[3]
    assert clusters.join(cells, -0.5).tolist() == [0, 0, 0, 0]  # a cosine of 0 is above -0.5: one cluster
    tilted = np.array([EAST, EAST, [0.8, 0.6], [0.8, 0.6]])
    values = np.array([1.0, 0.8, 0.5, 0.1])
    found = clusters.clustered(tilted, np.array([0, 0, 1, 1]), values)
    # means 0.9 (the seed) and 0.3; cosine of the second with the seed 0.8; none of it is above the mean of 0.6
    order = 0.001 * values
    np.testing.assert_allclose(found, 0.999 * np.array([0.9, 0.9, 0, 0]) + order)
    raised = np.array([1.0, 0.8, 0.9, 0.1])  # means 0.9 and 0.5; half of the second is above 0.7
    found = clusters.clustered(tilted, np.array([0, 0, 1, 1]), raised)
    np.testing.assert_allclose(found, 0.999 * np.array([0.9, 0.9, 0.5 * 0.8 * 0.5, 0.5 * 0.8 * 0.5]) + 0.001 * raised)


def test_clusters_give_the_cells_of_a_region_one_value():
    made = clusters.Clusters(Cosine())
    model = made.model([prompt(halves(), LEFT)])
    found = made.similarity(model, image(halves()), None).values
    assert np.ptp(found[LEFT]) < 1e-6
    assert found[LEFT].min() > found[~LEFT].max()
    with pytest.raises(SettingError, match="tau"):
        clusters.Settings(tau=1.0)


def test_positions_are_projected_out_by_hand():
    column = np.tile(np.linspace(-1, 1, 4)[None, :, None], (4, 1, 1))
    blank = np.concatenate([column, np.ones((4, 4, 1)), np.zeros((4, 4, 1))], axis=-1)  # depends on x alone
    basis = positional_debias.basis(layer(blank), positional_debias.Settings(share=0.4))
    assert basis.shape == (3, 1)
    object_cells = blank.copy()
    object_cells[..., 2] = 2.0
    found = positional_debias.project(layer(object_cells), basis).values
    assert np.abs(found @ basis).max() < 1e-6
    np.testing.assert_allclose(found[..., 2], 2.0)
    constant = positional_debias.basis(layer(np.ones((4, 4, 3))), positional_debias.Settings())
    assert constant.shape == (3, 0)  # no position in it
    with pytest.raises(SettingError, match="share"):
        positional_debias.Settings(share=1.0)


def test_the_blank_image_of_a_size_is_computed_once():
    seen = []

    def inner(pixels):
        seen.append(pixels)
        return (layer(np.random.default_rng(0).random((4, 4, 3))),)

    extractor = positional_debias.Debiased(inner, positional_debias.Settings())
    for _ in range(3):
        extractor(np.zeros((40, 40, 3), np.uint8))
    assert len(seen) == 4
    assert np.ptp(seen[0].reshape(-1, 3), axis=0).tolist() == [0, 0, 0]


def test_several_prototypes_by_hand():
    values = np.array([[0.0, 1.0], [0.5, 0.5]])
    np.testing.assert_allclose(
        several_prototypes.soft_maximum(values, 2.0), [np.log((1 + np.exp(2)) / 2) / 2, 0.5], rtol=1e-6
    )
    settings = several_prototypes.Settings(prototypes=2, negatives=1, weight=0.5)
    cells = np.array([EAST, NORTH, [-1.0, 0.0], [0.6, -0.8]])
    prototypes, negatives = several_prototypes.gather(cells, np.array([True, True, False, False]), settings)
    assert sorted(prototypes.tolist()) == [[0, 1], [1, 0]]
    assert negatives.tolist() == [[0.6, -0.8]]  # the mean points north-east: -0.14 against -0.71
    found = several_prototypes.compare(cells, (prototypes, negatives), settings)
    for at, cell in enumerate(cells):
        positive = np.log(np.mean([np.exp(10 * cell @ each) for each in prototypes])) / 10
        assert found[at] == pytest.approx(positive - 0.5 * (cell @ negatives[0]))
    alone = several_prototypes.compare(cells, (prototypes, negatives[:0]), settings)
    assert alone[0] == pytest.approx(np.log((np.exp(10) + 1) / 2) / 10)


def test_an_object_of_two_kinds_of_cells_is_found_whole():
    features = halves().values.copy()
    features[3] = (-1, 0)  # background
    cells = np.arange(16).reshape(4, 4) < 12
    made = several_prototypes.SeveralPrototypes(Cosine(), several_prototypes.Settings(prototypes=2))
    found = made.similarity(made.model([prompt(layer(features), cells)]), image(layer(features)), None).values
    assert found[:3].min() > found[3].max() + 0.5
    with pytest.raises(SettingError, match="prototype"):
        several_prototypes.Settings(prototypes=0)


def test_the_prior_is_standardised_and_lies_where_sam_has_the_image():
    found = similarity_prior.standardised(np.array([[0.0, 1.0], [2.0, 3.0]], np.float32), 2.0)
    assert found.mean() == pytest.approx(0, abs=1e-6)
    assert found.std() == pytest.approx(2)
    assert not similarity_prior.standardised(np.ones((2, 2), np.float32), 2.0).any()
    encoding = SimpleNamespace(original_size=(50, 100), input_size=(32, 64))  # padded below
    logits = similarity_prior.as_logits(np.array([[1.0, 2.0]], np.float32), encoding, (8, 8), 64)
    assert logits.shape == (8, 8)
    assert (logits[4:] == similarity_prior.OUTSIDE).all()
    np.testing.assert_allclose(logits[:4, 0], 1.0)
    np.testing.assert_allclose(logits[:4, -1], 2.0)
    assert (np.diff(logits[0]) >= 0).all()


def test_the_prior_enters_the_first_of_three_passes():
    asked = []

    def predict(encoding, points, mask_logits=None, box=None, several=False):
        asked.append((mask_logits, box, several))
        number = 3 if several else 1
        return Candidates(
            np.ones((number, 9, 9), bool), np.ones(number, np.float32), np.ones((number, 8, 8), np.float32)
        )

    sam = SimpleNamespace(
        prompt_encoder=SimpleNamespace(mask_input_size=(8, 8)), image_encoder=SimpleNamespace(img_size=64)
    )
    encoding = SimpleNamespace(original_size=(9, 9), input_size=(64, 64))
    points = Points(np.ones((1, 2), np.float32), np.ones((0, 2), np.float32))
    segmenter = SimpleNamespace(sam=sam, predict=predict)
    found = similarity_prior.refine(segmenter, encoding, points, np.arange(16.0).reshape(4, 4))
    assert found.masks.shape == (1, 9, 9)
    assert [several for _, _, several in asked] == [False, True, True]
    assert asked[0][0].min() < 0 < asked[0][0].max()
    assert asked[2][1] is not None


EVERY = plugins.names("extensions")


@pytest.mark.parametrize("name", EVERY)
def test_an_extension_changes_one_part_and_says_so(name, offline, make_scene):
    cells, mask = make_scene()
    if name in ("positional_debias", "several_prototypes", "similarity_prior"):
        with pytest.raises(SettingError, match="choose another preset"):
            plugins.build("extensions", name)(offline)
        return
    engine = plugins.build("extensions", name)(offline)
    assert engine.info.name == f"offline + {name}"
    assert name in engine.info.record["extensions"]
    assert offline.info.name == "offline"
    result = engine.segment(engine.prompt(cells), cells)
    assert result.mask.shape == mask.shape
    again = engine.segment(engine.prompt(cells), cells)
    np.testing.assert_array_equal(result.mask, again.mask)


@pytest.mark.parametrize(
    "name", ["farthest_points", "backward_vote", "clusters", "positional_debias", "several_prototypes"]
)
def test_extensions_run_on_cosines(name, make_scene, offline):
    image, mask = make_scene()
    extractor = type("Extractor", (), {"density": False, "__call__": lambda self, pixels: offline.features(pixels)})()
    engine = replace(
        offline,
        features=extractor,
        scorer=Cosine(),
        config=replace(offline.config, refinement="single", consensus=False),
    )
    extended = plugins.build("extensions", name)(engine)
    result = extended.segment(extended.prompt(image, mask), image)
    assert result.similarity.values.shape == result.similarity.frame.grid
    inside = result.similarity.values[result.similarity.inside]
    assert np.isfinite(inside).all()
    assert result.mask.shape == mask.shape
