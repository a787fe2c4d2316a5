"""The components of the tab "Compare"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ipseg.core import plugins
from ipseg.studies import comparison
from ipseg.ui.widgets import running
from ipseg.ui.widgets.images import image_input
from ipseg.ui.widgets.inputs import gallery_input, image_files_input, mask_value_input

WAITING = '<div class="waiting">Give an image of the object, one or more images to search, and two methods.</div>'


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
    table: gr.HTML
    which: gr.Dropdown
    left: gr.Dropdown
    right: gr.Dropdown
    slider: gr.ImageSlider
    answers: gr.Gallery
    difference: gr.Image
    row: gr.DownloadButton
    masks: gr.DownloadButton
    record: gr.JSON
    saved: gr.State


def layout() -> Layout:
    """Lay the fields out inside the tab that is open."""
    prompt, images, methods = _input_fields()
    mask, mask_value, paint, onto, truths, truth_value = _masks()
    run, stop = running.buttons("Compare", "compare-run")
    table = gr.HTML(WAITING, elem_id="compare-table", container=False)
    inputs = (prompt, images, methods, mask, mask_value, paint, onto, truths, truth_value, run, stop)
    return Layout(*inputs, table, *_pair(), *_result_fields())


def _input_fields() -> tuple[gr.Image, gr.Gallery, gr.CheckboxGroup]:
    with gr.Row():
        with gr.Column(min_width=300):
            prompt = image_input(
                label="Object", height=260, elem_id="compare-prompt", alt_text="The image of the object"
            )
        with gr.Column(min_width=300):
            images = gallery_input(
                label="Search in",
                columns=3,
                height=260,
                elem_id="compare-images",
            )
    methods = gr.CheckboxGroup(
        [(plugins.module("baselines", name).TITLE, name) for name in _by_usual(plugins.names("baselines"))],
        value=list(comparison.USUAL),
        label="Methods",
        elem_id="compare-methods",
    )
    return prompt, images, methods


def _pair() -> tuple[Any, ...]:
    """Which image, and which two results are on the slider."""
    with gr.Row():
        return tuple(
            gr.Dropdown([], label=label, visible=visible, elem_id=name, min_width=160)
            for label, name, visible in (
                ("Image", "compare-which", False),
                ("Left", "compare-left", True),
                ("Right", "compare-right", True),
            )
        )


def _result_fields() -> tuple[Any, ...]:
    """The slider, all results, their differences, and the downloads."""
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            slider = gr.ImageSlider(label="Left | right", elem_id="compare-slider", max_height=520, interactive=False)
        with gr.Column(scale=2, min_width=280):
            difference = gr.Image(
                label="Differences: white where all methods agree",
                alt_text="The pixels in which the masks differ, each method in its colour",
                elem_id="compare-difference",
                height=380,
                interactive=False,
                buttons=["download", "fullscreen"],
            )
    answers = gr.Gallery(
        label="All results, with their points",
        columns=3,
        object_fit="contain",
        height="auto",
        interactive=False,
        elem_id="compare-answers",
    )
    with gr.Row():
        row = gr.DownloadButton("Row of images (PNG)", interactive=False, elem_id="compare-row", min_width=140)
        masks = gr.DownloadButton("All masks (ZIP)", interactive=False, elem_id="compare-masks", min_width=140)
    with gr.Accordion("The record, as JSON", open=False):
        record = gr.JSON(elem_id="compare-record", show_label=False)
    return slider, answers, difference, row, masks, record, gr.State(time_to_live=3600)


def _masks() -> tuple[gr.Image, gr.Number, gr.ImageEditor, gr.Button, gr.File, gr.Number]:
    with gr.Accordion("Mask of the object (optional): paint or upload it; without one, saliency is used", open=False):
        onto = gr.Button("Paint on the image", size="sm", elem_id="compare-onto")
        with gr.Row():
            paint = gr.ImageEditor(
                label="Paint over the object",
                sources=[],
                type="filepath",
                format="png",
                brush=gr.Brush(default_size=24, colors=["#f59e0b"], color_mode="fixed"),
                layers=False,
                transforms=[],
                elem_id="compare-paint",
                min_width=300,
            )
            mask = image_input(
                label="Or upload it: white on black, the size of the image",
                height=200,
                elem_id="compare-mask",
                alt_text="Mask of the object",
                min_width=240,
            )
        mask_value = mask_value_input(elem_id="compare-mask-value")
    # Set on the instance, as in image_input: the file of the layer, unopened.
    paint.preprocess = lambda payload: payload.layers[0].path if payload and payload.layers else None
    with gr.Accordion("True masks, to measure against", open=False):
        truths = image_files_input(
            label="White on black; named like the images, or in their order", elem_id="compare-truths"
        )
        truth_value = mask_value_input("a true mask", elem_id="compare-truth-value")
    return mask, mask_value, paint, onto, truths, truth_value


def _by_usual(names: list[str]) -> list[str]:
    return [*comparison.USUAL, *(name for name in names if name not in comparison.USUAL)]
