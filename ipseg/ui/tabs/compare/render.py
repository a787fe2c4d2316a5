"""The outputs of a comparison: a table, files, the row of images."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from ipseg.core import viz
from ipseg.core.masks import GivenMask, read_mask
from ipseg.core.types import ImageArray, MaskError
from ipseg.studies.comparison import Comparison, Entry
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.widgets.images import as_jpeg, as_png, as_zip, shown


@dataclass(frozen=True)
class SavedRow:
    """The files of one image that a session shows; no pixels are held in memory."""

    name: str
    plain: str  # the image itself
    answers: tuple[tuple[str, str], ...]  # label and file of each overlay, without points, for the slider
    images: tuple[str, ...]  # overlays with points, for the gallery
    captions: tuple[str, ...]
    difference: str | None
    row: str  # the row of images
    masks: tuple[tuple[str, str], ...]  # name in the ZIP, and file

    def overlay(self, label: str) -> str:
        """The file of one side of the slider."""
        return dict(self.answers).get(label, self.plain)


def painted(path: str | None, size: tuple[int, int]) -> GivenMask | None:
    """The painted mask, at the size of the image; None where the canvas is empty."""
    if not path:
        return None
    mask = read_mask(path, size, empty=True, name="The painted mask")
    return None if mask.empty else mask


def matched(
    files: Sequence[str],
    names: Sequence[str],
    opened: Sequence[ImageArray],
    orientations: Sequence[int],
    on_open: Callable[[], None] = lambda: None,
    mask_value: int | None = None,
) -> list[GivenMask | None]:
    """The truth of each image: the file of its name, or where no name fits, the file in its place.

    ``orientations``: of EXIF, of the images' files. ``mask_value`` chooses one of several values of the truths.
    An empty truth says that the object is absent. ``on_open`` is called before each file is opened, and may raise.
    """
    if not files:
        return [None] * len(opened)
    by_stem = {Path(file).stem: file for file in files}
    named = [by_stem.get(name) for name in names]
    if not any(named):
        if len(files) != len(opened):
            raise MaskError(
                f"There are {len(files)} true masks for {len(opened)} images; give as many, or name them alike."
            )
        named = list(files)
    found: list[GivenMask | None] = []
    for file, image, turn in zip(named, opened, orientations, strict=True):
        on_open()
        size = image.shape[:2]
        truth = read_mask(file, size, orientation=turn, mask_value=mask_value, empty=True) if file else None
        found.append(truth)
    return found


def save(found: Sequence[Comparison], names: Sequence[str], page: Any) -> list[SavedRow]:
    """The files of every image."""
    return [_save(one, name, page) for one, name in zip(found, names, strict=True)]


def _save(found: Comparison, name: str, page: Any) -> SavedRow:
    done = [(entry, entry.result) for entry in found.entries if entry.result is not None]
    overlays = [(entry, result, result.overlay(points=False)) for entry, result in done]
    marked = [(entry, result.overlay()) for entry, result in done]
    tiles = [(found.image, "the image"), *((overlay, _caption(entry)) for entry, overlay in marked)]
    if found.truth is not None:
        tiles.append((viz.overlay(found.image, found.truth.mask), "truth"))
    difference = viz.difference(found.image, [result.mask for _, result in done]) if done else None
    masks = [(entry, result.mask.astype(np.uint8) * 255) for entry, result in done]
    return SavedRow(
        name,
        as_jpeg(page.slider, found.image, f"{name}.jpg"),
        tuple((entry.label, as_jpeg(page.slider, each, f"{name}_{entry.method}.jpg")) for entry, _, each in overlays),
        tuple(as_jpeg(page.answers, each, f"{name}_{entry.method}.jpg") for entry, each in marked),
        tuple(_caption(entry) for entry, _ in marked),
        None if difference is None else as_png(page.difference, shown(difference), f"{name}_difference.png"),
        as_png(page.row, viz.strip(tiles), f"{name}_row.png"),
        tuple((f"{name}/{entry.method}.png", as_png(page.masks, mask, f"{entry.method}.png")) for entry, mask in masks),
    )


def pair(saved: list[SavedRow] | None, which: str | None, left: str, right: str) -> Any:
    """Two results on the slider."""
    if not saved:
        return gr.skip()
    row = next((row for row in saved if row.name == which), saved[0])
    return row.overlay(left), row.overlay(right)


def downloads(saved: Sequence[SavedRow], page: Any) -> tuple[Any, Any]:
    """The row of images (all rows, one below the other) and all masks, on their buttons."""
    rows = [np.asarray(Image.open(row.row)) for row in saved]
    whole = np.full((sum(row.shape[0] for row in rows), max(row.shape[1] for row in rows), 3), 255, np.uint8)
    top = 0
    for row in rows:
        whole[top : top + row.shape[0], : row.shape[1]] = row
        top += row.shape[0]
    masks = as_zip(page.masks, (pair for row in saved for pair in row.masks), "masks.zip")
    return (
        gr.DownloadButton(value=as_png(page.row, whole, "comparison.png"), interactive=True),
        gr.DownloadButton(value=masks, interactive=True),
    )


def table(found: Sequence[Comparison], names: Sequence[str], engine: str, notices: Sequence[str] = ()) -> str:
    """The results of all methods as an HTML table, with the error message of a method that failed.

    ``notices``: what was assumed about the masks, one message each.
    """
    scored = any(one.truth is not None for one in found)
    several = len(found) > 1
    heads = ["image"] * several + ["method", "prompt mask", "status", "of the image", "seconds"] + ["IoU"] * scored
    lines = [
        _line(entry, _swatches(one).get(entry.method, ""), name if several else None, scored, len(heads))
        for one, name in zip(found, names, strict=True)
        for entry in one.entries
    ]
    head = "".join(f'<th scope="col">{head}</th>' for head in heads)
    notes = [f"Engine {engine}.", *dict.fromkeys(entry.about for entry in found[0].entries if entry.about)]
    notes += [] if several else [_agreement(found[0])]
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    note = f'<p class="aside">{html.escape(" ".join(notes))}</p>'
    more = "".join(f'<p class="aside">{html.escape(notice)}</p>' for notice in notices)
    return f'<div class="wide" role="status">{body}</div>{note}{more}'


def record(
    found: Sequence[Comparison], names: Sequence[str], engine: str, notices: Sequence[str] = ()
) -> dict[str, Any]:
    """The same as plain data."""
    records = [
        {
            "image": name,
            "methods": [_entry_record(entry) for entry in one.entries],
            "agreement_iou": {" and ".join(two): round(value, 4) for two, value in one.agreement.items()},
        }
        for one, name in zip(found, names, strict=True)
    ]
    return {"engine": engine, "notices": list(notices), "images": records}


def _entry_record(entry: Entry) -> dict[str, Any]:
    fields = entry.record()
    return {**fields, "error": without_folders(entry.error)} if "error" in fields else fields


def _swatches(found: Comparison) -> dict[str, str]:
    """The colour of each method in the image of the differences, as a small square."""
    square = '<span class="swatch" style="background: rgb{}"></span>'
    colours = (viz.METHOD_COLOURS[place % len(viz.METHOD_COLOURS)] for place in range(len(found.entries)))
    return {entry.method: square.format(colour) for entry, colour in zip(found.answered, colours, strict=False)}


def _line(entry: Entry, swatch: str, name: str | None, scored: bool, width: int) -> str:
    cells = [] if name is None else [html.escape(name)]
    cells.append(f"{swatch}<b>{html.escape(entry.label)}</b>")
    if entry.result is None:
        rest, error = width - len(cells), html.escape(without_folders(entry.error))
        return f'<tr>{_cells(cells)}<td colspan="{rest}" class="aside">{error}</td></tr>'
    area = f"{entry.result.mask.mean():.1%}" if entry.result.mask.any() else "empty"
    source = {"given": "given", "saliency": "saliency"}.get(entry.mask_source, "none")
    cells += [source, entry.result.status.words, area, f"{entry.prompt_seconds + entry.seconds:.2f}"]
    cells += ["absent" if entry.absent else "" if entry.iou is None else f"{entry.iou:.3f}"] * scored
    return f"<tr>{_cells(cells)}</tr>"


def _cells(cells: Sequence[str]) -> str:
    return "".join(f"<td>{cell}</td>" for cell in cells)


def _agreement(found: Comparison) -> str:
    labels = {entry.method: entry.label for entry in found.entries}
    pairs = (f"{labels[one]} and {labels[other]} {value:.2f}" for (one, other), value in found.agreement.items())
    text = "; ".join(pairs)
    return f"IoU with each other: {text}." if text else ""


def _caption(entry: Entry) -> str:
    score = "" if entry.iou is None else f", IoU {entry.iou:.2f}"
    return f"{entry.label}{score}"
