"""What opening an image may cost: bounds that are checked before anything is decoded, and memory."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from ipseg.core import formats, images
from ipseg.core.masks import open_mask
from ipseg.core.types import ImageError

MEGAPIXELS = 12.5
ALLOWED = 8 * MEGAPIXELS + 20  # MB: 400 MB for 50 megapixels, and what a band of rows takes
KINDS = ("RGB.png", "RGBA.png", "LA.png", "I;16.png", "P.png", "CMYK.jpg", "F.tif", "RGB.webp", "rotated.jpg", "array",
         "rotated.tif", "rotatedF.tif", "progressive.jpg")  # fmt: skip

# Forked for each kind, so that each has its own peak; the file is made in a fork too.
MEASURE = """
import io, json, os, resource, sys, traceback
import numpy as np
from PIL import Image
from ipseg.core import formats, images
from ipseg.core.masks import open_mask

WIDTH, HEIGHT = 5000, 2500
FORMATS = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "webp": "WEBP"}

def made(kind):
    mode, _, ending = kind.partition(".")
    row = np.arange(WIDTH) // 20 % 256
    deep = {"I;16": np.uint16, "F": np.float32, "rotatedF": np.float32}
    channels = {"RGB": 3, "RGBA": 4, "LA": 2, "CMYK": 4, "rotated": 3, "progressive": 3}.get(mode, 1)
    grey = np.broadcast_to(row.astype(deep.get(mode, np.uint8)), (HEIGHT, WIDTH))
    pixels = grey if channels == 1 else np.repeat(grey[..., None], channels, axis=2)
    image = Image.fromarray(np.ascontiguousarray(pixels), mode if mode in ("CMYK", "LA") else None)
    options = {"png": {"compress_level": 1}, "tif": {"compression": "tiff_deflate"}, "webp": {"method": 0}}
    options = dict(options.get(ending, {}))
    if mode == "P":
        image, options["transparency"] = image.convert("P"), bytes(range(256))
    if mode == "progressive":
        options |= {"progressive": True, "subsampling": "4:2:0"}
    if mode.startswith("rotated"):
        exif = Image.Exif()
        exif[274] = 6
        options["exif"] = exif
    image.save(f"{sys.argv[1]}/{kind}", FORMATS[ending], **options)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6

def apart(work):
    read, write = os.pipe()
    if not os.fork():
        try:
            os.write(write, json.dumps(work()).encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(write)
    os.wait()
    return json.loads(os.read(read, 1000))

def measured(kind):
    if kind == "array":
        source = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
        source[...] = 1
    else:
        source = f"{sys.argv[1]}/{kind}"
    before = peak()
    shape = images.open_image(source).shape
    return [peak() - before, shape]

warm = images.open_image(np.zeros((20, 20, 4), np.uint8))
reported = {}
for kind in sys.argv[2:]:
    kind == "array" or apart(lambda: made(kind))
    reported[kind] = apart(lambda: measured(kind))
print(json.dumps(reported))
"""


@pytest.fixture(scope="module")
def peaks(tmp_path_factory) -> dict[str, list]:
    """For each kind the MB that opening it takes at its peak, and the shape."""
    pytest.importorskip("resource")
    folder = tmp_path_factory.mktemp("large")
    command = [sys.executable, "-W", "ignore", "-c", MEASURE, str(folder), *KINDS]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_opening_takes_eight_bytes_a_pixel_at_most(kind, peaks):
    megabytes, shape = peaks[kind]
    assert shape == ([5000, 2500, 3] if kind.startswith("rotated") else [2500, 5000, 3])
    assert megabytes < ALLOWED


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims that size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


def bombs() -> dict[str, bytes]:
    """Files whose headers claim more than their bytes hold."""
    small = Image.new("RGB", (64, 64))
    made = {}
    for kind in ("BMP", "GIF", "TIFF", "JPEG", "PPM"):
        buffer = io.BytesIO()
        small.save(buffer, kind)
        made[kind] = buffer.getvalue()
    wide = struct.pack("<H", 60_000)
    frame = made["JPEG"].index(b"\xff\xc0") + 5
    tag = made["TIFF"].index(struct.pack("<HHI", 256, 4, 1)) + 8  # the width
    tiff = made["TIFF"][:tag] + struct.pack("<I", 10**6) + made["TIFF"][tag + 4 :]
    return {
        "large.png": png(60_000, 60_000),
        "poster.png": png(9_000, 9_000),
        "thin.png": png(16_384, 16),
        "large.bmp": made["BMP"][:18] + struct.pack("<ii", 60_000, 60_000) + made["BMP"][26:],
        "large.gif": made["GIF"][:6] + wide + wide + made["GIF"][10:],
        "large.jpg": made["JPEG"][:frame] + b"\xea\x60\xea\x60" + made["JPEG"][frame + 4 :],
        "large.tif": tiff,
        "large.ppm": b"P6 60000 60000 255\n" + b"\0" * 99,
    }


@pytest.mark.parametrize("name", bombs())
@pytest.mark.parametrize("way", [images.open_image, open_mask, images.size_of])
def test_a_bomb_is_refused_before_it_is_decoded(name, way, tmp_path, monkeypatch, one_message):
    def load(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    monkeypatch.setattr(formats.cv2, "imdecode", load)
    (tmp_path / name).write_bytes(bombs()[name])
    with pytest.raises(ImageError, match=r"too large|too thin") as caught:
        way(tmp_path / name)
    one_message(caught.value, names=name, folder=tmp_path)


@pytest.mark.parametrize("size", [(16, 16 * images.MAX_ASPECT), (40 * images.MAX_ASPECT, 40), (40, 16_000)])
def test_thin_images_open_up_to_a_ratio(size, one_message):
    assert images.open_image(np.zeros((*size, 3), np.uint8)).shape == (*size, 3)
    thinner = tuple(side + (side == max(size)) for side in size)
    with pytest.raises(ImageError, match="too thin") as caught:
        images.open_image(np.zeros((*thinner, 3), np.uint8))
    one_message(caught.value)


@pytest.mark.parametrize("size", [(16, 8_000), (8_000, 16)])
@pytest.mark.parametrize("way", [images.open_image, open_mask, images.size_of])
def test_an_image_too_thin_to_be_segmented_says_so_however_it_enters(way, size, tmp_path, encode, one_message):
    path = tmp_path / "strip.png"
    path.write_bytes(encode(Image.new("L", size, 255), "PNG"))
    with pytest.raises(ImageError, match=f"too thin .{size[0]}x{size[1]} pixels.; cut it up") as caught:
        way(path)
    one_message(caught.value, names=path.name, folder=tmp_path)


def test_a_large_animation_is_refused_before_it_is_decoded(encode, monkeypatch, one_message):
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    data = encode(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    monkeypatch.setattr(images, "MAX_ANIMATED_PIXELS", 64 * 48 - 1)
    with pytest.raises(ImageError, match="animation") as caught:
        images.open_image(data, name="moving.webp")
    one_message(caught.value)


def test_the_size_is_read_from_the_header(encode, tmp_path, one_message):
    data = encode(np.zeros((20, 30, 3), np.uint8), "PNG")
    assert images.size_of(data) == images.size_of(data[:-20]) == (20, 30)
    assert images.size_of(np.zeros((20, 30), np.uint8)) == (20, 30)
    with pytest.raises(ImageError, match="not an image") as caught:
        images.size_of(b"words", name="words.png")
    one_message(caught.value)


def test_an_opened_image_is_not_copied(encode):
    opened = images.open_image(encode(np.zeros((20, 30, 3), np.uint8), "PNG"))
    assert images.open_image(opened) is opened
    writeable = np.zeros((20, 30, 3), np.uint8)
    seen = writeable[:]
    seen.setflags(write=False)
    for array in (writeable, seen):
        copy = images.open_image(array)
        writeable += 1
        assert not np.array_equal(copy, writeable)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_in_every_format(kind, orientation, encode):
    stored = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[274] = orientation
    options = {"lossless": True} if kind == "WEBP" else {}
    upright = images.open_image(encode(stored, kind, exif=exif, **options))
    np.testing.assert_array_equal(upright, images.UPRIGHT[orientation](stored))


@pytest.mark.parametrize("way", [images.open_image, open_mask])
def test_a_lack_of_memory_is_no_fault_of_the_file(way, encode, monkeypatch):
    def load(*_):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    with pytest.raises(MemoryError):
        way(encode(np.zeros((20, 30, 3), np.uint8), "PNG"))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_bands_join_without_a_seam(kind, encode, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (50, 40, 4), dtype=np.uint8)
    data = encode(pixels, kind, **({"lossless": True, "exact": True} if kind == "WEBP" else {}))
    whole = images.open_image(data)
    monkeypatch.setattr(images, "BAND", 40 * 7)
    np.testing.assert_array_equal(images.open_image(data), whole)
    np.testing.assert_array_equal(images.open_image(pixels), whole)


@pytest.mark.parametrize(("subsampling", "megapixels"), [("4:4:4", 38), ("4:2:2", 47)])
def test_a_progressive_jpeg_whose_coefficients_do_not_fit_is_refused(subsampling, megapixels, encode, monkeypatch,
                                                                     one_message):  # fmt: skip
    """At 50 megapixels it would take up to 530 MB."""
    pixels = np.zeros((20, 100, 3), np.uint8)
    progressive = encode(pixels, "JPEG", progressive=True, subsampling=subsampling)
    monkeypatch.setattr(images, "MAX_DECODING", 400 * 2000 / megapixels)
    images.open_image(progressive)
    monkeypatch.setattr(images, "MAX_DECODING", 400 * 2000 / (megapixels + 1.5))
    with pytest.raises(ImageError, match="progressive") as caught:
        images.open_image(progressive, name="photo.jpg")
    one_message(caught.value)
    images.open_image(encode(pixels, "JPEG", subsampling=subsampling))
    images.open_image(encode(pixels[..., 0], "JPEG", progressive=True))


def test_a_webp_with_alpha_whose_decoding_does_not_fit_is_refused(encode, monkeypatch, one_message):
    """At 50 megapixels it would take 430 MB."""
    pixels = np.zeros((20, 100, 4), np.uint8)
    pixels[:10, :, 3] = 255
    transparent = encode(pixels, "WEBP", lossless=True)
    monkeypatch.setattr(images, "MAX_DECODING", 400 * 2000 / 46)
    images.open_image(transparent)
    monkeypatch.setattr(images, "MAX_DECODING", 400 * 2000 / 47)
    with pytest.raises(ImageError, match="alpha") as caught:
        images.open_image(transparent, name="cut_out.webp")
    one_message(caught.value)
    images.open_image(encode(pixels[..., :3], "WEBP", lossless=True))
