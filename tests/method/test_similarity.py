"""Step 2, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import geometry
from ipseg.core.types import FeatureMap
from ipseg.method import similarity

VALUES = np.array([[[1, 0], [0, 2], [-3, 0]], [[3, 4], [1, 1], [0, 0]]], np.float32)
BY_HAND = [[1, 0, -1], [0.6, 0.5**0.5, 0]]


def layer(name: str, values=VALUES) -> FeatureMap:
    return FeatureMap(name, values, geometry.squash_frame((20, 30), (2, 3)))


def test_cosine_by_hand():
    np.testing.assert_allclose(similarity.cosine(np.array([5.0, 0.0]), VALUES), BY_HAND, atol=1e-6)


def test_zero_is_like_nothing():
    assert not similarity.cosine(np.zeros(2, np.float32), VALUES).any()
    assert similarity.cosine(np.array([5.0, 0.0]), VALUES)[1, 2] == 0


def test_cosine_stays_in_its_range():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(9, 7, 64)).astype(np.float32) * 1e3
    found = similarity.cosine(values[4, 3], values)
    assert np.abs(found).max() <= 1 + 1e-5
    assert found.argmax() == 4 * 7 + 3


def test_fuse_weighs_the_layers():
    vectors = {"a": np.array([1.0, 0.0]), "b": np.array([0.0, 1.0])}
    fused = similarity.fuse(vectors, (layer("a"), layer("b")), {"a": 1.0, "b": 0.1})
    a, b = (similarity.cosine(vector, VALUES) for vector in vectors.values())
    assert fused.dtype == np.float32
    np.testing.assert_allclose(fused, a + 0.1 * b, atol=1e-6)


def test_a_layer_without_a_weight_takes_no_part():
    other_grid = FeatureMap("c", np.ones((5, 5, 9)), geometry.squash_frame((20, 30), (5, 5)))
    vectors = {"a": np.array([1.0, 0.0])}
    fused = similarity.fuse(vectors, (other_grid, layer("a")), {"a": 2.0, "c": 0.0})
    np.testing.assert_allclose(fused, 2 * np.array(BY_HAND), atol=1e-6)


@pytest.mark.parametrize("weights", [{}, {"z": 1.0}, {"a": 0.0}])
def test_no_weight_at_all(weights):
    with pytest.raises(ValueError, match=r"expected a weight for one of \['a'\], got"):
        similarity.fuse({"a": np.ones(2)}, (layer("a"),), weights)


def test_tensors_give_the_same_answer():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    values, vector = rng.normal(size=(2, 3, 16)).astype(np.float32), rng.normal(size=16).astype(np.float32)
    vector[:4] = 0
    values[1, 2] = 0
    expected = similarity.fuse({"a": vector}, (layer("a", values),), {"a": 0.7})
    tensors = torch.from_numpy(values).requires_grad_()
    found = similarity.fuse({"a": torch.from_numpy(vector)}, (layer("a", tensors),), {"a": 0.7})
    assert type(found) is np.ndarray
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_whole_masks_are_compared_by_the_means_of_their_sides():
    values = np.zeros((2, 3, 2), np.float32)
    values[:, 0, 0], values[:, 1:, 1] = 1, 1  # the first column is the object
    layer = FeatureMap("made", values, geometry.squash_frame((20, 30), (2, 3)))
    masks = np.zeros((4, 20, 30), bool)
    masks[0, :, :10], masks[1, :, 10:], masks[2] = True, True, True
    inside, outside = similarity.of_masks(np.float32([1, 0]), layer, masks)
    np.testing.assert_allclose(inside, [1, 0, 1 / 5**0.5, 0], atol=1e-6)
    np.testing.assert_allclose(outside, [0, 1, 0, 1 / 5**0.5], atol=1e-6)


def test_only_what_a_negative_prompt_explains_better_sinks():
    values = np.array([[0.9, 0.5, -0.2]], np.float32)
    excess = np.array([[-0.3, 0.0, 0.4]], np.float32)
    np.testing.assert_allclose(similarity.lowered(values, excess, 2.0), [[0.9, 0.5, -1.0]], atol=1e-6)


def test_the_best_products_with_the_rows_of_each_group():
    rows = np.float32([[1, 0], [0.6, 0.8]])
    groups = [np.float32([[1, 0], [0, 1], [0.8, 0.6]]), np.float32([[0, 1]])]
    found = similarity.best_of_groups(rows, groups, 2)
    np.testing.assert_allclose(found, [[(1 + 0.8) / 2, (0.96 + 0.8) / 2], [0, 0.8]], rtol=1e-6)  # 0.96 = 0.48 + 0.48
    assert found.dtype == np.float32


def test_groups_of_three_sizes_are_told_apart():
    rows = np.float32([[1, 0]])
    groups = [np.float32([[0.1, 1], [0.3, 1]]), np.float32([[0.5, 1]]), np.float32([[0.7, 1], [0.9, 1], [0.2, 1]])]
    np.testing.assert_allclose(similarity.best_of_groups(rows, groups, 1), [[0.3], [0.5], [0.9]], rtol=1e-6)
    np.testing.assert_allclose(similarity.best_of_groups(rows, groups, 3), [[0.2], [0.5], [0.6]], rtol=1e-6)
    np.testing.assert_allclose(similarity.best_of_groups(rows, groups[2:], 2), [[0.8]], rtol=1e-6)
