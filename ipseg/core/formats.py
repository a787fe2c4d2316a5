"""What the bytes of an image file are: names of formats, chunks of a PNG, tags and numbers of a TIFF."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

PNG = b"\x89PNG\r\n\x1a\n"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # + in place of *: BigTIFF
LOSSLESS_TEXT = 2**20  # bytes of unpacked text that may state an orientation
PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")  # chunks of a PNG that decide its pixels
UNREADABLE = {  # the beginning of a file, and what it is
    b"\xff\x0a": "a JPEG XL image",
    b"\0\0\0\x0cJXL ": "a JPEG XL image",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 image",
    b"8BPS": "a Photoshop file",
    b"v/1\x01": "an OpenEXR image",
    b"#?RADIANCE": "a Radiance HDR image",
    b"%PDF": "a PDF document",
    b"SIMPLE  =": "a FITS image",
    b"FUJIFILMCCD-RAW": "a camera's raw image",
    b"IIU\0": "a camera's raw image",  # Panasonic
    b"IIRO": "a camera's raw image",  # Olympus
    b"IIRS": "a camera's raw image",
    b"\0MRM": "a camera's raw image",  # Minolta
}
ARCHIVES = {
    b"PK\3\4": "a zip archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
    b"\x1f\x8b": "a gzip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"\x28\xb5\x2f\xfd": "a Zstandard archive",
}
BRANDS = {  # of ISO base media files that hold a still image (ISO/IEC 14496-12, 4.3; Canon's is registered)
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"hevx"), "a HEIC image"),
    **dict.fromkeys((b"avif", b"avis"), "an AVIF image"),
    b"crx ": "a camera's raw image",
    b"jxl ": "a JPEG XL image",
    b"jp2 ": "a JPEG 2000 image",
}


def still(head: bytes) -> str:
    """What kind of still image an ISO base media file holds, by its first 32 bytes; empty for all else."""
    if head[4:8] != b"ftyp":
        return ""
    length = min(len(head), max(16, int.from_bytes(head[:4], "big")))
    brands = [head[8:12], *(head[place : place + 4] for place in range(16, length - 3, 4))]
    main = BRANDS.get(brands[0], "")
    named = [BRANDS[brand] for brand in brands if brand in BRANDS]
    return "an AVIF image" if main and "an AVIF image" in named else main


def clip(head: bytes) -> str:
    """FFmpeg's name for the format of a clip, by the first 32 bytes of its file; empty for what is no clip."""
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip") and not still(head):
        return "mov"
    if head[:4] == b"\x1aE\xdf\xa3":
        return "matroska"
    return "avi" if head[:4] == b"RIFF" and head[8:12] == b"AVI " else ""


def unreadable(data: bytes) -> str:
    """The name of a known image format that is not read here; empty for all others."""
    for beginning, name in UNREADABLE.items():
        if data.startswith(beginning):
            return name
    return still(data[:32])


def archive(data: bytes) -> str:
    """The name of a kind of archive; empty for all others."""
    if data[257:262] == b"ustar":
        return "a tar archive"
    return next((name for beginning, name in ARCHIVES.items() if data.startswith(beginning)), "")


def plain_png(data: bytes) -> bytes:
    """The PNG with nothing but its pixels and its orientation, which stands before them.

    Text and profiles, which are not used, may be larger than a decoder allows; the frames of an animation go too.
    Bytes that are no sequence of chunks are returned as they are.
    """
    parts: dict[bool, list[bytes]] = {True: [], False: []}
    try:
        for kind, chunk in _chunks(data):
            if kind in PIXELS:
                parts[False].append(chunk)
            elif _states_orientation(kind, chunk):
                parts[True].append(chunk)
    except (struct.error, ValueError):
        return data
    header, *pixels = parts[False] or [b""]
    return b"".join([PNG, header, *parts[True], *pixels])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The type and the bytes of each chunk, up to the end of the image. Raises ValueError for one that is cut short."""
    place = len(PNG)
    while place < len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        end = place + 12 + length
        if end > len(data) or not kind.isalpha():
            raise ValueError("no chunk")
        yield kind, data[place:end]
        if kind == b"IEND":
            return
        place = end


def _states_orientation(kind: bytes, chunk: bytes) -> bool:
    """Whether the chunk has EXIF or XMP, and is no larger than text that is read."""
    body = chunk[8:-4]
    if kind == b"eXIf":
        return True
    keyword, _, rest = body.partition(b"\0")
    if keyword not in (b"Raw profile type exif", b"XML:com.adobe.xmp"):
        return False
    if kind == b"iTXt":
        packed = rest[:1] == b"\1"
        text = rest[2:].split(b"\0", 2)[-1]
    else:
        packed, text = kind == b"zTXt", rest[1:]
    if not packed:
        return len(text) <= LOSSLESS_TEXT
    try:
        unpacker = zlib.decompressobj()
        unpacker.decompress(text, LOSSLESS_TEXT)
    except zlib.error:
        return False
    return unpacker.eof


def png_depth(data: bytes) -> int:
    """The bits of a channel that the header of a PNG states."""
    return data[24] if len(data) > 24 else 8


@dataclass(frozen=True)
class Tiff:
    """The first image of a TIFF file, by its tags (TIFF 6.0)."""

    size: tuple[int, int]  # width, height
    bits: int  # of a channel, the most of all
    channels: int
    format: int  # 1: whole numbers from 0 on, 2: signed, 3: floats
    planar: bool  # each channel by itself
    photometric: int  # 0: white is 0, 1: black is 0, 2: RGB
    packed: bool  # compressed
    orientation: int
    raw: bool  # a camera's: this is its preview

    @property
    def deep(self) -> bool:
        """Whether its values are no 8 bits from 0 to 255."""
        return self.bits > 8 or (self.format != 1 and self.bits > 1)

    @property
    def beyond_pillow(self) -> bool:
        """Whether Pillow does not read it as it is: deep values, or a grey image whose alpha is stored apart."""
        return self.deep or (self.planar and self.channels == 2)

    @property
    def apart(self) -> bool:
        """Whether OpenCV mixes it up: channels stored apart, a grey image with alpha, floats of 16 bits.

        tifffile reads these where they are not compressed; it would unpack without a bound.
        """
        return self.planar or self.channels == 2 or (self.format == 3 and self.bits == 16)

    @property
    def bytes_per_pixel(self) -> float:
        """Of the decoded image and of its 8 bits."""
        return self.channels * (max(1, (self.bits + 7) // 8) + 1)


def tiff(data: bytes) -> Tiff | None:
    """The tags of a TIFF file; None for what is none, or is damaged."""
    if data[:4] not in TIFF:
        return None
    try:
        big = data[2:3] in (b"+", b"\0") and b"+" in data[2:4]
        tags = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if big else 8])
        file = io.BytesIO(data)
        file.seek(tags.next)
        tags.load(file)
        bits, formats = tags.get(258, (1,)), tags.get(339, (1,))
        return Tiff(
            size=(int(tags[256]), int(tags[257])),
            bits=max(int(each) for each in bits),
            channels=int(tags.get(277, 1)),
            format=max((int(each) for each in formats if each < 4), default=1),
            planar=tags.get(284, 1) == 2 and int(tags.get(277, 1)) > 1,
            photometric=int(tags.get(262, 1)),
            packed=tags.get(259, 1) != 1,
            orientation=int(tags.get(274, 1)),
            raw=50706 in tags or data[8:10] == b"CR" or bool(330 in tags and tags.get(254, 0) & 1),
        )
    except Exception:  # tags are as damaged as their writers
        return None


def decode_tiff(data: bytes, about: Tiff) -> NDArray | None:
    """The values as stored, (H, W) or (H, W, C), channels in the order of the file; None where it cannot be decoded."""
    values: NDArray | None
    if about.apart:
        import tifffile

        with tifffile.TiffFile(io.BytesIO(data)) as file:
            stored = file.pages[0].asarray()
        values = np.moveaxis(stored, 0, -1) if about.planar else stored
    else:
        values = decode_quietly(data if about.orientation == 1 else _without_orientation(data))
        values = None if values is None else to_rgb_order(values)
    if values is None or values.shape[:2] != about.size[::-1]:
        return None
    if about.photometric == 0 and values.dtype.kind == "u":
        np.subtract(np.iinfo(values.dtype).max, values, out=values)
    return values


def _without_orientation(data: bytes) -> bytes:
    """The TIFF with the orientation 1: OpenCV would rotate the image."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    (place,) = struct.unpack_from(order + "Q", data, 8) if big else struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, place)
    first, step, value = (place + 8, 20, 12) if big else (place + 2, 12, 8)
    made = bytearray(data)
    for entry in range(first, first + count * step, step):
        if struct.unpack_from(order + "H", data, entry)[0] == 274:
            struct.pack_into(order + "H", made, entry + value, 1)
    return bytes(made)


SILENT = 0  # the log level of OpenCV at which it prints nothing


def to_rgb_order(values: NDArray) -> NDArray:
    """The same array, (H, W, 3|4) from OpenCV's order of channels; a grey one as it is."""
    if values.ndim == 3:
        for row in values:
            row[...] = row[:, [2, 1, 0, 3][: values.shape[2]]]
    return values


def decode_quietly(data: bytes) -> NDArray | None:
    """What OpenCV decodes, channels in its order; None where it cannot. It prints nothing."""
    logging = getattr(cv2.utils, "logging", cv2)  # OpenCV before 4.13 has the two functions itself
    level = logging.getLogLevel()
    logging.setLogLevel(SILENT)
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    finally:
        logging.setLogLevel(level)
