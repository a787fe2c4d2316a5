"""The components of the first tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ipseg.core.examples import examples_folder
from ipseg.ui.tabs.segment import render as answers
from ipseg.ui.tabs.segment.state import SavedResults
from ipseg.ui.widgets.images import image_input
from ipseg.ui.widgets.inputs import gallery_input, mask_value_input

OBJECT, BACKGROUND = "+ object", "− background"

# Prompt, input, negative prompt, all instances, label; images below examples_media.
EXAMPLES = (
    ("Images/yellow_duck/00", "Images/yellow_duck/03", "", False, "A duck and its pink twin"),
    ("Images/red_mug/01", "Images/red_mug/03", "Images/green_mug/00", False, "The red mug, not the green"),
    ("Images/robot/01", "Images/robot/02", "", False, "The robot behind the car"),
    ("Images/cactus/01", "Images/cactus/02", "", False, "The cactus beside the pot"),
    ("Images/blue_teapot/00", "Images/red_mug/02", "", False, "A teapot that is not there"),
    ("Images/red_mug/00", "galleries/several/mugs", "", True, "Both red mugs"),
    ("Images/yellow_duck/00", "galleries/several/ducks", "", True, "All three ducks"),
    ("Images/robot/00", "Images/robot/02", "Images/toy_car/00", False, "The robot, and not this car"),
)


@dataclass(frozen=True)
class Layout:
    """The components of the tab."""

    prompts: gr.Gallery
    mask: gr.Image
    mask_value: gr.Number
    negative_prompt: gr.Gallery
    images: gr.Gallery
    all_instances: gr.Checkbox
    run: gr.Button
    verdict: gr.HTML
    answers: gr.Gallery
    slider: gr.ImageSlider
    numbered: gr.Image
    mask_file: gr.DownloadButton
    cut_file: gr.DownloadButton
    archive: gr.DownloadButton
    marked: gr.Image
    sign: gr.Radio
    undo: gr.Button
    clear: gr.Button
    heat: gr.Image
    saliency: gr.Gallery
    steps: gr.Markdown
    session: gr.State
    examples: gr.Examples | None


def build() -> Layout:
    """Inputs at the top, the result on the left, the evidence for it on the right."""
    prompts, mask, mask_value, negative_prompt, images, all_instances = _input_fields()
    examples = _examples(prompts, images, negative_prompt, all_instances)
    run = gr.Button("Segment", variant="primary", size="lg", elem_id="run")
    verdict = gr.HTML(answers.WAITING, elem_id="verdict", container=False)
    several = gr.Gallery(
        label="Results: choose one",
        columns=5,
        height=230,
        object_fit="contain",
        allow_preview=False,
        interactive=False,
        visible=False,
        buttons=[],
        elem_id="answers",
    )
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            slider = gr.ImageSlider(label="Original | result", elem_id="slider", max_height=560, interactive=False)
            numbered = _output("numbered", "Instances", "Every instance with its number", height=400, visible=False)
            with gr.Row():
                mask_file, cut_file = _file("Mask (PNG)", "mask"), _file("Cut-out (PNG)", "cut")
                archive = gr.DownloadButton("All masks (ZIP)", visible=False, elem_id="archive", min_width=120)
        with gr.Column(scale=2, min_width=280, elem_id="why"):
            marked, sign, undo, clear = _corrections()
            heat, saliency = _evidence()
    steps = gr.Markdown(elem_id="steps")
    return Layout(
        prompts, mask, mask_value, negative_prompt, images, all_instances,
        run, verdict, several, slider, numbered, mask_file, cut_file, archive,
        marked, sign, undo, clear, heat, saliency, steps, gr.State(SavedResults(), time_to_live=3600), examples,
    )  # fmt: skip


def _input_fields() -> tuple[gr.Gallery, gr.Image, gr.Number, gr.Gallery, gr.Gallery, gr.Checkbox]:
    with gr.Row():
        with gr.Column(min_width=300):
            prompts = _gallery("Object: one image or several", "prompts")
            with gr.Accordion("Mask of the first image (optional)", open=False):
                mask = image_input(
                    label="White on black, the size of the image",
                    height=160,
                    elem_id="prompt-mask",
                    alt_text="Mask of the first prompt image",
                )
                mask_value = mask_value_input(elem_id="prompt-mask-value")
            with gr.Accordion("Exclude (negative prompt)", open=False):
                negative_prompt = _gallery(
                    "Images of similar objects that are not meant", "negative_prompt", height=160
                )
        with gr.Column(min_width=300):
            images = _gallery("Search in: one image or several", "images")
            all_instances = gr.Checkbox(label="Find every instance", elem_id="all_instances")
    return prompts, mask, mask_value, negative_prompt, images, all_instances


def _gallery(label: str, name: str, height: int = 260) -> gr.Gallery:
    return gallery_input(label=label, columns=2, height=height, fit_columns=False, elem_id=name)


def _corrections() -> tuple[gr.Image, gr.Radio, gr.Button, gr.Button]:
    """The image with its points, and the meaning of a click on it."""
    marked = _output("marked", "Points: click to correct", "The result with its positive and negative points", 270)
    sign = gr.Radio([OBJECT, BACKGROUND], value=OBJECT, label="A click marks", elem_id="sign")
    with gr.Row():
        undo = gr.Button("Undo click", size="sm", interactive=False, elem_id="undo", min_width=100)
        clear = gr.Button("Clear clicks", size="sm", interactive=False, elem_id="clear", min_width=100)
    return marked, sign, undo, clear


def _evidence() -> tuple[gr.Image, gr.Gallery]:
    """The evidence for the result: the similarity, and what was taken as the object."""
    heat = _output("heat", "Similarity: red is high", "Heat map of the similarity to the prompt", 200)
    saliency = gr.Gallery(
        label="What was taken as the object",
        columns=1,
        object_fit="contain",
        height=200,
        interactive=False,
        buttons=["fullscreen"],
        elem_id="saliency",
    )
    return heat, saliency


def _output(name: str, label: str, alt: str, height: int, visible: bool = True) -> gr.Image:
    buttons: Any = ["download", "fullscreen"]
    return gr.Image(
        label=label, alt_text=alt, elem_id=name, height=height, interactive=False, buttons=buttons, visible=visible
    )


def _file(label: str, name: str) -> gr.DownloadButton:
    return gr.DownloadButton(label, interactive=False, elem_id=f"{name}-file", min_width=120)


def _examples(
    prompts: gr.Gallery, images: gr.Gallery, negative_prompt: gr.Gallery, all_instances: gr.Checkbox
) -> gr.Examples | None:
    """A row of examples; a click fills in the inputs."""
    folder = examples_folder()
    if folder is None:
        return None
    path = str(folder) + "/{}.jpg"
    rows = [
        [[path.format(prompt)], [path.format(image)], [path.format(other)] if other else None, all_of_them]
        for prompt, image, other, all_of_them, _ in EXAMPLES
    ]
    labels = [label for *_, label in EXAMPLES]
    return gr.Examples(
        rows,
        [prompts, images, negative_prompt, all_instances],
        label="Examples",
        example_labels=labels,
        elem_id="examples",
    )
