"""Where the object is by a similarity, and what a crop cuts off, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.classical import crops, proposals


def mask(shape, *boxes):
    made = np.zeros(shape, np.float32)
    for left, top, right, bottom in boxes:
        made[top:bottom, left:right] = 1
    return made


def test_the_median_is_0_and_the_mean_of_the_ten_highest_1():
    values = np.concatenate([np.full(20, 3), np.full(5, 5), np.full(5, 7)]).astype(np.float32).reshape(5, 6)
    found = crops.normalised(values).ravel()
    np.testing.assert_allclose(found, [0] * 20 + [2 / 3] * 5 + [4 / 3] * 5, rtol=1e-6)
    np.testing.assert_allclose(crops.normalised(9 * values - 4).ravel(), found, atol=1e-5)
    assert not crops.normalised(np.full((4, 4), 2, np.float32)).any()


def test_regions_are_ordered_by_the_squares_of_what_exceeds_the_level():
    values = np.zeros((20, 30), np.float32)
    values[2:14, 2:14] = 0.6  # at least 100 cells, with the edge that blurring takes: mass 10, squares 1
    values[15:19, 20:24] = 1.0  # 16 cells: mass 8, squares 4
    assert crops.regions(values, 0.5)[0][:2] == (20, 15)
    assert [crops.area(box) > 40 for box in crops.regions(values, 0.5)] == [False, True]
    assert crops.regions(values, 1.5) == []
    equal = np.zeros((20, 30), np.float32)
    equal[2:6, 20:24] = equal[12:16, 3:7] = 1.0
    assert [box[:2] for box in crops.regions(equal, 0.5)] == [(20, 2), (3, 12)], "of equal ones the upper comes first"


def test_a_box_grows_around_its_centre():
    assert crops.grown((4, 4, 6, 6), (10, 10), (100, 100), 1.5) == (35, 35, 65, 65)
    assert crops.grown((0, 0, 4, 4), (10, 10), (100, 100), 2.0) == (0, 0, 60, 60)  # cut at the image
    assert crops.grown((5, 5, 6, 6), (100, 100), (100, 200), 1.0) == (0, 0, 26, 21)  # 0.15 of 200
    left, top, right, bottom = crops.grown((50, 10, 51, 90), (100, 100), (100, 100), 1.0)
    assert (right - left, bottom - top) == (41, 80)  # half as wide as high
    assert crops.grown((50, 10, 51, 50), (100, 100), (100, 100), 2.0) == (30, 0, 71, 70)  # 80 high, 40 wide
    assert crops.grown((50, 10, 51, 50), (100, 100), (200, 200), 1.0) == (81, 20, 121, 100)  # cells of 2 pixels
    assert crops.grown((10, 50, 50, 51), (100, 100), (200, 200), 2.0) == (0, 61, 140, 141)  # 160 wide, 80 high


def test_boxes():
    assert crops.area((1, 2, 4, 6)) == 12
    assert crops.overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert crops.overlap((0, 0, 2, 2), (0, 1, 2, 3)) == pytest.approx(1 / 3)
    for apart in ((5, 5, 6, 6), (5, 0, 6, 2), (0, 5, 2, 6)):
        assert crops.overlap((0, 0, 2, 2), apart) == 0
    assert crops.low_box((50, 20, 100, 40), (100, 200), (50, 100)) == (25, 10, 50, 20)
    assert crops.low_box((199, 99, 200, 100), (100, 200), (50, 100)) == (98, 48, 100, 50)
    assert crops.low_box((50, 20, 51, 21), (100, 200), (50, 100)) == (25, 10, 27, 12)  # two pixels at least
    assert crops.low_size((600, 1200), 320) == (160, 320)
    assert crops.low_size((1, 400), 320) == (8, 320)
    assert crops.low_size((400, 1), 320) == (320, 8)


def test_a_crop_is_placed_and_enlarged():
    found = crops.placed(np.ones((4, 4), np.float32), (2, 1, 5, 3), (6, 8))
    np.testing.assert_array_equal(found, mask((6, 8), (2, 1, 5, 3)))


def test_only_borders_inside_of_the_image_are_touched():
    whole = mask((20, 20), (5, 5, 15, 15))
    assert crops.touching(whole, (5, 5, 15, 15)) == 1
    assert crops.touching(mask((20, 20), (8, 8, 12, 12)), (5, 5, 15, 15)) == 0
    half = mask((20, 20), (5, 5, 15, 10))  # all of the top, half of two sides, nothing of the bottom
    assert crops.touching(half, (5, 5, 15, 15)) == pytest.approx(20 / 40)
    assert crops.touching(mask((20, 20), (0, 0, 20, 20)), (0, 0, 20, 20)) == 0
    corner = mask((20, 20), (0, 0, 6, 10))
    assert crops.touching(corner, (0, 0, 10, 10)) == pytest.approx(6 / 20)  # of the bottom; the right side is free


def test_each_side_of_a_box_apart():
    left, top, right, bottom = crops.border(mask((20, 20), (5, 5, 15, 10)), (5, 5, 15, 15))
    assert (left.sum(), top.sum(), right.sum(), bottom.sum()) == (5, 10, 5, 0)
    for level, above in ((0.55, True), (0.5, False), (0.45, False)):
        sides = crops.border(np.full((20, 20), level, np.float32), (5, 5, 15, 15))
        assert [bool(side.all()) for side in sides] == [bool(side.any()) for side in sides] == [above] * 4
    assert [len(side) for side in crops.border(mask((20, 20)), (0, 3, 20, 20))] == [0, 20, 0, 0]


def test_a_box_moves_the_sides_that_are_named():
    assert crops.extended((40, 20, 60, 30), (True, False, False, True), (100, 100), 0.5) == (30, 20, 60, 35)
    assert crops.extended((5, 20, 95, 30), (True, True, True, False), (100, 100), 0.5) == (0, 15, 100, 30)
    assert crops.extended((40, 2, 60, 30), (False, True, False, False), (100, 100), 0.5) == (40, 0, 60, 30)
    assert crops.extended((5, 20, 95, 30), (False,) * 4, (100, 100), 0.5) == (5, 20, 95, 30)


def test_what_touches_the_object_and_is_similar_is_joined():
    crop, saliency = mask((40, 40), (10, 10, 20, 20)), mask((40, 40), (10, 10, 20, 34), (30, 0, 40, 8))
    similarity = mask((40, 40), (0, 20, 40, 40)) * 0.3
    joined = crops.join(crop, saliency, similarity, 0.25)
    np.testing.assert_array_equal(joined, mask((40, 40), (10, 10, 20, 34)))  # not the part that is far away
    np.testing.assert_array_equal(crops.join(crop, saliency, similarity, 0.35), crop)
    dot = mask((40, 40), (10, 10, 20, 20), (20, 12, 22, 13))  # too thin to be a part
    np.testing.assert_array_equal(crops.join(crop, dot, np.ones_like(crop), 0.25), crop)


@pytest.mark.parametrize("part", [(22, 10, 28, 20), (2, 10, 8, 20)])
def test_a_part_touches_within_three_pixels_and_comes_with_two_around_it(part):
    """Two columns lie between the object and the part; what is salient around the part is 0.4."""
    crop = mask((40, 40), (10, 10, 20, 20))
    left, top, right, bottom = part
    saliency = np.maximum(mask((40, 40), part), np.float32(0.4))
    expected = 0.4 * mask((40, 40), (left - 2, top - 2, right + 2, bottom + 2))
    expected = np.maximum(np.maximum(expected, mask((40, 40), part)), crop)
    np.testing.assert_allclose(crops.join(crop, saliency, np.ones_like(crop), 0.25), expected)
    away = 1 if left > 20 else -1  # one more column between them
    farther = mask((40, 40), (left + away, top, right + away, bottom))
    np.testing.assert_array_equal(crops.join(crop, farther, np.ones_like(crop), 0.25), crop)


def test_what_is_small_beside_the_object_is_not_joined():
    crop, similarity = mask((80, 80), (10, 10, 50, 50)), np.ones((80, 80), np.float32)  # a fiftieth is 32 pixels
    for width, joined in ((3, False), (4, True)):
        part = mask((80, 80), (50, 20, 50 + width, 30))
        assert (crops.join(crop, np.maximum(crop, part), similarity, 0.25)[25, 51] == 1) == joined


@pytest.mark.parametrize(("level", "joined"), [(0.55, True), (0.45, False)])
def test_the_object_of_a_crop_is_above_one_half(level, joined):
    crop, part = np.float32(level) * mask((40, 40), (10, 10, 20, 20)), mask((40, 40), (20, 10, 28, 20))
    found = crops.join(crop, part, np.ones_like(crop), 0.25)
    assert (found[15, 25] == 1) == joined


def test_small_holes_are_filled_and_parts_are_separated():
    ring = mask((20, 20), (2, 2, 12, 12)) > 0
    ring[6:8, 6:8] = False  # 4 of 96 pixels
    assert proposals.without_holes(ring)[2:12, 2:12].all()
    large = ring.copy()
    large[4:10, 4:10] = False  # 36 of 64
    np.testing.assert_array_equal(proposals.without_holes(large), large)
    bay = ring.copy()
    bay[2:8, 6:8] = False  # open to the outside
    np.testing.assert_array_equal(proposals.without_holes(bay), bay)
    three = mask((20, 30), (0, 0, 10, 10), (15, 0, 20, 10), (25, 0, 27, 2)) > 0
    assert [part.sum() for part in proposals.separate_parts(three)] == [100, 50]  # 4 are less than 0.08 of 100
    assert [part.sum() for part in proposals.separate_parts(three, most=1)] == [100]
    assert proposals.separate_parts(ring) == []


def test_hills_are_divided_by_a_dip():
    smooth = np.float32([[0.2, 0.6, 0.9, 0.7, 0.85, 0.5, 0.3, 0.55]])
    assert crops.hills(smooth, 0.5, 0.8, 0.12).tolist() == [[0, 1, 1, 1, 2, 2, 0, 0]]
    assert crops.hills(smooth, 0.5, 0.8, 0.2).tolist() == [[0, 1, 1, 1, 1, 1, 0, 0]]  # the dip is 0.15 deep
    assert crops.hills(smooth, 0.5, 0.5, 0.12).max() == 3
    assert not crops.hills(np.zeros((4, 4), np.float32), 0.5, 0.5, 0.12).any()
    assert crops.smoothed(np.full((5, 5), 2, np.float32)) == pytest.approx(1)
    assert not crops.smoothed(np.full((5, 5), -2, np.float32)).any()
    assert crops.smoothed(mask((9, 9), (4, 4, 5, 5)))[4, 4] == pytest.approx(1 / (2 * np.pi), abs=1e-3)  # sigma 1
