"""From a result to what the page shows: messages, images, files."""

from __future__ import annotations

import html
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from gradio.processing_utils import save_bytes_to_cache

from ipseg.core import viz
from ipseg.core.result import Result
from ipseg.core.types import ImageArray, Prompt
from ipseg.ui._pool import STEPS, as_file, as_jpeg, shown
from ipseg.ui._questions import Clicks, SavedResult, as_points

WAITING = '<div class="waiting">Give an image of the object and an image to search, or press an example.</div>'


def verdict(
    prompt: Prompt, result: Result, engine: str, seconds: float, seen: Sequence[SavedResult] = (), which: int = 0
) -> str:
    """Found or not, said plainly, and by whom, as HTML. ``seen``: the answers for all images."""
    took = f"{seconds:.1f} s, engine {html.escape(engine)}"
    notices = [*prompt.notices, *(one.error for one in seen if one.error)]
    rest = "".join(f'<br><span class="aside">{html.escape(notice)}</span>' for notice in notices)
    lead = _of_several(seen, which)
    if result.found:
        share = result.mask.mean()
        amount = f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"
        count = f"; all of them: {len(result.instances)}" if result.instances else ""
        return (
            f'<div class="found" role="status">{lead}<b>Found.</b> It fills {amount} of the image{count}. '
            f'<span class="aside">Score {result.score:.2f}, found from {result.threshold:.2f} on; '
            f"{took}.</span>{rest}</div>"
        )
    return (
        f'<div class="missing" role="status">{lead}<b>Not found.</b> The object does not seem to be in this image; '
        f'the best guess is drawn in grey. <span class="aside">Score {result.score:.2f}, found from '
        f"{result.threshold:.2f} on; {took}. If you know that it is there, "
        f"click on it or lower the least score.</span>"
        f"{rest}</div>"
    )


def _of_several(seen: Sequence[SavedResult], which: int) -> str:
    if len(seen) < 2:
        return ""
    found = sum(one.found for one in seen)
    return f"In <b>{found} of {len(seen)}</b> images. Shown, {html.escape(seen[which].name)}: "


def before_and_after(result: Result) -> tuple[ImageArray, ImageArray]:
    """The original, and the same image with the mask on it, for the slider."""
    return shown(result.image), shown(result.overlay(points=False))


def marked(result: Result, clicks: Clicks = ()) -> ImageArray:
    """The result with the points of the method and, larger, the visitor's own."""
    own = as_points(clicks)
    overlay = result.overlay()
    return shown(overlay if own is None else viz.draw_points(overlay, own, size=1.5))


def prompt_views(prompt: Prompt) -> list[tuple[ImageArray, str]]:
    """Each prompt image with what counted as the object left bright."""
    source = {True: "your mask", False: "saliency"}
    return [(shown(viz.spotlight(view.image, view.saliency)), source[view.given]) for view in prompt.views]


def downloads(result: Result, stem: str, mask_file: gr.DownloadButton, cut_file: gr.DownloadButton) -> tuple:
    """The two files at the image's own size, on their buttons."""
    mask = as_file(mask_file, result.mask.astype(np.uint8) * 255, f"{stem}_mask.png")
    cut = as_file(cut_file, result.cut_out(), f"{stem}_cut_out.png")
    return gr.DownloadButton(value=mask, interactive=True), gr.DownloadButton(value=cut, interactive=True)


def numbered(result: Result, asked: bool) -> Any:
    """Every instance with its number, where the question was for all."""
    if not asked:
        return gr.Image(visible=False)
    count = len(result.instances)
    return gr.Image(value=shown(result.overlay_instances()), label=f"All of them: {count or 'none'}", visible=True)


def save(name: str, result: Result, clicks: Clicks, all_instances: bool, gallery: gr.Gallery) -> SavedResult:
    """What a session holds of an answer: an overlay to look at, and the files of the ZIP."""
    masks = {f"{name}.png": (result.mask & result.found).astype(np.uint8) * 255}
    if all_instances:
        masks |= {
            f"{name}_all.png": result.all_instances.astype(np.uint8) * 255,
            f"{name}_numbers.png": result.labels(),
        }
    files = tuple((place, as_file(gallery, pixels, place)) for place, pixels in masks.items())
    drawn = result.overlay_instances() if all_instances and result.instances else result.overlay(points=False)
    said = f"score {result.score:.2f}" if result.found else "not found"
    overlay = as_jpeg(gallery, drawn, f"{name}.jpg")
    return SavedResult(name, result.image.shape[:2], f"{name}: {said}", overlay, files, result.found, clicks=clicks)


def together(
    seen: Sequence[SavedResult], which: int, all_instances: bool, archive: gr.DownloadButton
) -> tuple[Any, Any]:
    """All answers in a gallery, and their masks in a ZIP, where there is more than one mask."""
    good = [one for one in seen if not one.error]
    several = len(seen) > 1
    place = sum(not one.error for one in seen[:which])
    gallery = gr.Gallery(
        value=[(one.overlay, one.caption) for one in good], selected_index=place if several else None, visible=several
    )
    if not (several or all_instances):
        return gallery, gr.DownloadButton(visible=False)
    return gallery, gr.DownloadButton(value=packed(good, archive), interactive=True, visible=True)


def packed(seen: Sequence[SavedResult], component: gr.components.Component) -> str:
    """The masks of all images in one ZIP."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, file in (pair for one in seen for pair in one.files):
            archive.writestr(name, Path(file).read_bytes())
    return save_bytes_to_cache(buffer.getvalue(), "masks.zip", component.GRADIO_CACHE)


def step_times(seconds: Mapping[str, float]) -> str:
    """The seconds of each step in one line of Markdown; steps whose result was kept are not in it."""
    return " · ".join(f"{STEPS.get(name, name)} **{value:.2f} s**" for name, value in seconds.items())
