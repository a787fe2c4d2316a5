"""The components of the tab "Prompt sets"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr

from ipseg.studies.galleries import ObjectKind
from ipseg.ui.tabs.prompt_sets import render
from ipseg.ui.widgets import running
from ipseg.ui.widgets.inputs import gallery_input

INTRO = (
    "How much does the result depend on the prompt? Three prompts of the same kind of object, in other colours, poses "
    "and lights, are tried on the same images. With **your own images**, give at least two prompts: no ground truth is "
    "needed to see which of them agree, and which one does not."
)
PROMPTS, TAKEN = "The prompts", "The prompts, bright: the object"  # before and after the run
INPUTS, RESULTS = "The images to search", "Results, and what all masks share"
FIRST = "cactus"  # the kind that is shown first: one where the prompt matters


@dataclass(frozen=True)
class Layout:
    """The components of the tab."""

    kind: gr.Dropdown
    own: gr.Gallery
    images: gr.Gallery
    run: gr.Button
    stop: gr.Button
    verdict: gr.HTML
    prompts: gr.Gallery
    answers: gr.Gallery


def layout(kinds: Mapping[str, ObjectKind]) -> Layout:
    """Lay the components out inside the tab that is open. ``kinds``: at least one."""
    with gr.Row():
        kind = gr.Dropdown(
            [(each.title, name) for name, each in kinds.items()],
            value=FIRST if FIRST in kinds else next(iter(kinds)),
            label="Kind of object",
            elem_id="sets-kind",
        )
        own = gallery_input(
            label="Your prompts",
            columns=4,
            height=150,
            elem_id="sets-prompts-own",
        )
        images = gallery_input(
            label="Your images",
            columns=4,
            height=150,
            elem_id="sets-images-own",
        )
    run, stop = running.buttons("Segment with every prompt", "sets-run", "sets-verdict")
    verdict = gr.HTML(elem_id="sets-verdict", elem_classes=["of-inputs"], container=False)
    before = render.before(kinds[kind.value])
    prompts = _image_gallery(PROMPTS, "sets-prompts", 3, before[0])
    answers = _image_gallery(INPUTS, "sets-answers", 4, before[1])
    return Layout(kind, own, images, run, stop, verdict, prompts, answers)


def _image_gallery(label: str, name: str, columns: int, shown: list[tuple[str, str]]) -> gr.Gallery:
    return gr.Gallery(
        shown, label=label, columns=columns, object_fit="contain", height="auto", interactive=False, elem_id=name
    )
