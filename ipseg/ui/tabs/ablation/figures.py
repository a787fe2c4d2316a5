"""Images, tables and messages of the tab "Ablation", as HTML."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from PIL import Image

from ipseg.core import viz
from ipseg.core.types import ImageArray
from ipseg.studies.ablation import AblationResult
from ipseg.ui.widgets.images import encode_jpeg

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
    return f'<table class="numbers"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'


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
    colour = viz.colour_of(answer.status)
    return viz.overlay(image, answer.mask, answer.points, colour=colour)
