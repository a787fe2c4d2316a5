"""What the bytes of a file are: chunks of a PNG, kinds that are not read, tags of a TIFF."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile, PngImagePlugin

from ipseg.core import formats, images
from ipseg.core.masks import open_mask
from ipseg.core.types import ImageError


def noise(height: int = 24, width: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunks(png: bytes, *chunks: bytes, last: bool = False) -> bytes:
    """The chunks after the header of a PNG, or after its pixels."""
    place = png.index(b"IEND") - 4 if last else len(formats.PNG) + 25
    return png[:place] + b"".join(chunks) + png[place:]


TEXT = bytes(2**20 + 1).replace(b"\0", b"a")
LARGE = {
    "text": chunk(b"tEXt", b"Comment\0" + TEXT),
    "packed text": chunk(b"zTXt", b"Comment\0\0" + zlib.compress(TEXT)),
    "international text": chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(TEXT)),
    "a workflow of 70 MB": chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(70 * 2**20))),
    "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(TEXT)),
    "EXIF as text": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(TEXT)),
    "a profile": chunk(b"iCCP", b"ICC\0\0" + zlib.compress(bytes(3 * 2**20))),
    "a damaged profile": chunk(b"iCCP", b"ICC\0\0" + b"words"),
    "a damaged text": chunk(b"zTXt", b"Comment\0\0words"),
    "a wrong checksum of text": chunk(b"tEXt", b"Comment\0words")[:-4] + b"\0\0\0\0",
}


@pytest.mark.parametrize("name", LARGE)
@pytest.mark.parametrize("last", [False, True])
def test_a_sound_png_is_opened_whatever_else_it_holds(name, last, encode):
    data = with_chunks(encode(noise(), "PNG"), LARGE[name], last=last)
    np.testing.assert_array_equal(images.open_image(data), noise())
    assert images.size_of(data) == (24, 32)
    assert images.orientation(data) == 1
    white = with_chunks(encode(np.eye(24, dtype=np.uint8) * 255, "PNG"), LARGE[name], last=last)
    np.testing.assert_array_equal(open_mask(white), np.eye(24, dtype=bool))


def exif(orientation: int) -> bytes:
    made = Image.Exif()
    made[274] = orientation
    return made.tobytes()


def stated(orientation: int) -> dict[str, bytes]:
    xmp = f'<x:xmpmeta><rdf:Description tiff:Orientation="{orientation}"/></x:xmpmeta>'.encode()
    block = b"Exif\0\0" + exif(orientation).removeprefix(b"Exif\0\0")
    raw = b"\nexif\n%8d\n" % len(block) + block.hex().encode()
    return {
        "eXIf": chunk(b"eXIf", exif(orientation).removeprefix(b"Exif\0\0")),
        "XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp),
        "packed XMP": chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp)),
        "ImageMagick": chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
    }


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("way", stated(1))
@pytest.mark.parametrize("last", [False, True])
def test_the_orientation_of_a_png_is_found_without_decoding_it(orientation, way, last, encode, monkeypatch):
    data = with_chunks(encode(noise(), "PNG"), stated(orientation)[way], last=last)
    upright = images.open_image(data)
    np.testing.assert_array_equal(upright, images.UPRIGHT[orientation](noise()))

    def load(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    assert images.orientation(data) == orientation
    file = io.BytesIO(data)
    assert images.orientation(file) == orientation
    assert file.tell() == 0


@pytest.mark.parametrize("cut", range(0, 1500, 37))
def test_a_png_that_is_cut_anywhere(cut, encode, one_message):
    data = with_chunks(encode(noise(), "PNG"), LARGE["a damaged text"], stated(6)["eXIf"])
    with pytest.raises(ImageError) as caught:
        images.open_image(data[:cut], name="cut.png")
    one_message(caught.value, names="cut.png")


UNREAD = {
    "photo.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(60), "a HEIC image"),
    "photo.jpg": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(60), "a HEIC image"),
    "photo.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom" + bytes(60), "a camera's raw image"),
    "photo.raf": (b"FUJIFILMCCD-RAW 0201" + bytes(60), "a camera's raw image"),
    "scene.exr": (b"v/1\x01\x02\0\0\0" + bytes(60), "an OpenEXR image"),
    "scene.hdr": (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n", "a Radiance HDR image"),
    "layers.psd": (b"8BPS\0\x01" + bytes(60), "a Photoshop file"),
    "scan.pdf": (b"%PDF-1.7\n", "a PDF document"),
    "new.jxl": (b"\xff\x0a" + bytes(60), "a JPEG XL image"),
    "box.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(60), "a JPEG XL image"),
    "old.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(60), "a JPEG 2000 image"),
    "stars.fits": (b"SIMPLE  =                    T", "a FITS image"),
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_format_that_is_not_read_is_named(name, one_message):
    data, words = UNREAD[name]
    for way in (images.open_image, images.size_of, open_mask):
        with pytest.raises(ImageError, match=words) as caught:
            way(data, name=name)
        one_message(caught.value, names=name)


def raw_tiff(*tags: tuple[int, int, int]) -> bytes:
    """A TIFF of one strip of zeros with further LONG tags: (tag, type, value)."""
    fields = {256: (4, 160), 257: (4, 120), 258: (3, 8), 259: (3, 1), 262: (3, 1), 273: (4, 400), 278: (4, 120)}
    fields |= {279: (4, 160 * 120)} | {tag: (kind, value) for tag, kind, value in tags}
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(fields.items()))
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(fields)) + entries + bytes(4)
    return head.ljust(400, b"\0") + bytes(160 * 120)


def test_the_preview_of_a_raw_photograph_is_not_taken_for_it(one_message):
    """DNG, NEF and ARW are TIFF files whose first image is a preview."""
    assert images.open_image(raw_tiff()).shape == (120, 160, 3)
    for tags in ([(50706, 1, 0x00000401)], [(254, 4, 1), (330, 4, 8)]):
        with pytest.raises(ImageError, match="raw image") as caught:
            images.open_image(raw_tiff(*tags), name="photo.dng")
        one_message(caught.value, names="photo.dng")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif(mode, orientation, encode, one_message, monkeypatch):
    pytest.importorskip("PIL.AvifImagePlugin")
    pixels = np.zeros((24, 32, 4), np.uint8)
    pixels[:12, :16] = (200, 30, 30, 255)
    pixels[12:] = (20, 30, 220, 255)
    made = Image.fromarray(pixels).convert(mode)
    tags = Image.Exif()
    tags[274] = orientation
    data = encode(made, "AVIF", quality=100, subsampling="4:4:4", exif=tags)
    upright = images.open_image(data)
    white = Image.alpha_composite(Image.new("RGBA", made.size, "white"), made.convert("RGBA")).convert("RGB")
    np.testing.assert_allclose(upright.astype(int), images.UPRIGHT[orientation](np.asarray(white)), atol=8)
    assert images.orientation(data) == orientation
    monkeypatch.setattr(images, "MAX_AVIF_PIXELS", 24 * 32 - 1)
    with pytest.raises(ImageError, match="AVIF") as caught:
        images.open_image(data, name="photo.avif")
    one_message(caught.value)


def test_an_older_opencv_is_silenced_by_its_own_functions(monkeypatch):
    """OpenCV before 4.13 has no ``cv2.utils.logging``; without the functions no WebP and no deep PNG could be read."""
    levels = [5]
    monkeypatch.delattr(formats.cv2.utils, "logging", raising=False)
    monkeypatch.setattr(formats.cv2, "getLogLevel", lambda: levels[-1], raising=False)
    monkeypatch.setattr(formats.cv2, "setLogLevel", levels.append, raising=False)
    buffer = io.BytesIO()
    Image.fromarray(noise()).save(buffer, "WEBP")
    assert formats.decode_quietly(buffer.getvalue()).shape == (24, 32, 3)
    assert levels == [5, 0, 5]
