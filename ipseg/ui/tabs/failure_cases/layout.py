"""The components of the tab "Failure cases"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr

from ipseg.studies.galleries import FailureCase
from ipseg.ui.widgets import running

INTRO = (
    "The method works from **one image of one single, complete, clearly seen object**. Here are prompts that break "
    "that rule, what was taken as the object in them, and a corrected prompt, tried on the same image."
)
FIRST = "hidden"  # the case that is chosen first: one where correcting the prompt helps
RESULTS = (  # name and label of each image of the result
    ("case-broken", "Breaks the rule"),
    ("case-broken-answer", "Its result"),
    ("case-mended", "Corrected prompt"),
    ("case-mended-answer", "Its result"),
)


@dataclass(frozen=True)
class Layout:
    """The components of the tab."""

    which: gr.Gallery
    case: gr.Dropdown
    run: gr.Button
    stop: gr.Button
    verdict: gr.HTML
    images: tuple[gr.Image, ...]  # in the order of RESULTS


def layout(cases: Mapping[str, FailureCase]) -> Layout:
    """Lay the components out inside the tab that is open. ``cases``: at least one."""
    which, case = _choice(cases)
    run, stop = running.buttons("Segment with both prompts", "case-run", "case-verdict")
    verdict = gr.HTML(elem_id="case-verdict", container=False)
    with gr.Row(elem_id="case-images"):
        images = tuple(_image(name, label) for name, label in RESULTS)
    return Layout(which, case, run, stop, verdict, images)


def _choice(cases: Mapping[str, FailureCase]) -> tuple[gr.Gallery, gr.Dropdown]:
    """The prompts that break the rule, as images and by their titles."""
    which = gr.Gallery(
        [(str(case.prompt.image), case.title) for case in cases.values()],
        label="Choose a prompt",
        columns=7,
        object_fit="cover",
        height="auto",
        allow_preview=False,
        interactive=False,
        elem_id="cases",
    )
    titles = [(each.title, name) for name, each in cases.items()]
    return which, gr.Dropdown(
        titles, value=FIRST if FIRST in cases else next(iter(cases)), label="Case", elem_id="case"
    )


def _image(name: str, label: str) -> gr.Image:
    return gr.Image(
        label=label,
        alt_text=label,
        elem_id=name,
        height=300,
        interactive=False,
        min_width=260,
        buttons=["download", "fullscreen"],
    )
