"""Histograms of colours, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.classical import palette


def test_bins_are_eight_units_wide_and_clipped():
    lab = np.float32([[0, -128, -128], [7.9, -120.1, -120.1], [8, -128, -120], [100, 127, 127], [300, 900, -900]])
    assert palette.bins(lab).tolist() == [0, 0, 1024 + 1, 12 * 1024 + 31 * 32 + 31, 12 * 1024 + 31 * 32]


def test_a_histogram_is_smooth_and_sums_to_one():
    one = palette.histogram(np.full((7, 3), (44, 4, 4), np.float32)).reshape(palette.GRID)
    assert one.sum() == pytest.approx(1, abs=1e-5)
    weight = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    peak = (weight / weight.sum())[4]
    assert one[5, 16, 16] == one.max() == pytest.approx(peak**3, rel=1e-4)
    assert one[6, 16, 16] == one[5, 15, 16] == pytest.approx(peak**3 * np.exp(-0.5), rel=1e-4)
    assert not palette.histogram(np.empty((0, 3), np.float32)).any()
    half = palette.together([np.full((1, 3), (44, 4, 4), np.float32), np.full((3, 3), (60, -60, -60), np.float32)])
    assert half.reshape(palette.GRID)[5, 16, 16] == pytest.approx(peak**3 / 4, rel=1e-4)


def test_mean_colours_of_cells():
    image = np.zeros((240, 120, 3), np.uint8)
    image[:, 60:] = 255
    lab, frame = palette.of_image(image)
    assert lab.shape == (120, 60, 3)
    assert frame.grid == (120, 60)
    np.testing.assert_allclose(lab[:, 0], np.tile(np.float32([0, 0, 0]), (120, 1)), atol=0.1)
    np.testing.assert_allclose(lab[:, -1], np.tile(np.float32([100, 0, 0]), (120, 1)), atol=0.1)
    assert palette.of_image(image[:3, :2])[0].shape == (120, 80, 3)  # smaller than its cells


def test_the_outline_belongs_to_neither_side():
    lab = np.arange(100, dtype=np.float32).reshape(10, 10, 1).repeat(3, 2)
    cells = np.zeros((10, 10), bool)
    cells[:, :5] = True
    inside, beyond = palette.inside_and_beyond(lab, cells)
    assert set(inside[:, 0] % 10) == {0, 1, 2, 3}
    assert set(beyond[:, 0] % 10) == {7, 8, 9}
    cells[:] = False
    cells[4:6, 4:6] = True  # too small to lose its outline
    inside, beyond = palette.inside_and_beyond(lab, cells)
    assert len(inside) == 4
    assert len(beyond) == 100 - 36
