"""What is measured on a candidate mask."""

from __future__ import annotations

import numpy as np
from parity_rules import scene

from ipseg.classical.proposals import grab_cut, outline_contrast, propose, soft_iou, without_holes


def test_an_outline_on_the_edges_of_a_image_is_the_sharpest():
    image = np.full((60, 80, 3), 90, np.uint8)
    masks = np.zeros((4, 60, 80), bool)
    masks[0, 20:40, 30:50] = True
    image[masks[0]] = (200, 40, 40)
    masks[1] = np.roll(masks[0], 6, axis=1)
    masks[2, 2:12, 2:12] = True  # on a flat background
    sharp = outline_contrast(masks, image)
    assert sharp[0] > 0.9
    assert sharp[0] > sharp[1] > sharp[2]
    assert sharp[2] == sharp[3] == 0  # an empty mask has no outline


def test_soft_intersection_over_union():
    values = np.float32([[1, 0.5], [0, 0]])
    masks = np.array([[[1, 0], [0, 0]], [[1, 1], [0, 0]], [[1, 1], [1, 1]], [[0, 0], [0, 1]]], bool)
    found = soft_iou(masks, values)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [1 / 1.5, 1.5 / 2, 1.5 / 4, 0], rtol=1e-6)


def test_soft_intersection_over_union_of_superpixels_counts_their_area():
    values, area = np.array([1, 0.5, 0.0]), np.array([2, 4, 10.0])
    masks = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1]], bool)
    np.testing.assert_allclose(soft_iou(masks, values, area), [2 / 4, 4 / 6, 0, 4 / 16], rtol=1e-6)


def test_an_image_of_one_colour_is_not_cut():
    flat = np.full((60, 80, 3), (30, 120, 60), np.uint8)
    guess = np.zeros((60, 80), bool)
    guess[20:40, 30:50] = True
    np.testing.assert_array_equal(grab_cut(flat, guess), guess)
    assert grab_cut(flat, guess, ~guess).sum() == guess.sum()
    assert propose(flat).shape == (4, 60, 80)
    flat[25:35, 35:45] = (200, 40, 40)
    np.testing.assert_array_equal(grab_cut(flat, guess), (flat == (200, 40, 40)).all(axis=2))


def test_it_says_nothing_of_how_large_a_mask_is():
    image, inside = scene("contrast", 60, 80)
    assert 0 <= float(outline_contrast(inside[None], image)[0]) <= 1


def test_one_small_hole_is_filled_and_a_mask_without_any_stays():
    mask = np.zeros((12, 12), bool)
    mask[1:11, 1:11] = True  # 100 pixels
    whole = mask.copy()
    assert without_holes(mask) is mask
    mask[5, 5] = False
    np.testing.assert_array_equal(without_holes(mask), whole)
