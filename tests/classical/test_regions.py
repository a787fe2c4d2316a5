"""Superpixels and what is measured on them."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.classical import regions
from ipseg.classical.regions import Regions


def grid(rows: int, columns: int) -> Regions:
    """One region for each pixel of a small image."""
    labels = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    across = np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1)
    down = np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1)
    pairs = np.concatenate([across, down]).astype(np.intp)
    y, x = np.divmod(labels.ravel(), columns)
    rim = ((y == 0) | (y == rows - 1)) * 1.0 + ((x == 0) | (x == columns - 1))
    position = np.stack([x + 0.5, y + 0.5], axis=1) / max(rows, columns)
    n = rows * columns
    return Regions(labels, np.ones(n), np.zeros((n, 3)), position, pairs, np.ones(len(pairs)), rim)


def test_superpixels_keep_to_the_edge_of_two_colours():
    lab = np.zeros((20, 40, 3), np.float32)
    lab[..., 0] = 20
    lab[:, 15:, 0] = 80
    found = regions.superpixels(lab, 8)
    assert found.n == len(found.area) == found.labels.max() + 1
    assert found.area.sum() == 800
    np.testing.assert_allclose(sorted({*np.round(found.colour[:, 0], 3)}), [20, 80])
    np.testing.assert_allclose((found.area[:, None] * found.position).sum(0) / 800, [0.5, 0.25])
    assert found.rim.sum() == 2 * (20 + 40)
    assert (found.pairs[:, 0] < found.pairs[:, 1]).all()
    one = found.labels == found.pairs[0, 0]
    other = found.labels == found.pairs[0, 1]
    shared = (one[:, :-1] & other[:, 1:]).sum() + (other[:, :-1] & one[:, 1:]).sum()
    shared += (one[:-1] & other[1:]).sum() + (other[:-1] & one[1:]).sum()
    assert found.contact[0] == shared


def test_means_of_maps_by_hand():
    labels = np.array([[0, 0, 1]], np.int32)
    area, pairs, ones = np.array([2.0, 1.0]), np.array([[0, 1]]), np.ones(2)
    two = Regions(labels, area, np.zeros((2, 3)), np.zeros((2, 2)), pairs, ones[:1], ones)
    np.testing.assert_allclose(two.mean(np.array([[1.0, 3.0, 7.0]])), [2, 7])
    np.testing.assert_allclose(two.mean(np.array([[[1.0, 0], [3, 4], [7, 9]]])), [[2, 2], [7, 9]])


def test_components_and_holes_of_a_ring():
    nine = grid(3, 3)
    ring = np.ones(9, bool)
    ring[4] = False
    part = regions.components(nine, ring)
    assert len({*part}) == 2
    assert len({*part[ring]}) == 1
    assert regions.fill_holes(nine, ring).all()
    open_ring = ring.copy()
    open_ring[1] = False  # the hole reaches the border
    np.testing.assert_array_equal(regions.fill_holes(nine, open_ring), open_ring)


def test_the_border_is_where_the_rim_is():
    assert grid(3, 3).border.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]


def test_the_kernel_by_hand():
    found = regions.gaussian(np.array([[0.0, 0.0]]), np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]]), 3.0)
    np.testing.assert_allclose(found, [[1, np.exp(-0.5), np.exp(-25 / 18)]], rtol=1e-6)


@pytest.mark.parametrize(("size", "expected"), [((100, 50), (40, 20)), ((10, 20), (20, 40)), ((1000, 10), (40, 8))])
def test_a_working_image_has_its_longer_side(size, expected):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    assert regions.working_image(image, 40).shape[:2] == expected


def test_lab_of_white_and_black():
    lab = regions.to_lab(np.array([[[255, 255, 255], [0, 0, 0]]], np.uint8))
    np.testing.assert_allclose(lab[0], [[100, 0, 0], [0, 0, 0]], atol=0.05)
