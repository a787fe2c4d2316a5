"""What may come in as an image, and the one message for what may not."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipseg.core import images
from ipseg.core.types import ImageError

STORED = {  # EXIF orientation: how the upright image lies in the file (EXIF 2.32, tag 274)
    1: lambda u: u,
    2: lambda u: u[:, ::-1],
    3: lambda u: u[::-1, ::-1],
    4: lambda u: u[::-1],
    5: lambda u: u.transpose(1, 0, 2),
    6: lambda u: u[:, ::-1].transpose(1, 0, 2),
    7: lambda u: u[::-1, ::-1].transpose(1, 0, 2),
    8: lambda u: u[::-1].transpose(1, 0, 2),
}


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims ``width`` x ``height`` pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def noise(height: int = 64, width: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


BAD = {
    "text.jpg": lambda encode: b"These are words, not pixels.",
    "drawing.svg": lambda encode: b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"/>',
    "letter.jpg": lambda encode: b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
    "postscript.jpg": lambda encode: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
    "paintbrush.pcx": lambda encode: encode(noise(), "PCX"),  # Pillow could, but its lesser readers stay closed
    "cut.jpg": lambda encode: encode(noise(), "JPEG")[:-2000],
    "header.jpg": lambda encode: encode(noise(), "JPEG")[:200],
    "cut.png": lambda encode: encode(noise(), "PNG")[:-4000],
    "cut.gif": lambda encode: encode(Image.fromarray(noise()).convert("P"), "GIF")[:1500],
    "garbled.png": lambda encode: encode(noise(), "PNG").replace(b"IDAT", b"IDAX"),
    "empty.png": lambda encode: b"",
    "dot.png": lambda encode: encode(noise(1, 1), "PNG"),
    "fifteen.png": lambda encode: encode(noise(15, 64), "PNG"),
    "ribbon.png": lambda encode: encode(np.zeros((10, 30_000, 3), np.uint8), "PNG"),
    "wall.png": lambda encode: bomb(60_000, 60_000),
    "poster.png": lambda encode: bomb(9_000, 9_000),
    "banner.png": lambda encode: bomb(16_385, 100),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_message(name, tmp_path: Path, encode, one_message):
    path = tmp_path / name
    path.write_bytes(BAD[name](encode))
    with pytest.raises(ImageError) as caught:
        images.open_image(path)
    one_message(caught.value, names=name, folder=tmp_path)


@pytest.mark.parametrize("name", ["missing.jpg", "nul\0byte.jpg", "x" * 300 + ".jpg"])
def test_a_path_that_cannot_be_opened(name, tmp_path: Path, one_message):
    with pytest.raises(ImageError) as caught:
        images.open_image(f"{tmp_path}/{name}")
    one_message(caught.value, names=name[:3], folder=tmp_path)


def test_a_folder_is_no_image(tmp_path: Path, one_message):
    (tmp_path / "holiday").mkdir()
    with pytest.raises(ImageError, match="holiday is a folder") as caught:
        images.open_image(tmp_path / "holiday")
    one_message(caught.value, folder=tmp_path)


def test_sizes_are_named(encode):
    with pytest.raises(ImageError, match="64x15 pixels; give one of at least 16x16"):
        images.open_image(encode(noise(15, 64), "PNG"))
    with pytest.raises(ImageError, match=r"30000x10 pixels.*at most 16384"):
        images.open_image(encode(np.zeros((10, 30_000, 3), np.uint8), "PNG"))
    assert images.open_image(encode(noise(16, 16), "PNG")).shape == (16, 16, 3)


def test_a_file_over_the_limit_in_bytes(tmp_path: Path, monkeypatch, encode, one_message):
    assert images.MAX_BYTES == 64 * 2**20
    monkeypatch.setattr(images, "MAX_BYTES", 2**20)
    data = encode(noise(), "PNG")
    data += b"\0" * (2**20 - len(data))
    (tmp_path / "fits.png").write_bytes(data)
    (tmp_path / "heavy.png").write_bytes(data + b"\0")
    assert images.open_image(tmp_path / "fits.png").shape == (64, 64, 3)
    for source in (tmp_path / "heavy.png", data + b"\0", io.BytesIO(data + b"\0")):
        with pytest.raises(ImageError, match="larger than 1 MB") as caught:
            images.open_image(source)
        one_message(caught.value, folder=tmp_path)


def test_every_way_in_gives_the_same_image(tmp_path: Path, encode, save):
    pixels = noise(20, 30)
    path, data = save(tmp_path / "a.png", pixels), encode(pixels, "PNG")
    for source in (path, str(path), data, io.BytesIO(data), Image.open(io.BytesIO(data)), pixels):
        image = images.open_image(source)
        assert image.dtype == np.uint8
        assert not image.flags.writeable
        np.testing.assert_array_equal(image, pixels)
    assert pixels.flags.writeable


def test_a_cut_image_inside_a_pil_image_is_called_cut(encode):
    with pytest.raises(ImageError, match="damaged or cut short"):
        images.open_image(Image.open(io.BytesIO(encode(noise(), "JPEG")[:-2000])))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((32, 32, 2)),
        np.zeros((32, 32, 3), np.uint16),
        np.zeros((32, 32), bool),
        np.zeros((32, 32, 2), np.uint8),
        np.zeros((3, 32, 32), np.uint8),
        np.zeros((1, 32, 32, 3), np.uint8),
        np.zeros(32, np.uint8),
        np.zeros((0, 32, 3), np.uint8),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_wrong_arrays_are_named(array, one_message):
    with pytest.raises(ImageError) as caught:
        images.open_image(array)
    one_message(caught.value, names=f"{array.dtype} with the shape {array.shape}")


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_exif_orientation(orientation, kind, encode):
    upright = np.zeros((20, 36, 3), np.uint8)
    upright[:10, :18] = (255, 0, 0)
    upright[10:, :18] = (0, 0, 255)
    exif = Image.Exif()
    exif[274] = orientation
    stored = np.ascontiguousarray(STORED[orientation](upright))
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {}
    image = images.open_image(encode(stored, kind, exif=exif, **options))
    assert image.shape == upright.shape
    np.testing.assert_allclose(image.astype(int), upright, atol=0 if kind == "PNG" else 12)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_exif_block_is_ignored(kind, encode):
    """The pixels are sound."""
    data = encode(noise(), kind, exif=b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 40)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's own remark about the block
        assert images.open_image(data).shape == (64, 64, 3)
        assert images.orientation(data) == 1


def test_cmyk_and_grey(encode):
    red = Image.new("RGB", (20, 20), (255, 0, 0))
    image = images.open_image(encode(red.convert("CMYK"), "JPEG", quality=100))
    np.testing.assert_allclose(image[10, 10].astype(int), (255, 0, 0), atol=6)
    grey = images.open_image(np.full((20, 20), 77, np.uint8))
    assert grey.shape == (20, 20, 3)
    assert (grey == 77).all()


def test_sixteen_bits_keep_their_brightness(encode):
    ramp = np.linspace(0, 65535, 20 * 20).reshape(20, 20).astype(np.uint16)
    image = images.open_image(encode(ramp, "PNG"))
    np.testing.assert_allclose(image[..., 0], ramp / 257, atol=0.51)
    rgb = np.stack([ramp, ramp[::-1], ramp.T], axis=-1)
    np.testing.assert_allclose(images.open_image(rgb_png(rgb)), rgb / 257, atol=1)


def rgb_png(rgb: np.ndarray) -> bytes:
    """A PNG with 16 bits a channel, which Pillow reads but does not write."""
    cv2 = pytest.importorskip("cv2")
    return cv2.imencode(".png", rgb[..., ::-1])[1].tobytes()


@pytest.mark.parametrize("top", [1.0, 255.0])
def test_float_tiff(top, encode):
    ramp = np.linspace(0, top, 400, dtype=np.float32).reshape(20, 20)
    ramp[0, 1] = np.nan
    image = images.open_image(encode(ramp, "TIFF"))
    assert image[0, 1, 0] == 0
    np.testing.assert_allclose(image[1:, :, 0], ramp[1:] / top * 255, atol=0.51)


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_floats_from_0_to_1(channels, one_message):
    values = np.random.default_rng(0).random((20, 30, *channels))
    pixels = np.rint(values * 255).astype(np.uint8)
    for floats in (values, values.astype(np.float32), values.astype(np.float16)):
        np.testing.assert_allclose(images.open_image(floats).astype(int), images.open_image(pixels), atol=1)
    for wrong, words in (
        (values * 255, "from 0"),
        (values - 0.5, "from -0."),
        (np.where(values < 0.5, np.nan, 1), "nan"),
    ):
        with pytest.raises(ImageError, match="give floats from 0 to 1, or uint8") as caught:
            images.open_image(wrong)
        one_message(caught.value, names=words)


def transparent() -> dict[str, Image.Image]:
    """Images whose left half is see-through and whose right half is dark."""
    alpha = np.zeros((20, 20), np.uint8)
    alpha[:, 10:] = 255
    dark = np.full((20, 20), 40, np.uint8)
    palette = Image.fromarray((alpha > 0).astype(np.uint8), "L").convert("P")
    palette.putpalette([200, 0, 0, 40, 40, 40])
    return {
        "RGBA": Image.fromarray(np.dstack([dark, dark, dark, alpha])),
        "LA": Image.merge("LA", (Image.fromarray(dark), Image.fromarray(alpha))),
        "P": palette,
    }


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_means_white(mode, encode):
    options = {"transparency": 0} if mode == "P" else {}
    image = images.open_image(encode(transparent()[mode], "PNG", **options))
    assert (image[:, :10] == 255).all()
    assert (image[:, 10:] == 40).all()


def test_half_transparent_is_mixed_with_white():
    pixels = np.dstack([np.zeros((20, 20, 3), np.uint8), np.full((20, 20), 128, np.uint8)])
    np.testing.assert_allclose(images.open_image(pixels), 127, atol=1)


def test_the_first_frame_of_an_animation(encode):
    frames = [Image.new("RGB", (24, 20), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
        image = images.open_image(data)
        assert image.shape == (20, 24, 3)
        assert (image == (255, 0, 0)).all()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "The image is None, as cv2.imread returns it for a file it cannot read; give a path"),
        ([[1, 2], [3, 4]], "The image is list; give a path"),
        (7, "The image is int; give a path"),
        (bytearray(b"words"), "The image given as bytearray is not an image"),
        (memoryview(b"words"), "The image given as memoryview is not an image"),
        (b"words", "The image given as bytes is not an image"),
        (noise().tobytes(), "The image given as bytes is not an image"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_image_is_named_by_its_type(source, words, one_message):
    with pytest.raises(ImageError) as caught:
        images.open_image(source)
    one_message(caught.value, names=words)


def test_bytes_of_other_types(encode):
    data = encode(noise(20, 30), "PNG")
    for source in (bytearray(data), memoryview(data)):
        np.testing.assert_array_equal(images.open_image(source), noise(20, 30))


def test_tensors(one_message):
    torch = pytest.importorskip("torch")
    pixels = noise(20, 30)
    tensor = torch.from_numpy(pixels)
    whole = (tensor, tensor.permute(2, 0, 1), tensor / 255, (tensor / 255).permute(2, 0, 1))
    for source in whole:
        image = images.open_image(source)
        assert (image.dtype, image.flags.writeable) == (np.uint8, False)
        np.testing.assert_array_equal(image, pixels)
    for grey in (tensor[..., 0], tensor[..., 0][None], tensor[..., :1]):
        np.testing.assert_array_equal(images.open_image(grey)[..., 1], pixels[..., 0])
    for source, words in (
        (torch.zeros(3, 40, 3, dtype=torch.uint8), "channels may be first or last"),
        (torch.zeros(1, 3, 40, 50, dtype=torch.uint8), "uint8 with the shape (1, 3, 40, 50)"),
        (tensor.float(), "floats from 0 to 1"),
        (tensor.long(), "int64"),
    ):
        with pytest.raises(ImageError) as caught:
            images.open_image(source)
        one_message(caught.value, names=words)
