"""Images of results keep the size, leave their inputs alone, and show what they claim."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import viz
from ipseg.core.status import Status
from ipseg.core.types import Points

NONE = np.zeros((0, 2), np.float32)


@pytest.fixture
def still(scene):
    """A read-only image, as ``open_image`` gives it, and its mask."""
    image, mask = scene
    image.setflags(write=False)
    return image, mask


@pytest.mark.parametrize("size", [(16, 16), (301, 77), (48, 640)])
def test_every_image_keeps_its_size(size, make_scene):
    image, mask = make_scene(*size)
    image.setflags(write=False)
    points = Points(np.array([[0, 0], [size[1] - 1, size[0] - 1]], np.float32), np.array([[3.5, 3.5]], np.float32))
    values = np.linspace(0, 1, mask.size, dtype=np.float32).reshape(size)
    for shown in (
        viz.overlay(image, mask, points),
        viz.draw_points(image, points),
        viz.heat_map(image, values),
        viz.spotlight(image, values),
    ):
        assert (shown.shape, shown.dtype) == ((*size, 3), np.uint8)
    assert viz.cut_out(image, mask).shape == (*size, 4)


def test_the_overlay_leaves_the_object_its_colours_and_dims_the_rest():
    image = np.full((600, 600, 3), (200, 100, 0), np.uint8)
    mask = np.zeros((600, 600), bool)
    mask[100:300, 100:300] = True
    shown = viz.overlay(image, mask)
    assert (shown[110:290, 110:290] == (200, 100, 0)).all()
    assert (shown[500, 500] == (60, 40, 20)).all()  # darker, and less colourful
    assert (shown[100, 200] == viz.MASK).all()  # the outline
    assert (viz.overlay(image, mask, colour=viz.GUESS)[100, 200] == viz.GUESS).all()
    assert (viz.overlay(image, mask, colour=(0, 0, 0), opacity=1)[200, 200] == 0).all()
    np.testing.assert_allclose(viz.overlay(image, mask, colour=(0, 0, 0), opacity=0.5)[200, 200], (100, 50, 0))
    assert (viz.overlay(image, np.zeros_like(mask)) == (60, 40, 20)).all()


def test_a_guess_is_dashed_and_dimmed():
    image = np.full((600, 600, 3), (200, 100, 0), np.uint8)
    mask = np.zeros((600, 600), bool)
    mask[100:300, 100:300] = True
    for status in (Status.DETECTED, Status.UNCERTAIN):
        drawn = viz.overlay(image, mask, colour=viz.colour_of(status))
        np.testing.assert_array_equal(viz.overlay_of(image, mask, status), drawn)
    guess = viz.overlay_of(image, mask, Status.NOT_DETECTED)
    assert (guess[500, 500] == (60, 40, 20)).all()
    assert (guess[200, 200] == (130, 70, 10)).all()  # between the object's own colours and the dimmed ones
    on_edge = (guess[100, 100:300] == viz.GUESS).all(axis=-1)
    assert 0.3 < on_edge.mean() < 0.7  # dashes and gaps
    assert (viz.overlay_of(image, np.zeros_like(mask), Status.NOT_DETECTED) == (60, 40, 20)).all()


def test_instances_have_their_colours_and_numbers_by_their_number():
    image = np.full((300, 600, 3), 120, np.uint8)
    left, right = np.zeros((2, 300, 600), bool)
    left[60:240, 60:240], right[60:240, 360:540] = True, True
    both = viz.numbered(image, [left, right])
    assert (both[60, 100] == viz.instance_colour(1)).all()
    assert (both[60, 400] == viz.instance_colour(2)).all()
    assert (both[70, 70] == 120).all()
    assert (both[5, 5] == 48).all()
    second = viz.numbered(image, [right], [2])
    np.testing.assert_array_equal(second[:, 330:], both[:, 330:])
    assert (second[150, 150] == 48).all()


def test_the_background_of_a_cut_out_is_a_colour_or_blurred(still):
    image, mask = still
    cut = viz.cut_out(image, mask)
    for shown in (viz.on_background(cut, (255, 0, 9)), viz.on_background(cut)):
        assert (shown.shape, shown.dtype) == (image.shape, np.uint8)
        np.testing.assert_array_equal(shown[mask], image[mask])
    assert (viz.on_background(cut, (255, 0, 9))[~mask] == (255, 0, 9)).all()
    assert viz.on_background(cut)[~mask].astype(float).std() < image[~mask].astype(float).std()


def test_points_are_drawn_where_they_are():
    image = np.zeros((200, 300, 3), np.uint8)
    shown = viz.draw_points(image, Points(np.array([[60.5, 40.5]]), np.array([[200.5, 120.5]])))
    green = np.argwhere((shown == viz.POSITIVE).all(axis=-1))
    red = np.argwhere((shown == viz.NEGATIVE).all(axis=-1))
    np.testing.assert_allclose(green.mean(axis=0), (40, 60), atol=0.5)
    np.testing.assert_allclose(red.mean(axis=0), (120, 200), atol=0.5)
    assert (shown[40 - 2, 60] == 255).all()  # the upright of the plus
    assert (shown[120 - 2, 200] == viz.NEGATIVE).all()  # a minus has none
    assert (shown[120, 200] == 255).all()
    assert not image.any()
    np.testing.assert_array_equal(viz.draw_points(image, Points(NONE, NONE)), image)


def test_positive_points_lie_on_top():
    here = np.array([[50, 50]], np.float32)
    shown = viz.draw_points(np.zeros((100, 100, 3), np.uint8), Points(here, here))
    assert (shown == viz.POSITIVE).all(axis=-1).any()
    assert not (shown == viz.NEGATIVE).all(axis=-1).any()


def test_the_heat_map_is_red_where_it_is_high(still):
    image, mask = still
    values = mask.astype(np.float32) * 0.2 + 0.3  # stretched over its own range
    shown = viz.heat_map(image, values, opacity=1).astype(int)
    assert (shown[mask][:, 0] > shown[mask][:, 2]).all()
    assert shown[~mask][:, 0].max() < 60
    flat = viz.heat_map(image, np.full(mask.shape, 0.5, np.float32), opacity=1)
    assert len(np.unique(flat.reshape(-1, 3), axis=0)) == 1
    assert flat.max() < 80


def test_the_spotlight_keeps_what_is_salient(still):
    image, mask = still
    shown = viz.spotlight(image, mask.astype(np.float32))
    np.testing.assert_array_equal(shown[mask], image[mask])
    np.testing.assert_allclose(shown[~mask], image[~mask] * 0.15, atol=0.51)


def test_the_cut_out_is_the_image_with_the_mask_as_alpha(still):
    image, mask = still
    cut = viz.cut_out(image, mask)
    np.testing.assert_array_equal(cut[..., :3], image)
    np.testing.assert_array_equal(cut[..., 3], mask * 255)


def test_where_masks_differ_each_has_its_colour():
    image = np.full((4, 4, 3), 100, np.uint8)
    left, right = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    left[:, :2], right[:, 1:3] = True, True
    shown = viz.difference(image, [left, right], [(255, 0, 0), (0, 0, 255)])
    alone, both, other, none = (shown[0, column].astype(int) for column in range(4))
    assert alone[0] > alone[2]
    assert other[2] > other[0]
    assert np.ptp(both) == np.ptp(none) == 0
    assert both[0] > none[0]


def test_a_row_holds_every_image_and_cuts_long_captions():
    tiles = [(np.full((30, 40, 3), 200, np.uint8), "short"), (np.zeros((60, 40, 3), np.uint8), "a long caption " * 9)]
    row = viz.strip(tiles, height=90, gap=6)
    assert row.shape == (90 + 10 + 12, 120 + 60 + 18, 3)
    assert (row[:, -6:] == 255).all()  # nothing runs over the edge


@pytest.mark.parametrize("size", [(16, 6400), (6400, 16), (16, 16_384)])
def test_a_row_of_thin_images_is_bounded(size):
    tile = np.zeros((*size, 3), np.uint8)
    row = viz.strip([(tile, "one"), (tile, "two")], height=90)
    assert row.shape[0] < 90 * 2
    assert row.shape[1] <= 2 * viz.WIDEST * 90 + 3 * 12
    assert (row < 128).any()  # each is drawn


@pytest.mark.parametrize("size", [(40, 16_000), (6400, 16)])
def test_thin_images_are_drawn_at_their_own_size(size):
    image, mask = np.zeros((*size, 3), np.uint8), np.zeros(size, bool)
    mask[:20, :20] = True
    drawn = [
        viz.overlay(image, mask, Points(np.array([[3.0, 3.0]], np.float32), np.zeros((0, 2), np.float32))),
        viz.heat_map(image, mask.astype(np.float32)),
        viz.spotlight(image, mask.astype(np.float32)),
        viz.numbered(image, [mask]),
        viz.difference(image, [mask, ~mask]),
        viz.cut_out(image, mask)[..., :3],
    ]
    assert {each.shape for each in drawn} == {(*size, 3)}


def test_numbered_instances_take_the_colours_that_are_given():
    image, mask = np.full((300, 800, 3), 200, np.uint8), np.zeros((300, 800), bool)
    mask[80:240, 20:500] = True
    own = viz.numbered(image, [mask], colours=[(1, 2, 250)])
    default = viz.numbered(image, [mask])
    assert (own == (1, 2, 250)).all(-1).any()
    assert not (default == (1, 2, 250)).all(-1).any()


def test_a_mark_on_a_thin_image_leaves_the_object_to_be_seen():
    image = np.zeros((100, 4000, 3), np.uint8)
    shown = viz.draw_points(image, Points(np.array([[2000.5, 50.5]]), np.zeros((0, 2))))
    rows = np.flatnonzero(shown.any(axis=(1, 2)))
    assert 10 <= len(rows) <= 25
