"""A comparison as one figure for a paper or a slide: labelled columns on white, IoU below the masks; PNG and PDF."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from ipseg.core import viz
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, Mask
from ipseg.studies.comparison import Comparison, Entry

SIDE, SMALL_SIDE, MANY = 480, 320, 40  # pixels of a tile's longer side, and where a figure has more than MANY tiles
DPI = 200  # of the PDF: tiles of 6 cm
INK, LIGHT = (25, 25, 25), (110, 110, 110)


def comparison_figure(
    found: Sequence[Comparison], prompt: ImageArray, mask: Mask | None = None, *, note: str = ""
) -> Image.Image:
    """A row for each image, a column each for the prompt, the input, every method and the truth: RGB on white.

    ``prompt``: (H, W, 3) uint8; ``mask``: its given mask, (H, W) bool, outlined. ``note``: at the end, beside what
    differs from the published methods. A method without any result has no column.
    """
    methods = [
        entry.method for entry in found[0].entries if any(_of(one, entry.method).result is not None for one in found)
    ]
    truth = any(one.truth is not None for one in found)
    heads = ["Prompt", "Input", *(_of(found[0], name).label for name in methods), *(["Truth"] if truth else [])]
    side = SIDE if len(heads) * len(found) <= MANY else SMALL_SIDE
    gap, font = side // 24, ImageFont.load_default(size=side / 15)
    shown = [prompt if mask is None else viz.overlay(prompt, mask), *([None] * (len(found) - 1))]
    rows = [_row(one, first, methods, truth, side) for one, first in zip(found, shown, strict=True)]
    about = dict.fromkeys(entry.about for entry in found[0].entries if entry.about)
    width = len(heads) * (side + gap) + gap
    small = ImageFont.load_default(size=side / 21)
    notes = textwrap.wrap(" ".join([*about, note]), max(40, int(width / (side / 21 * 0.52))))
    labels = [_lines(head, font, side) for head in heads]
    line, under = round(side / 12), round(side / 10)
    top = gap + line * max(len(each) for each in labels)
    heights = [max(tile.height for tile, _ in row if tile is not None) for row in rows]
    height = top + sum(each + under + gap for each in heights) + round(line * 0.8) * len(notes) + gap
    canvas = Image.new("RGB", (width, height), viz.WHITE)
    draw = ImageDraw.Draw(canvas)
    for column, lines in enumerate(labels):
        for number, text in enumerate(reversed(lines)):
            place = (gap + column * (side + gap) + side / 2, top - gap * 0.8 - number * line)
            draw.text(place, text, fill=INK, font=font, anchor="ms")
    for row, tall in zip(rows, heights, strict=True):
        for column, (tile, text) in enumerate(row):
            left = gap + column * (side + gap)
            if tile is not None:
                canvas.paste(tile, (left + (side - tile.width) // 2, top))
            below = top + (0 if tile is None else tile.height) + gap / 3
            draw.text((left + side / 2, below), text, fill=INK, font=font, anchor="ma")
        top += tall + under + gap
    for number, text in enumerate(notes):
        draw.text((gap, top + number * round(line * 0.8)), text, fill=LIGHT, font=small)
    return canvas


def encode(image: Image.Image, kind: str) -> bytes:
    """The bytes of a "PNG" or "PDF"; one page of the PDF, at ``DPI`` dots per inch."""
    buffer = io.BytesIO()
    pdf: dict[str, Any] = {"resolution": DPI, "quality": 95, "title": "Comparison"}
    image.save(buffer, kind, **(pdf if kind == "PDF" else {"dpi": (DPI, DPI)}))
    return buffer.getvalue()


def _row(
    found: Comparison, prompt: ImageArray | None, methods: Sequence[str], truth: bool, side: int
) -> list[tuple[Image.Image | None, str]]:
    """The tiles of one image with the text below each."""
    tiles: list[tuple[Image.Image | None, str]] = [
        (None if prompt is None else _tile(prompt, side), ""),
        (_tile(found.image, side), ""),
    ]
    for name in methods:
        entry = _of(found, name)
        if entry.result is None:
            tiles.append((_tile(found.image // 2 + 127, side), "no result"))
            continue
        drawn = viz.overlay(found.image, entry.result.mask, colour=found.colours[name])
        tiles.append((_tile(drawn, side), _below(entry)))
    if truth and found.truth is None:
        tiles.append((None, "not known"))
    elif found.truth is not None:
        tiles.append((_tile(viz.overlay(found.image, found.truth.mask, colour=viz.WHITE), side), ""))
    return tiles


def _below(entry: Entry) -> str:
    """The IoU of a mask, and its status unless the object is detected."""
    score = "absent in truth" if entry.absent else "" if entry.iou is None else f"IoU {entry.iou:.2f}"
    status = entry.result.status if entry.result is not None else Status.DETECTED
    return ", ".join(filter(None, (score, "" if status is Status.DETECTED else status.words)))


def _of(found: Comparison, method: str) -> Entry:
    return next(entry for entry in found.entries if entry.method == method)


def _tile(image: ImageArray, side: int) -> Image.Image:
    """The image with its longer side at ``side`` pixels, whether it is larger or smaller."""
    scale = side / max(image.shape[:2])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)


def _lines(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    """A label on as many lines as it takes, parted at spaces."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines or [""]
