"""Step 1, by hand on small grids."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import geometry
from ipseg.core.types import FeatureMap
from ipseg.method import prototype


def grid(size=(6, 8)):
    return geometry.squash_frame(size, size)


def block(rows: slice, columns: slice, size=(6, 8)) -> np.ndarray:
    saliency = np.zeros(size, np.float32)
    saliency[rows, columns] = 1
    return saliency


def test_the_average_by_hand():
    values = np.arange(2 * 3 * 2, dtype=np.float32).reshape(2, 3, 2)
    frame = geometry.squash_frame((20, 30), (2, 3))
    layers = (FeatureMap("a", values, frame), FeatureMap("b", values[..., :1] * 10, frame))
    cells = np.array([[True, False, False], [False, False, True]])
    vectors = prototype.average(layers, cells)
    assert list(vectors) == ["a", "b"]
    np.testing.assert_array_equal(vectors["a"], [5, 6])
    np.testing.assert_array_equal(vectors["b"], [50])


def test_nothing_to_average_over():
    layer = FeatureMap("a", np.zeros((6, 8, 2)), grid())
    with pytest.raises(ValueError, match="at least one cell to average over, got none"):
        prototype.average((layer,), np.zeros((6, 8), bool))


def test_cells_above_the_threshold_after_erosion():
    saliency = block(slice(1, 5), slice(2, 7))
    whole = prototype.object_cells(saliency, grid(), erosion=0)
    np.testing.assert_array_equal(whole, saliency > 0)
    eroded = prototype.object_cells(saliency, grid(), erosion=1)
    np.testing.assert_array_equal(eroded, block(slice(2, 4), slice(3, 6)) > 0)
    assert not prototype.object_cells(saliency * 0.5, grid()).any()  # "above", not "at"
    assert prototype.object_cells(saliency * 0.5, grid(), threshold=0.4, erosion=0).sum() == 20


def test_erosion_is_a_minimum_of_values_not_of_decisions():
    saliency = np.full((6, 8), 0.6, np.float32)
    saliency[0, 0] = 0.55
    assert prototype.object_cells(saliency, grid()).all()


def test_erosion_stops_before_too_few_are_left():
    saliency = block(slice(1, 5), slice(2, 7))  # 4x5, then 2x3, then nothing
    six = block(slice(2, 4), slice(3, 6)) > 0
    np.testing.assert_array_equal(prototype.object_cells(saliency, grid(), erosion=5), six)
    np.testing.assert_array_equal(prototype.object_cells(saliency, grid(), erosion=5, smallest=6), six)
    np.testing.assert_array_equal(prototype.object_cells(saliency, grid(), erosion=5, smallest=7), saliency > 0)
    thin = block(slice(1, 2), slice(0, 8))
    np.testing.assert_array_equal(prototype.object_cells(thin, grid()), thin > 0)


def test_empty_saliency_gives_no_cells():
    cells = prototype.object_cells(np.zeros((6, 8)), grid())
    assert (cells.shape, cells.dtype) == ((6, 8), bool)
    assert not cells.any()


def test_a_full_mask_keeps_every_cell_that_is_not_at_the_letterbox_edge():
    frame = geometry.letterbox_frame((40, 80), 8)
    cells = prototype.object_cells(np.ones((40, 80)), frame, erosion=1)
    np.testing.assert_array_equal(cells[:, 0], [False, False, False, True, True, False, False, False])
    barely = geometry.letterbox_frame((44, 80), 8)  # the outermost rows lie by 2 of 10 pixels on the image
    np.testing.assert_array_equal(
        prototype.object_cells(np.ones((44, 80)), barely, erosion=0), geometry.cells_inside(barely)
    )


def test_smallest_counts_only_cells_on_the_image():
    frame = geometry.letterbox_frame((52, 80), 8)  # cells of 10x10; the outermost rows lie by 6 of 10 on the image
    frame_thin = geometry.letterbox_frame((44, 80), 8)  # here by 2 of 10: their centres lie outside
    for each in (frame, frame_thin):
        height = each.image_size[0]
        for top in range(0, height - 15, 3):
            saliency = np.zeros(each.image_size, np.float32)
            saliency[top : top + 15, 20:60] = 1
            plain = prototype.object_cells(saliency, each, erosion=0)
            eroded = prototype.object_cells(saliency, each, erosion=1)
            assert eroded.sum() >= min(4, plain.sum())


def test_tensors_give_the_same_average():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    values, cells = rng.random((6, 8, 5)).astype(np.float32), rng.random((6, 8)) > 0.5
    expected = prototype.average((FeatureMap("a", values, grid()),), cells)["a"]
    found = prototype.average((FeatureMap("a", torch.from_numpy(values), grid()),), cells)["a"]
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6)
