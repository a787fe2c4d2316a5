"""The components of the tab "Compare"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ipseg.core import plugins
from ipseg.studies import comparison
from ipseg.ui.widgets import examples, painting, running
from ipseg.ui.widgets.images import image_input
from ipseg.ui.widgets.inputs import gallery_input, image_files_input, mask_value_input

WAITING = """<div class="waiting start"><b>Several methods on one prompt</b>
<ol><li>Drop an image of an <b>object</b> and the images to <b>search in</b>.</li><li>Choose two methods or more.</li>
<li>Press <b>Compare</b>: their masks, where they differ, and one figure of all appear here.</li></ol>
<p>Or choose an example.</p></div>"""


@dataclass(frozen=True)
class Layout:
    """The components of the tab."""

    prompt: gr.Image
    images: gr.Gallery
    methods: gr.CheckboxGroup
    mask: gr.Image
    mask_value: gr.Number
    paint: gr.ImageEditor
    onto: gr.Button
    truths: gr.File
    truth_value: gr.Number
    run: gr.Button
    stop: gr.Button
    on_sam: gr.Button  # fetches SAM where it is absent, and compares on it
    examples: gr.Gallery | None
    opened: gr.Textbox  # the example that a link opens
    table: gr.HTML
    which: gr.Dropdown
    left: gr.Dropdown
    right: gr.Dropdown
    slider: gr.ImageSlider
    difference: gr.Image
    legend: gr.HTML
    figure: gr.DownloadButton
    page_file: gr.DownloadButton  # the same as PDF
    masks: gr.DownloadButton
    copy: gr.Button  # of the link
    copied: gr.HTML
    answers: gr.Gallery
    record: gr.JSON
    saved: gr.State


def layout(on_sam: gr.Button) -> Layout:
    """Lay the fields out inside the tab that is open: inputs on the left, results on the right.

    ``on_sam``: the button that compares on SAM, not rendered yet.
    """
    with gr.Row(elem_id="compare"):
        with gr.Column(scale=5, min_width=320, elem_id="compare-inputs"):
            inputs = _input_fields(on_sam)
        with gr.Column(scale=8, min_width=320, elem_id="compare-result", elem_classes=["of-inputs"]):
            table = gr.HTML(WAITING, elem_id="compare-table", container=False, padding=False)
            results = (*_pair(), *_differences(), *_files())
    answers = gr.Gallery(
        label="All results, with their points",
        columns=4,
        object_fit="contain",
        height="auto",
        interactive=False,
        elem_id="compare-answers",
    )
    with gr.Accordion("The record, as JSON", open=False, elem_id="compare-json"):
        record = gr.JSON(elem_id="compare-record", show_label=False)
    every: tuple[Any, ...] = (*inputs, table, *results, answers, record, gr.State(time_to_live=3600))
    return Layout(*every)


def _input_fields(on_sam: gr.Button) -> tuple[Any, ...]:
    with gr.Row(elem_classes=["pair"]):
        prompt = image_input(
            label="Object", height=200, elem_id="compare-prompt", alt_text="The image of the object", min_width=140
        )
        images = gallery_input(
            label="Search in", columns=2, height=200, fit_columns=False, elem_id="compare-images", min_width=140
        )
    methods = gr.CheckboxGroup(
        [(plugins.module("baselines", name).TITLE, name) for name in _by_usual(plugins.names("baselines"))],
        value=list(comparison.USUAL),
        label="Methods",
        elem_id="compare-methods",
    )
    masks = _masks()
    run, stop = running.buttons("Compare", "compare-run", "compare-table")
    on_sam.render()
    chosen = examples.gallery(examples.comparable(), "compare-examples")
    opened = gr.Textbox(visible="hidden", elem_id="compare-opened", label="Example of the link")
    return prompt, images, methods, *masks, run, stop, on_sam, chosen, opened


def _pair() -> tuple[Any, ...]:
    """Which image, which two results are on the slider, and the slider."""
    with gr.Row(elem_id="compare-pair"):
        chosen = tuple(
            gr.Dropdown([], label=label, visible=visible, elem_id=name, min_width=120)
            for label, name, visible in (
                ("Image", "compare-which", False),
                ("Left", "compare-left", True),
                ("Right", "compare-right", True),
            )
        )
    slider = gr.ImageSlider(
        label="Left | right", show_label=False, elem_id="compare-slider", max_height=380, interactive=False
    )
    return *chosen, slider


def _differences() -> tuple[gr.Image, gr.HTML]:
    difference = gr.Image(
        label="Differences",
        alt_text="The pixels in which the masks differ, each method in its colour",
        elem_id="compare-difference",
        height=320,
        interactive=False,
        buttons=["download", "fullscreen"],
    )
    return difference, gr.HTML(elem_id="compare-legend", container=False, padding=False)


def _files() -> tuple[Any, ...]:
    """The downloads and the link."""
    named = {"figure": "Figure (PNG)", "pdf": "Figure (PDF)", "masks": "All masks (ZIP)"}
    with gr.Row(elem_id="compare-files", elem_classes=["files"]):
        files = [
            gr.DownloadButton(label, interactive=False, elem_id=f"compare-{name}", min_width=110)
            for name, label in named.items()
        ]
        copy = gr.Button("Copy link", elem_id="compare-copy", min_width=110)
    return *files, copy, gr.HTML(elem_id="compare-copied", container=False, padding=False)


def _masks() -> tuple[gr.Image, gr.Number, gr.ImageEditor, gr.Button, gr.File, gr.Number]:
    with gr.Accordion("Mask of the object (optional)", open=False, elem_classes=["more"]):
        onto = gr.Button("Paint on the image", size="sm", elem_id="compare-onto")
        with gr.Row():
            paint = painting.canvas("compare-paint")
            mask = image_input(
                label="Or upload it: white on black, the size of the image",
                height=200,
                elem_id="compare-mask",
                alt_text="Mask of the object",
                min_width=240,
            )
        mask_value = mask_value_input(elem_id="compare-mask-value")
    with gr.Accordion("Ground truth (optional)", open=False, elem_classes=["more"]):
        gr.Markdown("White on black; named like the images, or in their order. The IoU is measured with them.")
        truths = image_files_input(label="True masks", elem_id="compare-truths")
        truth_value = mask_value_input("a true mask", elem_id="compare-truth-value")
    return mask, mask_value, paint, onto, truths, truth_value


def _by_usual(names: list[str]) -> list[str]:
    return [*comparison.USUAL, *(name for name in names if name not in comparison.USUAL)]
