"""The outputs of a comparison: a table, files, the row of images."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_bytes_to_cache

from ipseg.baselines import ON_PARTS
from ipseg.core import viz
from ipseg.core.masks import GivenMask, read_mask
from ipseg.core.result import Result
from ipseg.core.types import ImageArray, MaskError, Points
from ipseg.studies.comparison import Comparison, Entry
from ipseg.studies.figure import Figure
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.widgets.images import as_jpeg, as_png, as_zip, shown

MEANING = (  # of ON_PARTS, in a label
    "the rules of that method, run on the features and the segmenter of this engine in place of its own models; it "
    "says nothing about the published method."
)


@dataclass(frozen=True)
class SavedRow:
    """The files of one image that a session shows; no pixels are held in memory."""

    name: str
    plain: str  # the image itself
    answers: tuple[tuple[str, str], ...]  # label and file of each overlay, without points, for the slider
    images: tuple[str, ...]  # overlays with points, for the gallery
    captions: tuple[str, ...]
    difference: str | None
    legend: str  # of its colours, as HTML
    masks: tuple[tuple[str, str], ...]  # name in the ZIP, and file

    def overlay(self, label: str) -> str:
        """The file of one side of the slider."""
        return dict(self.answers).get(label, self.plain)


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
    overlays = [(entry, _overlay(found, entry, result)) for entry, result in done]
    marked = [(entry, _overlay(found, entry, result, result.points)) for entry, result in done]
    difference = viz.difference(found.image, [result.mask for _, result in done]) if done else None
    masks = [(entry, result.mask.astype(np.uint8) * 255) for entry, result in done]
    return SavedRow(
        name,
        as_jpeg(page.slider, found.image, f"{name}.jpg"),
        tuple((entry.label, as_jpeg(page.slider, each, f"{name}_{entry.method}.jpg")) for entry, each in overlays),
        tuple(as_jpeg(page.answers, each, f"{name}_{entry.method}.jpg") for entry, each in marked),
        tuple(_caption(entry) for entry, _ in marked),
        None if difference is None else as_png(page.difference, shown(difference), f"{name}_difference.png"),
        legend(found),
        tuple((f"{name}/{entry.method}.png", as_png(page.masks, mask, f"{entry.method}.png")) for entry, mask in masks),
    )


def pair(saved: list[SavedRow] | None, which: str | None, left: str, right: str) -> Any:
    """Two results on the slider."""
    if not saved:
        return gr.skip()
    row = next((row for row in saved if row.name == which), saved[0])
    return row.overlay(left), row.overlay(right)


def _overlay(found: Comparison, entry: Entry, result: Result, points: Points | None = None) -> ImageArray:
    """The mask of one method, outlined in its colour of the differences."""
    return viz.overlay(found.image, result.mask, points, colour=found.colours[entry.method])


def legend(found: Comparison) -> str:
    """What the colours of the differences mean, as HTML; "" where no method has a result."""
    own = found.colours
    if not own:
        return ""
    labels = {entry.method: entry.label for entry in found.entries}
    swatches = [("rgb(255, 255, 255)", "all methods" if len(own) > 1 else labels[next(iter(own))])]
    swatches += [(f"rgb{colour}", f"{labels[name]} alone") for name, colour in own.items()] if len(own) > 1 else []
    listed = "".join(f"<li>{_swatch(colour)}{html.escape(text)}</li>" for colour, text in swatches)
    mixed = "<li>a mixed colour: some of them</li>" if len(own) > 2 else ""
    return f"<ul>{listed}{mixed}</ul>"


def _swatch(colour: str) -> str:
    return f'<span class="swatch" style="background: {colour}"></span>'


def downloads(saved: Sequence[SavedRow], figure: Figure, page: Any) -> tuple[Any, ...]:
    """The figure as PNG and as PDF, and all masks, on their buttons."""
    files = [
        save_bytes_to_cache(data, f"comparison.{kind}", button.GRADIO_CACHE)
        for data, kind, button in ((figure.png(), "png", page.figure), (figure.pdf(), "pdf", page.page_file))
    ]
    files.append(as_zip(page.masks, (pair for row in saved for pair in row.masks), "masks.zip"))
    return tuple(gr.DownloadButton(value=file, interactive=True) for file in files)


def table(found: Sequence[Comparison], names: Sequence[str], engine: str, notices: Sequence[str] = ()) -> str:
    """The results of all methods as an HTML table, with the error message of a method that failed.

    ``notices``: what was assumed about the masks, one message each.
    """
    scored = any(one.truth is not None for one in found)
    several = len(found) > 1
    heads = ["image"] * several + ["method"] + ["IoU with the ground truth"] * scored
    heads += ["status", "seconds", "share of the image", "prompt mask"]
    lines = [
        _line(entry, _swatches(one).get(entry.method, ""), name if several else None, scored, heads)
        for one, name in zip(found, names, strict=True)
        for entry in one.entries
    ]
    head = "".join(f'<th scope="col">{head}</th>' for head in heads)
    agreement = "" if several else _agreement(found[0])
    lead = html.escape(" ".join(filter(None, (f"Engine {engine}.", agreement))))
    body = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    more = "".join(f'<p class="aside">{html.escape(notice)}</p>' for notice in notices)
    note = f'<p class="aside">{lead}</p>{_differs(found[0])}{more}'
    return f'<div class="wide" tabindex="0" role="status">{body}</div>{note}'


def _differs(found: Comparison) -> str:
    """What the label of a replaced model means, and behind a click what differs from each publication, as HTML."""
    about = dict.fromkeys(html.escape(entry.about) for entry in found.entries if entry.about)
    if not about:
        return ""
    replaced = any(ON_PARTS in entry.label for entry in found.entries)
    meaning = f"<b>{html.escape(ON_PARTS)}</b>: {html.escape(MEANING)} " if replaced else ""
    title = f"<summary>{meaning}What differs from the publications</summary>"
    return f'<details class="aside">{title}{"<br>".join(about)}</details>'


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
    return {name: _swatch(f"rgb{colour}") for name, colour in found.colours.items()}


def _line(entry: Entry, swatch: str, name: str | None, scored: bool, heads: Sequence[str]) -> str:
    """One row; each cell has its heading with it, which CSS shows where the table has no room for columns."""
    cells = [] if name is None else [html.escape(name)]
    cells.append(f"{swatch}<b>{html.escape(entry.label)}</b>")
    if entry.result is None:
        rest, error = len(heads) - len(cells), html.escape(without_folders(entry.error))
        return f'<tr>{_cells(cells, heads)}<td colspan="{rest}" class="aside">{error}</td></tr>'
    area = f"{entry.result.mask.mean():.1%}" if entry.result.mask.any() else "empty"
    source = {"given": "given", "saliency": "saliency"}.get(entry.mask_source, "none")
    cells += ["absent" if entry.absent else "" if entry.iou is None else f"{entry.iou:.2f}"] * scored
    cells += [entry.result.status.words, f"{entry.prompt_seconds + entry.seconds:.2f}", area, source]
    return f"<tr>{_cells(cells, heads)}</tr>"


def _cells(cells: Sequence[str], heads: Sequence[str]) -> str:
    pairs = zip(heads, cells, strict=False)  # an error is one cell in place of the last ones
    return "".join(f'<td data-head="{html.escape(head)}">{cell}</td>' for head, cell in pairs)


def _agreement(found: Comparison) -> str:
    """The IoU of each two methods with each other, in words."""
    if len(found.agreement) == 1:
        (value,) = found.agreement.values()
        return f"IoU between both methods: {value:.2f}."
    titles = {entry.method: entry.label.partition(" (")[0] for entry in found.entries}
    pairs = (f"{titles[one]} and {titles[other]} {value:.2f}" for (one, other), value in found.agreement.items())
    text = "; ".join(pairs)
    return f"IoU between the methods: {text}." if text else ""


def _caption(entry: Entry) -> str:
    score = "" if entry.iou is None else f", IoU {entry.iou:.2f} with the ground truth"
    return f"{entry.label}{score}"
