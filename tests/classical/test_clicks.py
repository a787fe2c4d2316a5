"""What a click does to a mask: its own region comes over, the rest stays."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.classical import clicks, cuts
from ipseg.classical.regions import superpixels, to_lab

NONE = np.empty((0, 2), np.float32)
SIZE = (90, 120)


@pytest.fixture(scope="module")
def graph():
    """Two discs, red and blue, on grey."""
    image = np.full((*SIZE, 3), 128, np.uint8)
    for (x, y), colour in (((30, 45), (200, 40, 40)), ((88, 45), (40, 60, 200))):
        image[disc(x, y)] = colour
    lab = to_lab(image)
    return cuts.build(superpixels(lab, 150), np.zeros((superpixels(lab, 150).n, 1)))


def disc(x, y, radius=20):
    rows, columns = np.indices(SIZE)
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def at(x, y):
    return np.array([[x, y]], np.float32)


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def test_without_a_click_nothing_changes(graph):
    assert np.array_equal(clicks.corrected(graph, disc(30, 45), NONE, NONE, 2), disc(30, 45))


def test_a_positive_click_adds_its_region_alone(graph):
    grown = clicks.corrected(graph, disc(30, 45), at(88, 45), NONE, 2)
    assert iou(grown, disc(30, 45) | disc(88, 45)) > 0.9


def test_a_negative_click_takes_its_region_alone(graph):
    both = disc(30, 45) | disc(88, 45)
    assert iou(clicks.corrected(graph, both, NONE, at(30, 45), 2), disc(88, 45)) > 0.85


def test_the_place_under_a_click_obeys_in_any_case(graph):
    rng = np.random.default_rng(0)
    for _ in range(10):
        x, y = rng.uniform((0, 0), (SIZE[1], SIZE[0]))
        for sign, pair in ((True, (at(x, y), NONE)), (False, (NONE, at(x, y)))):
            assert clicks.corrected(graph, disc(30, 45), *pair, 1.5)[int(y), int(x)] == sign


def test_where_two_clicks_meet_the_nearer_rules():
    mask = clicks.drawn(np.zeros(SIZE, bool), at(50, 40), at(54, 40), 6)
    assert mask[40, 49]
    assert not mask[40, 53]


def test_no_rim_of_the_old_outline_is_left_where_a_negative_click_took_a_region(graph):
    wide = disc(30, 45, 23) | disc(88, 45)  # three pixels wider than what is seen of the left disc
    left = clicks.corrected(graph, wide, NONE, at(30, 45), 2)
    assert left[:, :55].sum() < 5  # but for the outermost pixels of the disc
    assert iou(left, disc(88, 45)) > 0.9


def test_what_was_thin_before_a_negative_click_is_no_sliver():
    before = np.zeros(SIZE, bool)
    before[20:70, 10:50] = True
    before[40:42, 50:110] = True  # a leg, two pixels wide
    after = before.copy()
    after[20:68, 10:50] = False  # a rim of two pixels stays
    found = clicks.slivers(before, after)
    assert found[68:70, 12:48].all()
    assert not found[40:42, 54:].any()
    assert not clicks.slivers(before, before).any()
