"""Whether the object is there, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import geometry
from ipseg.core.status import Status
from ipseg.core.types import FeatureMap, Prototype
from ipseg.method import presence

FRAME = geometry.squash_frame((10, 40), (1, 4))
LAYER = FeatureMap("a", np.float32([[[5, 0], [0.6, 0.8], [-1, 0], [0, 1]]]), FRAME)


def shows(*descriptors) -> Prototype:
    """A prompt of one image for each of the arguments, lists of unit vectors."""
    cells = tuple(np.float32(each) for each in descriptors)
    return Prototype({"layer": cells[0][0]}, {}, cells)


def cells(*numbers) -> np.ndarray:
    mask = np.zeros((10, 40), bool)
    for number in numbers:
        mask[:, 10 * number : 10 * number + 10] = True
    return mask


def test_the_mean_of_the_squares_of_the_best_cosines():
    assert presence.score(shows([[1, 0]]), LAYER, cells(0, 1)) == pytest.approx((1 + 0.36) / 2)
    assert presence.score(shows([[1, 0]]), LAYER, cells(1)) == pytest.approx(0.36)
    assert presence.score(shows([[1, 0], [0, 1]]), LAYER, cells(0, 1)) == pytest.approx((1 + 0.64) / 2)
    assert presence.score(shows([[1, 0]], [[0, 1]]), LAYER, cells(0, 1)) == pytest.approx((1 + 0.64) / 2)


def test_negative_cosines_count_nothing():
    assert presence.score(shows([[1, 0]]), LAYER, cells(0, 2)) == pytest.approx(0.5)


def test_what_the_negative_prompt_explains_is_subtracted():
    assert presence.score(shows([[1, 0]]), LAYER, cells(0, 1), shows([[0, 1]])) == pytest.approx(0.5)
    assert presence.score(shows([[0, 1]]), LAYER, cells(1), shows([[1, 0]])) == pytest.approx(0.64 - 0.36)


def test_an_empty_mask_scores_nothing():
    assert presence.score(shows([[1, 0]]), LAYER, cells()) == 0


def test_a_mask_smaller_than_a_cell_takes_the_cell_that_holds_most_of_it():
    small = np.zeros((10, 40), bool)
    small[2:4, 9:13] = True  # one column in the first cell, three in the second
    assert presence.score(shows([[1, 0]]), LAYER, small) == pytest.approx(0.36)


@pytest.mark.parametrize(("columns", "expected"), [(5, (1 + 0.36) / 2), (4, 1.0)])
def test_a_cell_counts_from_half_of_it_on(columns, expected):
    mask = cells(0)
    mask[:, 10 : 10 + columns] = True
    assert presence.score(shows([[1, 0]]), LAYER, mask) == pytest.approx(expected)


def test_samples_are_spread_and_of_unit_length():
    side = 40
    values = np.arange(side * side, dtype=np.float32).reshape(side, side, 1) + 1
    layer = FeatureMap("a", np.concatenate([values, values], axis=2), geometry.squash_frame((side, side), (side, side)))
    found = presence.sample(layer, np.ones((side, side), bool))
    assert found.shape == (presence.SAMPLE, 2)
    np.testing.assert_allclose(found, 0.5**0.5, rtol=1e-5)
    few = presence.sample(layer, np.eye(side, dtype=bool))
    assert len(few) == side


@pytest.mark.parametrize(
    ("score", "high", "low", "expected"),
    [
        (0.5, 0.5, 0.25, Status.DETECTED),
        (np.nextafter(0.5, 0), 0.5, 0.25, Status.UNCERTAIN),
        (0.25, 0.5, 0.25, Status.UNCERTAIN),
        (np.nextafter(0.25, 0), 0.5, 0.25, Status.NOT_DETECTED),
        (0.5, 0.5, 0.5, Status.DETECTED),
        (np.nextafter(0.5, 0), 0.5, 0.5, Status.NOT_DETECTED),  # equal thresholds leave two states
        (0.0, 0.0, 0.0, Status.DETECTED),
        (0.0, 0.5, 0.0, Status.UNCERTAIN),
    ],
)
def test_the_status_at_its_borders(score, high, low, expected):
    mask = np.zeros((2, 3), bool)
    mask[0, 1] = True
    empty = np.zeros_like(mask)
    assert presence.status(score, mask, high, low) is expected
    assert presence.status(score, mask, high, low, clicked=True) is Status.DETECTED
    assert presence.status(score, empty, high, low, clicked=True) is Status.NOT_DETECTED


def box(size, rows, columns):
    mask = np.zeros(size, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


@pytest.mark.parametrize(
    ("rows", "columns"), [((0, 10), (0, 10)), ((190, 200), (290, 300)), ((100, 101), (150, 151)), ((90, 110), (5, 30))]
)
def test_the_crop_around_a_small_mask_holds_it_and_its_surroundings(rows, columns):
    mask = box((200, 300), rows, columns)
    place = presence.crop_of_small(mask)
    assert mask[place].sum() == mask.sum()
    height, width = mask[place].shape
    assert height == width == 2 * (max(np.ptp(rows), np.ptp(columns)) + presence.MARGIN)


def test_the_crop_of_a_thin_image_has_its_height():
    mask = box((40, 16_000), (5, 35), (8000, 8030))
    assert mask[presence.crop_of_small(mask)].shape == (40, 2 * (30 + presence.MARGIN))


def test_a_large_mask_and_an_empty_one_have_no_crop():
    assert presence.crop_of_small(box((200, 300), (50, 150), (50, 150))) is None
    assert presence.crop_of_small(box((200, 300), (0, 0), (0, 0))) is None


def test_the_crop_of_a_small_mask_by_hand():
    """Twice the longer side and 8 pixels, around the middle, up to half of the longer side of the image."""
    assert presence.crop_of_small(box((100, 120), (40, 44), (50, 52))) == (slice(30, 54), slice(39, 63))
    assert presence.crop_of_small(box((100, 100), (40, 57), (50, 52))) == (slice(23, 73), slice(26, 76))  # 2 * 25
    assert presence.crop_of_small(box((100, 100), (40, 58), (50, 52))) is None  # 2 * 26
    assert presence.crop_of_small(box((100, 100), (0, 4), (96, 100))) == (slice(0, 24), slice(76, 100))


def test_each_cell_for_each_prompt():
    found = presence.of_cells([shows([[1, 0]]), shows([[0, 1]], [[-1, 0]])], LAYER)
    np.testing.assert_allclose(found[:, 0], [[1, 0.36, 0, 0], [0, 0.64, 1, 1]], atol=1e-6)
    assert found.shape == (2, 1, 4)


def test_64_samples_of_a_prompt_are_compared_where_there_are_many_prompts():
    """Of 65 they are those at i * 64 / 63, rounded down: number 63 is left out."""
    frame = geometry.squash_frame((10, 30), (1, 3))
    layer = FeatureMap("a", np.eye(65, dtype=np.float32)[None, [31, 63, 64]], frame)
    assert presence.of_cells([shows(np.eye(65))], layer).ravel() == pytest.approx([1, 0, 1])


def test_256_cells_of_a_mask_are_compared():
    layer = FeatureMap("a", np.ones((20, 20, 2), np.float32), geometry.squash_frame((20, 20), (20, 20)))
    assert presence.sample(layer, np.ones((20, 20), bool)).shape == (256, 2)
    assert presence.sample(layer, np.eye(20, dtype=bool)).shape == (20, 2)


def test_the_mean_of_maps_over_regions():
    maps = np.float32([[[1, 0.5, 0, 0]], [[0, 0, 0, 1]]])
    regions = np.array([[[True, True, False, False]], [[False, False, False, True]]])
    assert presence.of_regions(maps, regions) == pytest.approx(np.float32([[0.75, 0], [0, 1]]))
    assert presence.of_regions(maps, regions[:0]).shape == (2, 0)


def test_a_region_is_small_where_a_mask_of_it_is_scored_on_a_crop():
    frame = geometry.squash_frame((300, 400), (3, 4))
    regions = np.zeros((2, 3, 4), bool)
    regions[0, 1, 1], regions[1, 0, :2] = True, True
    assert presence.small_regions(regions, frame).tolist() == [False, False]  # 2 (100 + 8) of 400 pixels
    fine = geometry.squash_frame((300, 400), (6, 8))
    regions = np.zeros((3, 6, 8), bool)
    regions[0, 1, 1], regions[1, 0, :2], regions[2, 2:4, 3] = True, True, True
    assert presence.small_regions(regions, fine).tolist() == [True, False, False]
    one = np.zeros((1, 3, 5), bool)
    one[0, 1, 1] = True
    assert presence.small_regions(one, geometry.squash_frame((96, 160), (3, 5))).all()  # just 2 (32 + 8) of 160
    assert not presence.small_regions(one, geometry.squash_frame((93, 155), (3, 5))).any()  # 2 (31 + 8) of 155
    assert presence.small_regions(one, geometry.squash_frame((96, 400), (3, 5))).all()  # of the longer side


def test_the_cells_of_a_mask():
    mask = np.zeros((10, 40), bool)
    mask[:, 4:21] = True
    assert presence.cells_of(mask, FRAME).tolist() == [[True, True, False, False]]
    mask[:, 4] = False
    assert presence.cells_of(mask, FRAME).tolist() == [[True, True, False, False]], "half of a cell"
    mask[:, 5] = False
    assert presence.cells_of(mask, FRAME).tolist() == [[False, True, False, False]]
    mask = np.zeros((10, 40), bool)
    mask[2:4, 8:11] = True
    assert presence.cells_of(mask, FRAME).tolist() == [[True, False, False, False]]
    assert not presence.cells_of(np.zeros((10, 40), bool), FRAME).any()
