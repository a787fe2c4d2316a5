"""Files of every kind, where they are given, and what each gets; `python -m tests.ui.bad_files` writes the table."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.conftest import draw_scene

TABLE = Path(__file__).parents[2] / "ipseg" / "ui" / "FILES.md"
ANSWER = "an answer"
NO_IMAGE = "{} is not an image that can be read; give a JPEG, PNG or WebP file."
DAMAGED = "{} is damaged or cut short; save or download it again."
EMPTY = "{} is an empty file; save or download it again."
SMALL = "{} is 1x1 pixels; give one of at least 16x16."
LARGE = "{}; make it at most 16384 pixels on a side and 50 megapixels."
UNREAD = "{{}} is {}, which is not read here; save it as JPEG, PNG or WebP."
CLIP = (
    "{} is a clip; give one of its frames, or the clip alone under Or a video clip (tab Batch and video) or to ipseg "
    "batch."
)
ARCHIVE = "{{}} is {}; unpack it, and give the images or a folder of them."
NO_CLIP = "{} is not a clip that can be read; give an MP4, MOV, WebM, MKV or AVI file."
HEIGHT, WIDTH = 48, 64


@dataclass(frozen=True)
class File:
    """One row: a file, what it is, what makes it, and what it gets; "{}" stands for its name."""

    name: str
    about: str
    make: Callable[[], bytes]
    gets: str

    @property
    def message(self) -> str:
        """What the visitor reads."""
        return self.gets.format(self.name)


def scene(mode: str = "RGB") -> Image.Image:
    """The same object on the same background, in any mode."""
    return Image.fromarray(draw_scene(HEIGHT, WIDTH)[0]).convert(mode)


def saved(image: Image.Image, kind: str, **options) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def deep() -> Image.Image:
    """16 bits a channel, grey."""
    return Image.fromarray(np.asarray(scene("L")).astype(np.uint16) * 257)


def clear() -> Image.Image:
    """Transparent around the object."""
    image, mask = draw_scene(HEIGHT, WIDTH)
    return Image.fromarray(np.dstack([image, mask.astype(np.uint8) * 255]))


def turned() -> bytes:
    """Lying on its side, and EXIF says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(scene().transpose(Image.Transpose.ROTATE_90), "JPEG", quality=95, exif=exif)


def moving() -> bytes:
    """An animation whose second frame is black."""
    return saved(scene(), "GIF", save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))])


def huge() -> bytes:
    """A PNG of a few hundred bytes whose header says 40 000 x 40 000 pixels."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(999))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*chunks, (b"IEND", b""))
    )


def packed(*members: tuple[str, bytes]) -> bytes:
    """A zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def locked() -> bytes:
    """A zip whose member says that it wants a password."""
    data = bytearray(packed(("a.jpg", saved(scene(), "JPEG"))))
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def film(seconds_a_frame: int = 0) -> bytes:
    """Fifteen frames as an AVI; its header may say that each is shown for long."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/film.avi"
        writer = cv2.VideoWriter(path, cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"MJPG"), 5, (WIDTH, HEIGHT))
        for _ in range(15):
            writer.write(draw_scene(HEIGHT, WIDTH)[0][..., ::-1].copy())
        writer.release()
        data = bytearray(Path(path).read_bytes())
    if seconds_a_frame:
        place = data.index(b"strh") + 28
        data[place : place + 8] = struct.pack("<II", seconds_a_frame, 1)
    return bytes(data)


SVG = b"<svg xmlns='http://www.w3.org/2000/svg' width='99' height='99'><rect width='9' height='9'/></svg>"
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n"
IMAGES = (
    File("cmyk.jpg", "four inks", lambda: saved(scene("CMYK"), "JPEG", quality=95), ANSWER),
    File("deep.png", "16 bits a channel", lambda: saved(deep(), "PNG"), ANSWER),
    File("clear.png", "transparent around the object", lambda: saved(clear(), "PNG"), ANSWER),
    File("turned.jpg", "on its side, EXIF says so", turned, ANSWER),
    File("moving.gif", "an animation: its first frame", moving, ANSWER),
    File("words.jpg", "a text", lambda: b"words in a file with another name", NO_IMAGE),
    File("short.jpg", "the first half of a JPEG", lambda: saved(scene(), "JPEG")[:700], DAMAGED),
    File("empty.jpg", "0 bytes", lambda: b"", EMPTY),
    File("dot.png", "1 x 1", lambda: saved(Image.new("RGB", (1, 1)), "PNG"), SMALL),
    File("wide.png", "30 000 pixels wide", lambda: saved(Image.new("L", (30_000, 20)), "PNG"),
         LARGE.format("{} is too large (30000x20 pixels)")),
    File("thin.png", "1024 times as wide as high", lambda: saved(Image.new("L", (16_384, 16)), "PNG"),
         "thin.png is too thin (16384x16 pixels); cut it up, and give parts whose longer side is at most 400 times "
         "their shorter side."),
    File("huge.png", "a bomb: 40 000 x 40 000 in 90 bytes", huge, LARGE.format("{} is too large")),
    File("drawing.svg", "an SVG", lambda: SVG, NO_IMAGE),
    File("paper.jpg", "a PDF", lambda: PDF, UNREAD.format("a PDF document")),
    File("photo.heic", "a photograph of a phone", lambda: b"\0\0\0\x18ftypheic" + bytes(40),
         UNREAD.format("a HEIC image")),
    File("photo.cr3", "a camera's raw file", lambda: b"\0\0\0\x18ftypcrx " + bytes(40),
         UNREAD.format("a camera's raw image")),
    File("talk.jpg", "a clip", film, CLIP),
    File("images.jpg", "a zip", lambda: packed(("a.jpg", b"x")), ARCHIVE.format("a zip archive")),
)  # fmt: skip
MASKS = (
    File("black.png", "nothing is white", lambda: saved(Image.new("L", (WIDTH, HEIGHT)), "PNG"),
         "{} is empty; paint the object white (above 127) on black."),
    File("other.png", "of another size", lambda: saved(Image.new("L", (50, 50), 255), "PNG"),
         "{} is 50x50 pixels but its image is 64x48; give a mask of the same size as the image."),
    File("words.png", "a text", lambda: b"words", NO_IMAGE),
)  # fmt: skip
BATCHES = (
    File("bomb.zip", "24 MB of zeros in 24 kB", lambda: packed(*((f"{n}.bmp", bytes(8 * 2**20)) for n in range(3))),
         "{} unpacks to over 100 times its size; give a zip of ordinary images."),
    File("out.zip", "a name with ../", lambda: packed(("../a.jpg", b"x")),
         '{} holds a name that leads out of it ("../a.jpg"); make a new zip.'),
    File("locked.zip", "a password", locked, "{} is locked with a password; save it without one."),
    File("none.zip", "no files", lambda: packed(),
         "{} holds no images; give JPEG, PNG or WebP files, or a folder or zip of them."),
    File("nested.zip", "a zip in a zip", lambda: packed(("a.zip", packed(("a.jpg", b"x")))),
         "{} holds a.zip, an archive inside an archive, left out; unpack it, or give it by itself."),
    File("words.zip", "a text", lambda: b"words", "{} is damaged or no zip at all; save or download it again."),
    File("paper.jpg", "a PDF", lambda: PDF, UNREAD.format("a PDF document")),
    File("film.avi", "a clip", film, CLIP),
    File("images.7z", "another archive", lambda: b"7z\xbc\xaf\x27\x1c" + bytes(40), ARCHIVE.format("a 7z archive")),
)  # fmt: skip
CLIPS = (
    File("hours.avi", "four hours, its header says", lambda: film(1000),
         "{} is 4.2 hours long; give a clip of at most 120 s."),
    File("words.mp4", "a text", lambda: b"words in a file with another name", NO_CLIP),
    File("list.mp4", "a playlist of files", lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", NO_CLIP),
    File("empty.mp4", "0 bytes", lambda: b"", EMPTY),
    File("header.mp4", "a header and no more", lambda: b"\x00\x00\x00\x18ftypisom" + bytes(40),
         "{} is damaged or of a kind that cannot be read; save it again as MP4, MOV, WebM, MKV or AVI."),
    File("moving.gif", "an animation", moving, NO_CLIP),
    File("images.zip", "a zip", lambda: packed(("a.jpg", b"x")), NO_CLIP),
)  # fmt: skip
FIELDS = {"an image": IMAGES, "a mask": MASKS, "images of a batch": BATCHES, "a clip": CLIPS}


def table() -> str:
    """The table as Markdown."""
    rows = [
        f"| {field} | `{file.name}`: {file.about} | {file.message} |"
        for field, files in FIELDS.items()
        for file in files
    ]
    return "\n".join(("| given as | file | gets |", "| --- | --- | --- |", *rows))


def text() -> str:
    """The whole file."""
    return (
        "# What each file gets\n\n"
        "What cannot be used gets one message, in the page and through the API, and the page goes on. Every row is\n"
        "tried by `tests/ui/test_bad_files.py`, which also holds this table to the truth; it is written by\n"
        f"`python -m tests.ui.bad_files`. The page itself refuses files of more than 64 MB.\n\n{table()}\n"
    )


if __name__ == "__main__":
    TABLE.write_text(text())
