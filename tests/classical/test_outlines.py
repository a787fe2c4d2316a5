"""Outlines by hand, and what falls apart."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.classical import outlines
from ipseg.classical.outlines import Outline


def disc(x: int, y: int, radius: int = 20) -> np.ndarray:
    rows, columns = np.mgrid[:120, :200]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def test_a_square_is_solid_and_round_and_a_bar_is_long():
    square, bar = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    square[10:20, 10:20] = True
    bar[10:20, 10:50] = True
    assert outlines.outline(square) == pytest.approx((1, 1))
    assert outlines.outline(bar).solidity == pytest.approx(1)
    assert outlines.outline(bar).roundness == pytest.approx((99 / 1599) ** 0.5, abs=0.01)  # of (n² - 1) / 12 each
    assert outlines.outline(np.zeros((4, 4), bool)) is None


def test_an_angle_is_not_solid():
    angle = np.zeros((40, 40), bool)
    angle[:30, :10] = angle[20:30, :30] = True  # 300 + 200 of a hull of 300 + 200 + 20 * 20 / 2
    assert outlines.outline(angle).solidity == pytest.approx(500 / 700, abs=0.03)


def test_the_largest_region_counts():
    both = disc(40, 60)
    both[0:4, 150:190] = True
    assert outlines.outline(both) == outlines.outline(disc(40, 60))


def test_the_difference_is_to_the_most_similar_outline():
    square = np.zeros((40, 40), bool)
    square[:10, :10] = True
    assert outlines.difference(square, [Outline(0.5, 1.0)]) == pytest.approx(0.5)
    assert outlines.difference(square, [Outline(0.9, 0.6), Outline(0.5, 1.0)]) == pytest.approx(0.1 + 0.5 * 0.4)


def test_two_discs_that_touch_fall_apart_at_the_neck():
    both = disc(60, 60) | disc(98, 60)
    (region,) = outlines.regions(both)
    left, right = sorted(outlines.parts(region), key=lambda part: np.nonzero(part)[1].mean())
    assert (left & disc(60, 60)).sum() > 0.95 * left.sum()
    assert (right & disc(98, 60)).sum() > 0.95 * right.sum()
    assert ((left | right) == both).all()
    assert not (left & right).any()


def test_a_small_disc_falls_off_a_large_one_at_the_neck():
    """The circles of 20 and of 10 pixels round (60, 60) and (88, 60) meet at column 79.4."""
    large, small = outlines.parts(disc(60, 60) | disc(88, 60, 10))
    large, small = (large, small) if large.sum() > small.sum() else (small, large)
    assert (large[60].nonzero()[0].max(), small[60].nonzero()[0].min()) == (79, 80)


def test_one_pixel_is_round():
    pixel = np.zeros((5, 5), bool)
    pixel[2, 2] = True
    assert outlines.outline(pixel) == Outline(1, 1)


def blocks(height: int) -> np.ndarray:
    """Two blocks of 13 columns and so many rows, joined by a bar of 4 columns and 3 rows."""
    mask = np.zeros((30, 40), bool)
    top = 15 - height // 2
    mask[top : top + height, 5:18] = mask[top : top + height, 22:35] = mask[14:17, 5:35] = True
    return mask


def test_parts_that_are_shallow_do_not_count():
    """The middle row of 5 rows is 3 pixels from the border, after the blur 0.27 * 3 + 0.43 * 2 + 0.22 * 1 = 1.9; of 7
    rows it is 4, after the blur 0.27 * 4 + 0.43 * 3 + 0.22 * 2 + 0.07 * 1 = 2.9."""
    assert outlines.parts(blocks(5)) == []
    assert [part.sum() for part in outlines.parts(blocks(7))] == [91 + 6, 91 + 6]


def test_what_is_small_is_no_region():
    small = np.zeros((40, 40), bool)
    small[:6, :9] = True  # 54 pixels
    assert outlines.regions(small) == []
    small[:6, :10] = True
    assert len(outlines.regions(small)) == 1


def test_the_prompt_tells_whether_two_discs_are_two_objects():
    both = disc(60, 60) | disc(98, 60)
    pieces = outlines.parts(both)
    assert outlines.is_several(both, pieces, [outlines.outline(disc(60, 60))])  # the prompt shows a disc
    assert not outlines.is_several(both, pieces, [outlines.outline(both)])  # the prompt shows a dumb-bell
    assert not outlines.is_several(both, pieces, [])
    assert not outlines.is_several(both, pieces[:1], [outlines.outline(disc(60, 60))])


def test_pieces_count_by_their_area():
    bar, most, least = np.zeros((3, 20, 110), bool)
    bar[5:15, 5:105] = most[5:15, 5:95] = least[5:15, 95:105] = True
    assert outlines.difference(least, [Outline(1, 1)]) == pytest.approx(0)
    assert not outlines.is_several(bar, [most, least], [Outline(1, 1)])  # 0.40 of 0.45; 0.22 if both counted alike


def test_a_rough_border_and_middles_close_together_make_no_parts():
    holes = np.random.default_rng(0).random((120, 200)) < 0.02
    assert len(outlines.parts(disc(60, 60, 30) & ~(holes & ~disc(60, 60, 22)))) == 1
    assert len(outlines.parts(disc(60, 60) | disc(66, 60))) == 1


def test_middles_that_are_seven_pixels_apart_make_two_parts():
    """Those of discs 8 pixels apart: the blur moves one by a pixel. At 7 pixels of distance or fewer they are one."""
    assert len(outlines.parts(disc(60, 60, 6) | disc(68, 60, 6))) == 2
    assert len(outlines.parts(disc(60, 60, 6) | disc(67, 60, 6))) == 1
