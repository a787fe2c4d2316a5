"""From a result to what the page shows: messages, images, files."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gradio as gr
import numpy as np

from ipseg.core import viz
from ipseg.core.result import Result
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, Prompt
from ipseg.ui.server.progress import STEPS
from ipseg.ui.tabs.segment.clicks import Clicks, as_points
from ipseg.ui.tabs.segment.state import SavedResult
from ipseg.ui.widgets.images import as_jpeg, as_png, as_zip, shown

WAITING = '<div class="waiting">Give an image of the object and an image to search, or choose an example.</div>'


def verdict(
    prompt: Prompt, result: Result, engine: str, seconds: float, saved: Sequence[SavedResult] = (), which: int = 0
) -> str:
    """The status in words and on a scale, and the engine, as HTML. ``saved``: the results for all images."""
    took = f"{seconds:.1f} s, engine {html.escape(engine)}"
    notices = [*prompt.notices, *(one.error for one in saved if one.error)]
    rest = "".join(f'<br><span class="aside">{html.escape(notice)}</span>' for notice in notices)
    lead = _of_several(saved, which)
    kind = result.status.value.replace("_", "-")
    return (
        f'<div class="{kind}" role="status">{lead}<b>{result.status.words.capitalize()}.</b> {_meaning(result)} '
        f'<span class="aside">{_limits(result)}; {took}.</span>{_scale(result)}{rest}</div>'
    )


def _meaning(result: Result) -> str:
    """What the status means for the mask, as text."""
    if not result.mask.any():
        return "The mask is empty."
    if result.status is Status.NOT_DETECTED:
        return (
            "The object does not seem to be in this image; the best guess is drawn in grey. If you know that it is "
            "there, click on it or lower the thresholds."
        )
    share = result.mask.mean()
    amount = f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"
    count = f"; instances: {len(result.instances)}" if result.instances else ""
    doubt = "The object may be another one; its mask is drawn in blue. " if result.status is Status.UNCERTAIN else ""
    return f"{doubt}It fills {amount} of the image{count}."


def _limits(result: Result) -> str:
    """The score and the two thresholds in words."""
    text = f"Score {result.score:.2f}; detected from {result.threshold:.2f} on"
    if result.reject_threshold < result.threshold:
        text += f", not detected below {result.reject_threshold:.2f}"
    return text


def _scale(result: Result) -> str:
    """The score as a mark on a line from 0 to 1, whose three parts are the states. Its text is that of the limits."""
    low, high, at = (f"{100 * value:.1f}%" for value in (result.reject_threshold, result.threshold, result.score))
    return f'<div class="scale" aria-hidden="true" style="--low: {low}; --high: {high}; --at: {at}"><i></i></div>'


def _of_several(saved: Sequence[SavedResult], which: int) -> str:
    if len(saved) < 2:
        return ""
    return f"{counted(one.status for one in saved if not one.error)} Shown, {html.escape(saved[which].name)}: "


def counted(statuses: Iterable[Status]) -> str:
    """In how many images the object is in each state, as HTML: "Detected in <b>2 of 3</b> images, uncertain in 1." """
    states = list(statuses)
    uncertain = states.count(Status.UNCERTAIN)
    more = f", uncertain in <b>{uncertain}</b>" if uncertain else ""
    return f"Detected in <b>{states.count(Status.DETECTED)} of {len(states)}</b> images{more}."


def before_and_after(result: Result) -> tuple[ImageArray, ImageArray]:
    """The original, and the same image with the mask on it, for the slider."""
    return shown(result.image), shown(result.overlay(points=False))


def marked(result: Result, clicks: Clicks = ()) -> ImageArray:
    """The result with the points of the method and, larger, the clicks."""
    own = as_points(clicks)
    overlay = result.overlay()
    return shown(overlay if own is None else viz.draw_points(overlay, own, size=1.5))


def prompt_views(prompt: Prompt) -> list[tuple[ImageArray, str]]:
    """Each prompt image, bright where it was taken as the object."""
    source = {True: "your mask", False: "saliency"}
    return [(shown(viz.spotlight(view.image, view.saliency)), source[view.given]) for view in prompt.views]


def downloads(result: Result, stem: str, mask_file: gr.DownloadButton, cut_file: gr.DownloadButton) -> tuple:
    """The two files at the image's own size, on their buttons."""
    mask = as_png(mask_file, result.mask.astype(np.uint8) * 255, f"{stem}_mask.png")
    cut = as_png(cut_file, result.cut_out(), f"{stem}_cut_out.png")
    return gr.DownloadButton(value=mask, interactive=True), gr.DownloadButton(value=cut, interactive=True)


def numbered(result: Result, all_instances: bool) -> Any:
    """Every instance with its number, if all instances were requested."""
    if not all_instances:
        return gr.Image(visible=False)
    count = len(result.instances)
    return gr.Image(value=shown(result.overlay_instances()), label=f"Instances: {count or 'none'}", visible=True)


def save(name: str, result: Result, clicks: Clicks, all_instances: bool, gallery: gr.Gallery) -> SavedResult:
    """What a session saves of a result: an overlay and the mask files of the ZIP."""
    masks = {f"{name}.png": result.answer_mask.astype(np.uint8) * 255}
    if all_instances:
        masks |= {
            f"{name}_all.png": result.all_instances.astype(np.uint8) * 255,
            f"{name}_numbers.png": result.labels(),
        }
    files = tuple((place, as_png(gallery, pixels, place)) for place, pixels in masks.items())
    drawn = result.overlay_instances() if all_instances and result.instances else result.overlay(points=False)
    status = f"{result.status.words}, score {result.score:.2f}"
    overlay = as_jpeg(gallery, drawn, f"{name}.jpg")
    return SavedResult(name, result.image.shape[:2], f"{name}: {status}", overlay, files, result.status, clicks=clicks)


def together(
    saved: Sequence[SavedResult], which: int, all_instances: bool, archive: gr.DownloadButton
) -> tuple[Any, Any]:
    """All results in a gallery, and their masks in a ZIP, where there is more than one mask."""
    good = [one for one in saved if not one.error]
    several = len(saved) > 1
    place = sum(not one.error for one in saved[:which])
    gallery = gr.Gallery(
        value=[(one.overlay, one.caption) for one in good], selected_index=place if several else None, visible=several
    )
    if not (several or all_instances):
        return gallery, gr.DownloadButton(visible=False)
    return gallery, gr.DownloadButton(value=packed(good, archive), interactive=True, visible=True)


def packed(saved: Sequence[SavedResult], component: gr.components.Component) -> str:
    """The masks of all images in one ZIP."""
    return as_zip(component, (pair for one in saved for pair in one.files), "masks.zip")


def step_times(seconds: Mapping[str, float]) -> str:
    """The seconds of each step in one line of Markdown; steps whose result was cached are not in it."""
    return " · ".join(f"{STEPS.get(name, name)} **{value:.2f} s**" for name, value in seconds.items())
