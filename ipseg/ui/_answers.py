"""From a result to what the page shows: sentences, pictures, files."""

from __future__ import annotations

import html
from collections.abc import Mapping

import gradio as gr
import numpy as np

from ipseg import viz
from ipseg.result import Result
from ipseg.types import Picture, Prompt
from ipseg.ui._studio import STEPS, as_file, shown

WAITING = '<div class="waiting">Give a picture of the thing and a picture to search, or press an example.</div>'


def verdict(prompt: Prompt, result: Result, engine: str, seconds: float) -> str:
    """Found or not, said plainly, and by whom, as HTML."""
    took = f"{seconds:.1f} s, engine {html.escape(engine)}"
    notices = "".join(f'<br><span class="aside">{html.escape(notice)}</span>' for notice in prompt.notices)
    if result.found:
        share = result.mask.mean()
        amount = f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"
        return (
            f'<div class="found" role="status"><b>Found.</b> It fills {amount} of the picture. '
            f'<span class="aside">Score {result.score:.2f}, found from {result.threshold:.2f} on; '
            f"{took}.</span>{notices}</div>"
        )
    return (
        f'<div class="missing" role="status"><b>Not found.</b> The thing does not seem to be in this picture; '
        f'the best guess is drawn in grey. <span class="aside">Score {result.score:.2f}, found from '
        f"{result.threshold:.2f} on; {took}. Lower the least score if you know that it is there.</span>"
        f"{notices}</div>"
    )


def before_and_after(result: Result) -> tuple[Picture, Picture]:
    """The original, and the same picture with the mask on it, for the slider."""
    return shown(result.picture), shown(result.overlay(points=False))


def prompt_views(prompt: Prompt) -> list[tuple[Picture, str]]:
    """Each prompt picture with what counted as the thing left bright."""
    source = {True: "your mask", False: "saliency"}
    return [(shown(viz.spotlight(view.picture, view.saliency)), source[view.given]) for view in prompt.views]


def downloads(result: Result, stem: str, mask_file: gr.DownloadButton, cut_file: gr.DownloadButton) -> tuple:
    """The two files at the picture's own size, on their buttons."""
    mask = as_file(mask_file, result.mask.astype(np.uint8) * 255, f"{stem}_mask.png")
    cut = as_file(cut_file, result.cut_out(), f"{stem}_cut_out.png")
    return gr.DownloadButton(value=mask, interactive=True), gr.DownloadButton(value=cut, interactive=True)


def step_times(seconds: Mapping[str, float]) -> str:
    """The seconds of each step in one line of Markdown; steps whose result was kept are not in it."""
    return " · ".join(f"{STEPS.get(name, name)} **{value:.2f} s**" for name, value in seconds.items())
