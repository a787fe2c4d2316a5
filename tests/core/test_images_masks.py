"""Prompt masks, PNG files that go out, and names for content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ipseg.core import images
from ipseg.core.types import ImageError, MaskError


def test_any_channel_above_half_means_the_thing(encode):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[2, 3] = (0, 0, 128)
    pixels[4, 5] = (127, 127, 127)
    mask = images.open_mask(encode(pixels, "PNG"), (20, 30))
    assert mask.dtype == bool
    assert not mask.flags.writeable
    assert [tuple(place) for place in np.argwhere(mask)] == [(2, 3)]


def test_a_bool_array_is_taken_as_it_is():
    given = np.zeros((20, 30), bool)
    given[5:9, 4:7] = True
    mask = images.open_mask(given)
    np.testing.assert_array_equal(mask, given)
    given[:] = False
    assert mask.sum() == 12
    with pytest.raises(MaskError, match=r"shape \(20, 30, 1\)"):
        images.open_mask(given[..., None])


def test_transparent_is_not_the_thing(encode):
    pixels = np.full((20, 30, 4), 255, np.uint8)
    pixels[:, :10, 3] = 0
    mask = images.open_mask(encode(pixels, "PNG"))
    assert mask.sum() == 20 * 20
    assert not mask[:, :10].any()


def test_sixteen_bit_masks(encode):
    pixels = np.zeros((20, 30), np.uint16)
    pixels[:5] = 65535
    assert images.open_mask(encode(pixels, "PNG")).sum() == 5 * 30


@pytest.mark.parametrize("empty", [np.zeros((20, 30), bool), np.full((20, 30), 127, np.uint8)])
def test_an_empty_mask(empty, one_message):
    with pytest.raises(MaskError, match="empty") as caught:
        images.open_mask(empty, (20, 30))
    one_message(caught.value)


def test_a_mask_of_another_size_names_both(tmp_path: Path, save, one_message):
    path = save(tmp_path / "m.png", np.full((20, 30), 255, np.uint8))
    with pytest.raises(MaskError, match=r"m\.png is 30x20 pixels but its image is 20x30") as caught:
        images.open_mask(path, (30, 20))
    one_message(caught.value, folder=tmp_path)


def test_a_mask_file_that_is_no_picture(tmp_path: Path):
    (tmp_path / "m.png").write_text("words")
    with pytest.raises(ImageError, match=r"m\.png is not an image"):
        images.open_mask(tmp_path / "m.png")


def test_a_mask_may_be_smaller_than_a_picture_may_be():
    assert images.open_mask(np.ones((3, 3), bool)).shape == (3, 3)


@pytest.mark.parametrize("shape", [(17, 31), (17, 31, 3), (17, 31, 4)])
def test_png_round_trip(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    if len(shape) == 3 and shape[2] == 4:
        pixels[..., 3] = 255
    data = images.encode_png(pixels)
    assert data.startswith(b"\x89PNG")
    opened = images.open_image(data)
    np.testing.assert_array_equal(opened, pixels[..., :3] if len(shape) == 3 else np.dstack([pixels] * 3))


def test_fingerprints_differ_on_shape_dtype_and_content():
    a = np.arange(12, dtype=np.uint8)
    others = [a.reshape(3, 4), a.reshape(4, 3), a.astype(np.int8), a + 1, a[::-1], a[:0], None]
    names = [images.fingerprint(array) for array in [a, *others]]
    assert len(set(names)) == len(names)
    assert images.fingerprint(a) == images.fingerprint(a.copy())
    assert images.fingerprint(a, None) != images.fingerprint(None, a)
    strided = np.arange(24, dtype=np.uint8)[::2]
    assert images.fingerprint(strided) == images.fingerprint(strided.copy())
