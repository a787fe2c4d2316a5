"""Robust background detection: what neither touches nor resembles the border."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.classical.regions import superpixels, to_lab
from ipseg.core import plugins
from ipseg.saliency import boundary


@pytest.fixture(scope="module")
def method():
    return plugins.build("saliency", "boundary")


def regions(image):
    return superpixels(to_lab(image), 60)


def test_an_object_away_from_the_border_stands_out(method, make_scene):
    image, mask = make_scene(60, 80)
    shown = method(image)
    assert ((shown > 0.5) & mask).sum() / ((shown > 0.5) | mask).sum() > 0.8
    assert shown.dtype == np.float32
    assert 0 <= shown.min() <= shown.max() <= 1


def test_what_touches_the_border_everywhere_is_background(make_scene):
    image, mask = make_scene(60, 80)
    found = regions(image)
    salient, background = boundary.robust_background(found, found.colour)
    inside = found.mean(mask) > 0.5
    assert salient[inside].min() > salient[~inside].max()
    assert background[inside].max() < background[found.border].min()
    assert background[inside].max() < 0.2
    for values in (salient, background):
        assert 0 <= values.min() <= values.max() <= 1


def test_a_flat_image_has_no_saliency_to_speak_of(method):
    shown = method(np.full((40, 60, 3), 127, np.uint8))
    assert np.isfinite(shown).all()
    assert np.ptp(shown[:, 30]) < 1


def test_the_preference_for_the_middle_by_hand():
    class Two:
        labels = np.zeros((10, 20), np.int32)
        position = np.array([[0.5, 0.25], [0.0, 0.25]])  # the middle, and the middle of the left side

    np.testing.assert_allclose(boundary.centre_prior(Two()), [1, np.exp(-0.25 / (2 * 0.35**2))])


def test_otsu_weighs_regions_by_their_area():
    values = np.array([0.0, 0.1, 1.0])
    threshold = boundary._otsu(values, np.array([10.0, 10.0, 10.0]))
    assert 0.09 < threshold < 1
    heavy = boundary._otsu(np.array([0.0, 0.4, 0.5, 1.0]), np.array([1.0, 1.0, 1.0, 1000.0]))
    assert 0.49 < heavy < 1  # of almost everything at 1, the rest is parted as a whole
    assert boundary._otsu(np.full(3, 0.4), np.ones(3)) == pytest.approx(0.4)
