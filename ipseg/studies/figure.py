"""A comparison as one figure for a paper or a slide: labelled columns on white, IoU below the masks.

As PNG, and as PDF with text, outlines and legend as vectors and with its fonts embedded; only the images are pixels.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ipseg.core import viz
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, Mask
from ipseg.studies.comparison import Comparison, Entry

SIDE, SMALL_SIDE, MANY = 480, 320, 40  # pixels of a tile's longer side, and where a figure has more than MANY tiles
DPI = 200  # of the PNG, whose tiles are 6 cm, as those of the PDF
FINER = 2  # pixels of an image in the PDF for each pixel of the PNG, at most
TOLERANCE = 0.7  # pixels of an image by which its outline is simplified
INK, LIGHT = (25, 25, 25), (95, 95, 95)

_REPORTLAB = Lock()  # its fonts are one table for all threads

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Tile:
    """One image of a figure. Places and sizes are pixels of the figure."""

    image: Image.Image  # RGB, up to FINER times as large as it is drawn
    place: tuple[float, float]  # left, top
    size: tuple[int, int]  # width, height
    outlines: tuple[NDArray[np.float32], ...] = ()  # closed polygons, each (n, 2), on the figure
    colour: Colour = viz.WHITE  # of the outlines


@dataclass(frozen=True)
class Text:
    """One line of text."""

    text: str
    place: tuple[float, float]  # its left end on the baseline
    size: float  # of the font, in pixels
    colour: Colour = INK


@dataclass(frozen=True)
class Swatch:
    """A square in the colour of a method."""

    place: tuple[float, float]  # left, top
    side: float
    colour: Colour


@dataclass(frozen=True)
class Figure:
    """A figure as what is drawn on white, in pixels from its left upper corner."""

    width: int
    height: int
    tiles: tuple[Tile, ...]
    texts: tuple[Text, ...]
    swatches: tuple[Swatch, ...]

    def png(self) -> bytes:
        """The figure as a PNG of ``width`` x ``height`` pixels."""
        canvas = Image.new("RGB", (self.width, self.height), viz.WHITE)
        for tile in self.tiles:
            drawn = tile.image.resize(tile.size, Image.Resampling.LANCZOS)
            canvas.paste(drawn, (round(tile.place[0]), round(tile.place[1])))
        pixels = np.array(canvas)
        for tile in self.tiles:
            # In sixteenths of a pixel, whose integers are centres for OpenCV and corners here
            lines = [np.rint((line - 0.5) * 16).astype(np.int32) for line in tile.outlines]
            width = round(viz.outline_width(max(tile.size)))
            for colour, wide in ((viz.WHITE, 2 * width), (tile.colour, width)):
                cv2.polylines(pixels, lines, True, colour, wide, cv2.LINE_AA, 4)
        canvas = Image.fromarray(pixels)
        draw = ImageDraw.Draw(canvas)
        for each in self.swatches:
            (left, top), side = each.place, each.side
            draw.rectangle((left, top, left + side, top + side), fill=each.colour, outline=LIGHT)
        for text in self.texts:
            draw.text(text.place, text.text, fill=text.colour, font=_font(text.size), anchor="ls")
        buffer = io.BytesIO()
        canvas.save(buffer, "PNG", dpi=(DPI, DPI))
        return buffer.getvalue()

    def pdf(self) -> bytes:
        """The figure as one page of a PDF: images as JPEG, everything else as vectors."""
        with _REPORTLAB:
            return self._pdf()

    def _pdf(self) -> bytes:
        from reportlab.lib.utils import ImageReader
        from reportlab.pdfgen.canvas import Canvas

        name, buffer = _registered_font(), io.BytesIO()
        scale = 72 / DPI  # points of a pixel
        page = Canvas(buffer, (self.width * scale, self.height * scale), invariant=1)
        page.setTitle("Comparison")
        page.transform(scale, 0, 0, -scale, 0, self.height * scale)  # pixels, from the left upper corner
        for tile in self.tiles:
            with _upright(page, *tile.place, tile.size[1]):
                page.drawImage(ImageReader(io.BytesIO(_jpeg(tile.image))), 0, 0, *tile.size)
        page.setLineJoin(1)
        for tile in self.tiles:
            width = viz.outline_width(max(tile.size))
            for colour, wide in ((viz.WHITE, 2 * width), (tile.colour, width)):
                page.setStrokeColorRGB(*_shares(colour))
                page.setLineWidth(wide)
                page.drawPath(_path(page, tile.outlines), stroke=1, fill=0)
        page.setLineWidth(1)
        page.setStrokeColorRGB(*_shares(LIGHT))
        for each in self.swatches:
            page.setFillColorRGB(*_shares(each.colour))
            page.rect(*each.place, each.side, each.side, stroke=1, fill=1)
        for text in self.texts:
            with _upright(page, *text.place, 0):
                page.setFont(name, text.size)
                page.setFillColorRGB(*_shares(text.colour))
                page.drawString(0, 0, text.text)
        page.save()
        return buffer.getvalue()


def comparison_figure(
    found: Sequence[Comparison], prompt: ImageArray, mask: Mask | None = None, *, note: str = ""
) -> Figure:
    """A row for each image, a column each for the prompt, the input, every method and the ground truth.

    ``prompt``: (H, W, 3) uint8; ``mask``: its given mask, (H, W) bool, outlined. ``note``: at the end, beside what the
    numbers are and what differs from the published methods. A method without any result has no column.
    """
    methods = [
        entry.method for entry in found[0].entries if any(_of(one, entry.method).result is not None for one in found)
    ]
    truth = any(one.truth is not None for one in found)
    heads = ["Prompt", "Input", *(_of(found[0], name).label for name in methods), *(["Ground truth"] if truth else [])]
    side = SIDE if len(heads) * len(found) <= MANY else SMALL_SIDE
    layout = _Layout(side)
    colours = {name: colour for one in found for name, colour in one.colours.items()}
    layout.heads(heads, [None, None, *(colours[name] for name in methods)])
    for number, one in enumerate(found):
        layout.row(list(_row(one, prompt if number == 0 else None, mask, methods, truth)))
    numbers = ["IoU: with the ground truth."] if truth else []
    about = dict.fromkeys(entry.about for entry in found[0].entries if entry.about)
    layout.notes(" ".join(filter(None, [*numbers, *about, note])), len(heads))
    return layout.figure(len(heads))


@dataclass(frozen=True)
class _Cell:
    """One image of a row, its mask, and the text below it; no image leaves the place empty."""

    image: ImageArray | None
    text: str = ""
    mask: Mask | None = None
    colour: Colour = viz.WHITE


def _row(
    found: Comparison, prompt: ImageArray | None, mask: Mask | None, methods: Sequence[str], truth: bool
) -> Iterator[_Cell]:
    """The cells of one image."""
    yield _Cell(prompt, mask=mask, colour=viz.MASK)
    yield _Cell(found.image)
    for name in methods:
        entry = _of(found, name)
        if entry.result is None:
            yield _Cell(found.image // 2 + 127, "no result")
        else:
            yield _Cell(found.image, _below(entry), entry.result.mask, found.colours[name])
    if truth:
        yield _Cell(None, "not known") if found.truth is None else _Cell(found.image, mask=found.truth.mask)


class _Layout:
    """Places what is added, from the top down."""

    def __init__(self, side: int) -> None:
        self.side, self.gap, self.line = side, side // 24, side / 12
        self.top = float(self.gap)
        self.tiles: list[Tile] = []
        self.texts: list[Text] = []
        self.swatches: list[Swatch] = []

    def heads(self, heads: Sequence[str], colours: Sequence[Colour | None]) -> None:
        """The labels of the columns, on as many lines as they take, a method's with a square in its colour."""
        size = self.side / 17
        square = size * 0.75
        lined = [_lines(head, size, self.side - 2 * square) for head in heads]
        self.top += self.line * max(map(len, lined))
        for column, lines in enumerate(lined):
            for number, text in enumerate(lines):
                below = self.top - self.gap * 0.6 - (len(lines) - 1 - number) * self.line
                self._centred(text, size, column, below)
                colour = colours[column] if column < len(colours) else None
                if number == 0 and colour is not None:
                    left = self._left(column) + (self.side - _width(text, size)) / 2 - 1.5 * square
                    self.swatches.append(Swatch((left, below - square), square, colour))

    def row(self, cells: Sequence[_Cell]) -> None:
        """The images of a row, and the text below each."""
        size, tallest = self.side / 19, 0
        for column, cell in enumerate(cells):
            height = 0
            if cell.image is not None:
                tile = self._tile(cell, column)
                height = tile.size[1]
                self.tiles.append(tile)
            self._centred(cell.text, size, column, self.top + height + size * 1.3)
            tallest = max(tallest, height)
        self.top += tallest + self.side / 10 + self.gap

    def notes(self, text: str, columns: int) -> None:
        """Small text over the whole width."""
        size = self.side / 24
        for line in _lines(text, size, columns * (self.side + self.gap) - self.gap):
            self.texts.append(Text(line, (self.gap, self.top + size), size, LIGHT))
            self.top += size * 1.5

    def figure(self, columns: int) -> Figure:
        """What was added."""
        width = columns * (self.side + self.gap) + self.gap
        return Figure(width, round(self.top + self.gap), tuple(self.tiles), tuple(self.texts), tuple(self.swatches))

    def _left(self, column: int) -> float:
        return self.gap + column * (self.side + self.gap)

    def _centred(self, text: str, size: float, column: int, baseline: float) -> None:
        if text:
            left = self._left(column) + (self.side - _width(text, size)) / 2
            self.texts.append(Text(text, (left, baseline), size))

    def _tile(self, cell: _Cell, column: int) -> Tile:
        """The image with its longer side at ``side`` pixels, whether it is larger or smaller."""
        image: Any = cell.image
        height, width = image.shape[:2]
        scale = self.side / max(height, width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        place = round(self._left(column) + (self.side - size[0]) / 2), round(self.top)
        drawn = Image.fromarray(image if cell.mask is None else viz.emphasized(image, cell.mask))
        drawn.thumbnail((size[0] * FINER, size[1] * FINER), Image.Resampling.LANCZOS)
        found = () if cell.mask is None else viz.outlines_of(cell.mask, tolerance=TOLERANCE)
        return Tile(drawn, place, size, tuple(line * np.float32(scale) + place for line in found), cell.colour)


def _below(entry: Entry) -> str:
    """The IoU of a mask, and its status unless the object is detected."""
    score = "absent in the ground truth" if entry.absent else "" if entry.iou is None else f"IoU {entry.iou:.2f}"
    status = entry.result.status if entry.result is not None else Status.DETECTED
    return ", ".join(filter(None, (score, "" if status is Status.DETECTED else status.words)))


def _of(found: Comparison, method: str) -> Entry:
    return next(entry for entry in found.entries if entry.method == method)


def _lines(text: str, size: float, width: float) -> list[str]:
    """A text on as many lines as it takes, parted at spaces."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines or [""]


def _width(text: str, size: float) -> float:
    return _font(size).getlength(text)


@cache
def _font(size: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_font_file()), size)


@cache
def _font_file() -> Path:
    """Bitstream Vera Sans, which comes with reportlab: one font for both files, which the PDF may embed."""
    found = find_spec("reportlab")
    return Path(str(found and found.origin)).parent / "fonts" / "Vera.ttf"


@cache
def _registered_font() -> str:
    """The name by which reportlab has the font: once, as a document goes on with the font that it began with."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    pdfmetrics.registerFont(TTFont("Figure", str(_font_file())))
    return "Figure"


def _jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=92, subsampling=0)
    return buffer.getvalue()


def _shares(colour: Colour) -> tuple[float, float, float]:
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


def _path(page: Any, outlines: Sequence[NDArray[np.float32]]) -> Any:
    path = page.beginPath()
    for line in outlines:
        path.moveTo(*map(float, line[0]))
        for corner in line[1:]:
            path.lineTo(*map(float, corner))
        path.close()
    return path


@contextmanager
def _upright(page: Any, left: float, top: float, height: float) -> Iterator[None]:
    """What is drawn inside has its origin ``height`` below ``top`` and goes upwards, as images and text of a PDF do."""
    page.saveState()
    page.transform(1, 0, 0, -1, left, top + height)
    yield
    page.restoreState()
