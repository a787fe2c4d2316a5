"""What the gallery tabs share: images with captions, and IoU as coloured cells."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ipseg.core import viz
from ipseg.core.examples import examples_folder
from ipseg.core.images import open_image
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, InputError
from ipseg.studies import galleries
from ipseg.studies.galleries import FailureCase, GalleryImage, GalleryResult, ObjectKind
from ipseg.ui.widgets.images import shown

ABSENT = "The images of the gallery are not here; run the page from a checkout of the project."


def contents() -> tuple[dict[str, ObjectKind], dict[str, FailureCase]]:
    """The galleries of the examples beside the package; empty in an installed package."""
    folder = examples_folder()
    if folder is None:
        return {}, {}
    try:
        return galleries.read(folder)
    except InputError:
        return {}, {}


def overlay(answer: GalleryResult) -> ImageArray:
    """The input with its mask, in the colour of its status."""
    return shown(viz.overlay_of(answer.image, answer.mask, answer.status))


def spotlight(prompt: GalleryImage | Any, answer: GalleryResult) -> ImageArray:
    """The prompt, bright where it was taken as the object."""
    image = open_image(prompt.image if isinstance(prompt, GalleryImage) else prompt)
    return shown(viz.spotlight(image, (answer.saliency / 255).astype(np.float32)))


def caption(name: str, answer: GalleryResult) -> str:
    """The name of a prompt with its IoU, where there is a truth, and its status, unless the object is detected."""
    value = "" if answer.iou is None else f", IoU {answer.iou:.2f}"
    return f"{name}{value}" + ("" if answer.status is Status.DETECTED else f" · {answer.status.words}")


def matrix(found: Mapping[str, Sequence[GalleryResult]], inputs: Sequence[GalleryImage]) -> str:
    """IoU of every set on every input with the truth, if it has one, and of every two sets with each other, as HTML."""
    heads = [*(f"image {number + 1}" for number in range(len(inputs))), "mean"]
    tables = []
    if all(each.iou is not None for one in found.values() for each in one):
        rows = {name: [*(each.iou or 0.0 for each in one), galleries.mean_iou(one)] for name, one in found.items()}
        tables.append(_table("IoU with the ground truth", heads, rows))
    agreement = galleries.agreement(found)
    pairs = {
        one: [1.0 if one == other else agreement.get((one, other), agreement.get((other, one), 0.0)) for other in found]
        for one in found
    }
    tables.append(_table("IoU with each other", list(found), pairs))
    return f'<div class="wide" tabindex="0"><div class="side">{"".join(tables)}</div></div>'


def _table(title: str, heads: Sequence[str], rows: Mapping[str, Sequence[float]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(each)}</th>' for each in ["", *heads])
    body = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>{"".join(_cell(value) for value in values)}</tr>'
        for name, values in rows.items()
    )
    return f"<table><caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: float) -> str:
    """A cell with a stronger amber for a higher value, the same in a light and in a dark page."""
    red, green, blue = (round(255 + (strong - 255) * value) for strong in viz.MASK)
    return f'<td style="background: rgb({red} {green} {blue}) !important; color: #000000 !important">{value:.2f}</td>'
