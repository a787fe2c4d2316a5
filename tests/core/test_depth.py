"""Images of more than 8 bits, and of floats: what is used of their range becomes 0 to 255."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from ipseg.core import depth, formats, images
from ipseg.core.masks import open_mask
from ipseg.core.types import ImageError


def grey(height: int = 24, width: int = 32) -> np.ndarray:
    """A smooth ramp with noise, from 20 to 230: (H, W) float64 as of 8 bits."""
    ramp = np.linspace(30, 220, height * width).reshape(height, width)
    return ramp + np.random.default_rng(0).uniform(-10, 10, ramp.shape)


def colours() -> np.ndarray:
    return np.stack([grey(), grey()[::-1], grey()[:, ::-1]], axis=-1)


def tiff(values: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    options = {"photometric": "rgb" if values.ndim == 3 and values.shape[-1] > 2 else "minisblack", **options}
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def png(values: np.ndarray) -> bytes:
    """16 bits a channel: grey, grey and alpha, RGB or RGBA."""
    height, width = values.shape[:2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[1 if values.ndim == 2 else values.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    ]
    return formats.PNG + b"".join(chunks)


SCALES = {
    "10 bits in 16": (4, np.uint16),
    "12 bits in 16": (16, np.uint16),
    "14 bits in 16": (64, np.uint16),
    "16 bits": (257, np.uint16),
    "16 bits, signed": (128, np.int16),
    "32 bits": (2**24, np.uint32),
    "31 bits": (2**23, np.int32),
    "floats to 1": (1 / 255, np.float32),
    "floats to 255": (1, np.float32),
    "floats to 4095": (16, np.float32),
    "double": (16, np.float64),
    "half floats": (1 / 255, np.float16),
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", ["grey", "colours"])
def test_a_tiff_keeps_its_brightness(scale, shape):
    factor, dtype = SCALES[scale]
    truth = grey() if shape == "grey" else colours()
    opened = images.open_image(tiff((truth * factor).astype(dtype)))
    expected = truth if shape == "colours" else truth[..., None]
    np.testing.assert_allclose(opened - np.zeros(3), np.broadcast_to(expected, opened.shape), atol=2.5)


@pytest.mark.parametrize("factor", [4, 16, 64, 257])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_png_of_16_bits_keeps_its_brightness(factor, channels):
    truth = grey() if channels < 3 else colours()
    values = (truth * factor).astype(np.uint16)
    if channels in (2, 4):
        opaque = np.full((*truth.shape[:2], 1), 65535, np.uint16)
        values = np.concatenate([values.reshape(*truth.shape[:2], -1), opaque], axis=-1)
    opened = images.open_image(png(values))
    expected = truth if truth.ndim == 3 else truth[..., None]
    np.testing.assert_allclose(opened - np.zeros(3), np.broadcast_to(expected, opened.shape), atol=2.5)


@pytest.mark.parametrize("kind", ["P5", "P6"])
def test_a_ppm_of_10_bits(kind):
    truth = grey() if kind == "P5" else colours()
    data = f"{kind} 32 24 1023\n".encode() + (truth * 4).astype(">u2").tobytes()
    opened = images.open_image(data)
    expected = truth if truth.ndim == 3 else truth[..., None]
    np.testing.assert_allclose(opened - np.zeros(3), np.broadcast_to(expected, opened.shape), atol=2.5)


def test_alpha_of_16_bits_is_laid_on_white():
    alpha = np.where(np.arange(32) < 16, 0, 65535) * np.ones((24, 1))
    for data in (
        png(np.dstack([grey() * 16, alpha]).astype(np.uint16)),
        png(np.dstack([colours() * 16, alpha]).astype(np.uint16)),
        tiff(np.dstack([colours() * 16, alpha]).astype(np.uint16), extrasamples=["unassalpha"]),
        tiff(np.dstack([grey() * 16, alpha]).astype(np.uint16), extrasamples=["unassalpha"]),
    ):
        opened = images.open_image(data)
        assert (opened[:, :16] == 255).all()
        np.testing.assert_allclose(opened[:, 16:, 0], grey()[:, 16:], atol=2.5)


def test_channels_that_are_stored_apart():
    apart = np.moveaxis((colours() * 16).astype(np.uint16), -1, 0)
    opened = images.open_image(tiff(apart, planarconfig="separate"))
    np.testing.assert_allclose(opened, colours(), atol=2.5)


def test_alpha_that_is_stored_apart():
    alpha = np.where(np.arange(32) < 16, 0, 255) * np.ones((24, 1))
    stored = np.stack([grey() * 0.06, alpha]).astype(np.uint8)
    opened = images.open_image(tiff(stored, photometric="minisblack", planarconfig="separate", extrasamples=[2]))
    assert (opened[:, :16] == 255).all()
    np.testing.assert_array_equal(opened[:, 16:], np.dstack([stored[0]] * 3)[:, 16:])


def test_white_is_zero():
    stored = (65535 - grey() * 257).astype(np.uint16)
    opened = images.open_image(tiff(stored, photometric="miniswhite"))
    np.testing.assert_allclose(opened[..., 0], grey(), atol=2.5)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"compression": "zlib"}])
def test_a_deep_image_is_rotated_once(orientation, options):
    data = tiff((colours() * 16).astype(np.uint16), extratags=[(274, 3, 1, orientation, True)], **options)
    opened = images.open_image(data)
    np.testing.assert_allclose(opened, images.UPRIGHT[orientation](colours()), atol=2.5)
    assert images.orientation(data) == orientation


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_decides_no_range(wrong):
    values = (grey() / 255).astype(np.float32)
    values[0, 0] = wrong
    opened = images.open_image(tiff(values))
    np.testing.assert_allclose(opened[1:, :, 0], grey()[1:], atol=2.5)
    assert opened[0, 0, 0] == (255 if wrong == np.inf else 0)


def test_a_hot_pixel_decides_no_range():
    values = np.tile(grey() * 16, (3, 3)).astype(np.uint16)
    values[5, 5] = 65535
    opened = images.open_image(tiff(values))
    assert np.abs(opened[..., 0] - np.tile(grey(), (3, 3))).max(initial=0, where=values < 5000) < 3


@pytest.mark.parametrize(
    "values",
    [
        28_000 + grey() * 2,  # thermal: hundredths of a kelvin
        grey() - 500,
        grey() * 1e-6,
        grey() * 1e9,
    ],
    ids=["an offset", "negative", "very small", "very large"],
)
def test_a_range_far_from_any_depth_is_stretched(values):
    """As many levels are left as the eye needs."""
    opened = images.open_image(tiff(values.astype(np.float32)))[..., 0].astype(float)
    assert opened.std() > 20
    assert np.corrcoef(opened.ravel(), values.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("value", [0, 5, 300, 65535])
def test_an_even_image_stays_even(value):
    opened = images.open_image(tiff(np.full((20, 20), value, np.uint16)))
    assert np.ptp(opened) == 0


def test_limits_are_in_order():
    for values in (np.zeros(9), np.full(9, -3.0), np.full(9, 1e30), np.full(9, np.nan), np.array([1e30, 1e30 + 1e15])):
        low, high = depth.limits(values.astype(np.float64))
        assert low < high


def test_pil_images_of_other_depths():
    for mode, factor in (("I;16", 16), ("I", 16), ("I", 2**23), ("F", 1 / 255), ("F", 16)):
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        opened = images.open_image(Image.fromarray((grey() * factor).astype(dtype)))
        assert abs(float(opened.mean()) - grey().mean()) < 2
        assert opened.std() > 40


@pytest.mark.parametrize("compression", ["zlib", None])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_a_deep_file_that_is_cut_short(compression, part, one_message, capfd):
    noise = np.random.default_rng(0).integers(0, 65536, (40, 50, 3), dtype=np.uint16)
    for name, data in (("deep.tif", tiff(noise, compression=compression)), ("deep.png", png(noise))):
        with pytest.raises(ImageError) as caught:
            images.open_image(data[: int(len(data) * part)], name=name)
        one_message(caught.value, names=name)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("values", "options", "words"),
    [
        (np.zeros((5, 20, 30), np.uint8), {"photometric": "minisblack", "planarconfig": "separate"}, "5 channels"),
        (np.zeros((20, 30, 5), np.uint16), {"photometric": "minisblack", "planarconfig": "contig"}, "5 channels"),
        (
            np.zeros((3, 20, 30), np.uint16),
            {"planarconfig": "separate", "compression": "zlib", "photometric": "rgb"},
            "without compression",
        ),
        (
            np.zeros((2, 20, 30), np.uint8),
            {"planarconfig": "separate", "compression": "zlib", "photometric": "minisblack", "extrasamples": [2]},
            "without compression",
        ),
        (np.zeros((3, 20, 30), np.uint8), {"planarconfig": "separate", "photometric": "cielab"}, "stored apart"),
        (np.zeros((4, 20, 30), np.uint16), {"planarconfig": "separate", "photometric": "separated"}, "stored apart"),
        (np.zeros((20, 30, 3), np.uint16), {"photometric": "cielab"}, "no RGB image"),
    ],
)
def test_channels_that_are_not_read(values, options, words, one_message):
    with pytest.raises(ImageError, match=words) as caught:
        images.open_image(tiff(values, **options), name="bands.tif")
    one_message(caught.value, names="bands.tif")


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("left", [0, 1])
def test_a_jpeg_without_its_end_marker_says_so(left, progressive, encode, one_message):
    data = encode(colours().astype(np.uint8), "JPEG", progressive=progressive)
    assert data.endswith(b"\xff\xd9")
    with pytest.raises(ImageError, match="cut short") as caught:
        images.open_image(data[: len(data) - 2 + left], name="open.jpg")
    one_message(caught.value, names="open.jpg")


def test_a_deep_image_that_does_not_fit_is_refused(monkeypatch, one_message):
    monkeypatch.setattr(images, "MAX_DECODING", 24 * 32 * 8)
    for data in (png((colours() * 16).astype(np.uint16)), tiff((colours() * 16).astype(np.float32))):
        with pytest.raises(ImageError, match="more than 8 bits") as caught:
            images.open_image(data, name="deep.png")
        one_message(caught.value)


def test_masks_of_other_depths():
    """Labels are read as they stand in the file, not scaled."""
    truth = np.zeros((24, 32), bool)
    truth[5:15, 6:20] = True
    for dtype in (np.uint16, np.int16, np.uint32, np.int32, np.float32, np.float64):
        for high in (1, 38, 255):
            np.testing.assert_array_equal(open_mask(tiff((truth * high).astype(dtype))), truth)
    labels = truth.astype(np.uint16)
    labels[18:22, 6:20] = 300
    np.testing.assert_array_equal(open_mask(png(labels), mask_value=300), labels == 300)
    for high in (1, 200, 65535):
        three = np.repeat(truth[..., None], 3, axis=2).astype(np.uint16) * high
        np.testing.assert_array_equal(open_mask(png(three)), truth)
        np.testing.assert_array_equal(open_mask(cv2.imencode(".tif", three)[1].tobytes()), truth)
    red = np.zeros((24, 32, 3), np.uint16)
    red[truth, 0] = 65535
    np.testing.assert_array_equal(open_mask(png(red)), truth)
    cut = np.dstack([red, truth * 65535]).astype(np.uint16)
    np.testing.assert_array_equal(open_mask(png(cut)), truth)
