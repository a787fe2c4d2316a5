"""Images, tables and messages of the tab "Ablation", as HTML."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ipseg.core import viz
from ipseg.core.types import ImageArray
from ipseg.studies.ablation import AblationResult, PatchSimilarity
from ipseg.ui.widgets.images import encode_jpeg, shown
from ipseg.ui.widgets.legend import colours_of

SMALL, LARGE = 320, 640  # pixels of the longer side, in a table and else


def figures(tiles: Sequence[tuple[ImageArray, str]], kind: str = "") -> str:
    """Images with their captions in rows, "pairs" never parted; pressed, one fills the window."""
    figures = "".join(
        f"<figure>{img(image, caption, LARGE)}<figcaption>{html.escape(caption)}</figcaption></figure>"
        for image, caption in tiles
    )
    return f'<div class="figures {kind}">{figures}</div>'


def img(image: ImageArray, alt: str, side: int) -> str:
    """An element that holds its image, of at most ``side`` pixels; it grows when pressed."""
    reduced = Image.fromarray(image)
    reduced.thumbnail((side, side))
    source = f"data:image/jpeg;base64,{base64.b64encode(encode_jpeg(np.asarray(reduced), quality=85)).decode()}"
    return f'<img src="{source}" alt="{html.escape(alt)}" tabindex="-1">'


def folded(title: str, content: str) -> str:
    """What is there and not shown until its title is pressed; "" where there is none."""
    return f"<details><summary>{html.escape(title)}</summary>{content}</details>" if content else ""


def table(heads: Sequence[str], rows: Mapping[str, Sequence[str] | str], own: str = "") -> str:
    """Rows of numbers; a row that is a message takes the whole width."""
    head = "".join(f'<th scope="col">{html.escape(each)}</th>' for each in heads)
    body = ""
    for name, values in rows.items():
        title = html.escape(name)
        if isinstance(values, str):
            message = f'<b>{title}</b>: <span class="aside">{html.escape(values)}</span>'
            body += f'<tr><td colspan="{len(heads) + 1}">{message}</td></tr>'
            continue
        mark = ' class="own"' if name == own else ""
        cells = "".join(f"<td>{value}</td>" for value in values)
        body += f'<tr{mark}><th scope="row">{title}</th>{cells}</tr>'
    inside = f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody>"
    return f'<div class="wide" tabindex="0"><table class="numbers">{inside}</table></div>'


def colour_of(value: float, low: float, high: float) -> tuple[str, str]:
    """The colours of a cell of a heat map and of its number, as CSS: the number has a contrast of 4.5 or more.

    ``value`` on the scale Viridis from ``low`` to ``high``; they are the same in a light and in a dark page.
    """
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    red, green, blue = (int(each) for each in colours_of(cv2.COLORMAP_VIRIDIS)[round(share * 255)])
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in
              (red / 255, green / 255, blue / 255)]  # fmt: skip
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return f"rgb({red} {green} {blue})", "#000000" if luminance > 0.179 else "#ffffff"


def message(text: str) -> str:
    """A message about the results, as HTML."""
    return f'<div class="message" role="status">{text}</div>'


def heat(image: ImageArray, answer: AblationResult) -> ImageArray:
    """The similarity with the outline of the mask that came of it, and its points."""
    values = np.zeros(image.shape[:2], np.float32) if answer.map is None else answer.map
    canvas = np.array(viz.heat_map(image, values))
    outlines, _ = cv2.findContours(answer.mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(canvas, outlines, -1, viz.WHITE, max(2, round(max(image.shape[:2]) / 200)), cv2.LINE_AA)
    return canvas


def spotlight(image: ImageArray, answer: AblationResult) -> ImageArray:
    """The prompt, bright where it counts as the object."""
    values = np.ones(image.shape[:2], np.float32) if answer.map is None else answer.map
    return viz.spotlight(image, values)


def overlay(image: ImageArray, answer: AblationResult) -> ImageArray:
    """The mask, in the colour of its status, and its points."""
    return viz.overlay_of(image, answer.mask, answer.status, answer.points)


def with_patch(image: ImageArray, found: PatchSimilarity, side: int) -> ImageArray:
    """The image, at most ``side`` pixels on its longer side, with a frame around the patch."""
    canvas = Image.fromarray(shown(image, side))
    scale = canvas.width / image.shape[1]
    left, top, right, bottom = (each * scale for each in found.box)
    grow = max(0.0, side / 60 - (right - left)) / 2  # a frame that is seen, however small the patch
    box = (left - grow, top - grow, right + grow, bottom + grow)
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((box[0] - 3, box[1] - 3, box[2] + 3, box[3] + 3), outline=viz.WHITE, width=2)
    draw.rectangle((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1), outline=viz.NEGATIVE, width=3)
    return np.asarray(canvas)


def range_of(image: ImageArray, found: PatchSimilarity, side: int) -> tuple[float, float]:
    """The lowest and the highest similarity of :func:`with_matches`, which has the ends of the colour scale."""
    values = found.map_of(shown(image, side).shape[:2])
    return float(values.min()), float(values.max())


def with_matches(image: ImageArray, found: PatchSimilarity, side: int) -> ImageArray:
    """The similarity as a heat map, at most ``side`` pixels on its longer side, with the matches numbered from 1.

    The best match is larger and amber, the others are white.
    """
    small = shown(image, side)
    canvas = Image.fromarray(viz.heat_map(small, found.map_of(small.shape[:2])))
    draw, scale = ImageDraw.Draw(canvas), canvas.width / image.shape[1]
    for number in reversed(range(len(found.matches))):  # the best on top
        radius, fill = (side / 34, viz.MASK) if number == 0 else (side / 48, viz.WHITE)
        font = ImageFont.load_default(size=radius * 1.3)
        x, y = (float(each) * scale for each in found.matches[number])
        x, y = min(max(x, radius), canvas.width - radius), min(max(y, radius), canvas.height - radius)
        outline = max(2, round(side / 320))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill, (20, 20, 20), outline)
        draw.text((x, y), str(number + 1), fill=(20, 20, 20), font=font, anchor="mm")
    return np.asarray(canvas)
