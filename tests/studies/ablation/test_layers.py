"""The layers of the ablation: fused, brought to one grid, and coloured by their principal components."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import geometry
from ipseg.core.types import FeatureMap, View
from ipseg.method import similarity
from ipseg.studies.ablation import _layers as layers

FRAME = geometry.squash_frame((20, 30), (4, 6))


def feature_map(name="a", channels=5, seed=0, scale=1.0):
    values = np.random.default_rng(seed).normal(size=(*FRAME.grid, channels)) * scale
    return FeatureMap(name, values.astype(np.float32), FRAME)


def test_fused_products_are_the_sum_of_cosines():
    one, other = feature_map("a", 5, 0), feature_map("b", 3, 1, scale=40)
    shares = {"a": 1.0, "b": 0.25}
    fused = layers.fused((one, other), shares).values
    cell = {layer.name: layer.values[1, 2] for layer in (one, other)}
    np.testing.assert_allclose(fused @ fused[1, 2], similarity.fuse(cell, (one, other), shares), atol=1e-5)


def test_layers_of_other_grids_are_brought_to_the_first():
    coarse = geometry.squash_frame(FRAME.image_size, (2, 2))
    quarters = FeatureMap("b", np.float32([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]), coarse)
    made = layers.fused((FeatureMap("a", np.ones((*FRAME.grid, 1), np.float32), FRAME), quarters), {"a": 1.0, "b": 1.0})
    assert made.frame == FRAME
    np.testing.assert_allclose(made.values[0, 0], [1, 1, 0], atol=1e-6)
    np.testing.assert_allclose(made.values[0, -1], [1, 0, 1], atol=1e-6)
    cells = np.zeros(FRAME.grid, bool)
    cells[:, : FRAME.grid[1] // 2] = True
    view = View(np.zeros((*FRAME.image_size, 3), np.uint8), np.zeros(FRAME.image_size, np.float32), True, cells, FRAME)
    assert layers.cells_of(view, FRAME) is cells
    assert layers.cells_of(view, coarse).tolist() == [[True, False]] * 2


def test_cells_alike_have_like_colours_in_both_images():
    values = np.zeros((*FRAME.grid, 4), np.float32)
    values[:, :2], values[:, 2:4], values[:, 4:] = (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)
    one, other = FeatureMap("a", values, FRAME), FeatureMap("a", values[:, ::-1].copy(), FRAME)
    prompt_mask = np.zeros(FRAME.grid, bool)
    prompt_mask[:, :2] = True
    found = np.zeros(FRAME.image_size, bool)
    found[:, 20:] = True
    made = layers.coloured(one, other, prompt_mask, found)
    np.testing.assert_array_equal(made.prompt[:, 2], made.image[:, -3])
    assert len(np.unique(made.prompt[10, [2, 14, 27]], axis=0)) == 3
    assert (made.held, made.same, made.background) == pytest.approx((1, 1, 0), abs=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_few_channels_and_flat_features_are_colours_too(channels):
    prompt_mask, found = np.ones(FRAME.grid, bool), np.zeros(FRAME.image_size, bool)
    flat = FeatureMap("a", np.ones((*FRAME.grid, channels), np.float32), FRAME)
    for layer in (feature_map("a", channels), flat):
        made = layers.coloured(layer, layer, prompt_mask, found)
        assert made.image.shape == (*FRAME.image_size, 3)
        assert np.isfinite([made.held, made.same, made.background]).all()


def test_separation_is_the_share_of_pairs_in_order():
    mask = np.array([[True, True, False, False]])
    for values, expected in (([4, 3, 2, 1], 1), ([1, 2, 3, 4], 0), ([1, 1, 1, 1], 0.5), ([4, 1, 2, 3], 0.5)):
        assert layers.separation(np.array([values], np.float32), mask) == expected
    assert layers.separation(np.zeros((2, 2), np.float32), np.ones((2, 2), bool)) == 0.5
