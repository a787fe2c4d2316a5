"""The components of the tab "Ablation"."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from ipseg.core.examples import examples_folder
from ipseg.ui.widgets import running
from ipseg.ui.widgets.images import image_input
from ipseg.ui.widgets.inputs import mask_value_input

INTRO = (
    "Every step of the method between the prompt and the mask, for one pair of images, and how the mask changes "
    "when a step is changed: the features as colours, the similarity of a patch that you click, saliency methods, and "
    "the IoU of every number of similar cells (K) and of points (c) that prompt the segmenter. Choose an example, or "
    "give two images of your own."
)
WAITING = '<div class="waiting">Choose an example, or give an image of the object and an image to search.</div>'
EXAMPLES = (  # prompt and input below examples_media/Images, and what the pair shows
    ("robot/01", "robot/02", "The robot behind the car"),
    ("yellow_duck/00", "yellow_duck/03", "A duck and its pink twin"),
    ("red_mug/01", "red_mug/03", "The red mug, not the green"),
    ("cactus/01", "cactus/02", "The cactus beside the pot"),
)
PATCH = (
    "Click anywhere in one image: the other one shows how similar each of its patches is, with the three most similar "
    "ones numbered. The features alone decide, without the mask of the object."
)
OUTPUTS = ("features", "similarity", "saliency", "grid")  # the sections in the order of the endpoint
SECTIONS = (  # name, heading, the explanation with what it corresponds to in the paper; in the order of the page
    (
        "grid",
        "How many points: K and c",
        "The K most and the K least similar cells are each clustered into c points, which prompt the segmenter. "
        "Here is the IoU of each setting, and the masks that differ (Table 4 of the paper).",
    ),
    (
        "similarity",
        "Similarity to the prompt",
        "How similar each pixel of the searched image is to the object, from blue to red, with the outline of the "
        "mask, for the features and scores whose answers differ (Fig. 5 and 8, Table 3 of the paper).",
    ),
    (
        "saliency",
        "Saliency: the object in the prompt",
        "A saliency method decides which part of the prompt is the object, shown bright. Here are the methods whose "
        "answers differ, and the IoU of each (Table 6 of the paper).",
    ),
    (
        "features",
        "Features as colours",
        "Each cell of an image gets a feature vector; similar colours in the two images are similar features "
        "(Fig. 4 of the paper).",
    ),
)


@dataclass(frozen=True)
class Patch:
    """The components of "Similarity of a patch"."""

    verdict: gr.HTML
    prompt: gr.Image  # each is pressed to choose a patch
    image: gr.Image
    shown: gr.State  # a PatchPair, or None


@dataclass(frozen=True)
class Layout:
    """The components of the tab."""

    inputs: list[gr.components.Component]  # prompt, image, mask, truth
    mask_value: gr.Number
    run: gr.Button
    verdict: gr.HTML
    stop: gr.Button
    steps: gr.HTML
    patch: Patch
    sections: list[gr.HTML]  # in the order of OUTPUTS
    record: gr.JSON
    results: gr.Column
    examples: gr.Examples | None


def layout() -> Layout:
    """Lay the components out inside the tab that is open."""
    gr.Markdown(INTRO)
    with gr.Row():
        prompt, image = (
            image_input(label=label, height=220, elem_id=name, alt_text=label, min_width=260)
            for name, label in (("ablation-prompt", "Object"), ("ablation-image", "Search in"))
        )
    with gr.Accordion("Ground truth (optional)", open=False):
        gr.Markdown("True masks, white on black: every IoU is then with them.")
        with gr.Row():
            mask, truth = (
                image_input(label=label, height=180, elem_id=name, alt_text=label, min_width=240)
                for name, label in (
                    ("ablation-mask", "Of the object"),
                    ("ablation-truth", "Of the searched image"),
                )
            )
        mask_value = mask_value_input("a mask", elem_id="ablation-mask-value")
    inputs: list[gr.components.Component] = [prompt, image, mask, truth]
    examples = _examples(inputs)
    run, stop = running.buttons("Compute every step", "ablation-run", "ablation-verdict")
    verdict = gr.HTML(
        WAITING, elem_id="ablation-verdict", elem_classes=["ablation", "of-inputs"], container=False, padding=False
    )
    with gr.Column(visible=False, elem_id="ablation-results") as results:
        steps = _result("steps")
        patch = _patch()
        by_name = {}
        for name, heading, explained in SECTIONS:
            gr.Markdown(f"### {heading}\n{explained}")
            by_name[name] = _result(name)
        by_section = [by_name[name] for name in OUTPUTS]
        with gr.Accordion("The record, as JSON", open=False):
            record = gr.JSON(elem_id="ablation-record", show_label=False)
    return Layout(inputs, mask_value, run, verdict, stop, steps, patch, by_section, record, results, examples)


def _patch() -> Patch:
    """Both images, each of which can be pressed."""
    gr.Markdown(f"### Similarity of a patch\n{PATCH}")
    verdict = _result("patch")
    with gr.Row(elem_id="ablation-patches"):
        prompt, image = (
            gr.Image(
                label=label,
                alt_text=alt,
                elem_id=f"ablation-patch-{name}",
                elem_classes=["pressed"],
                interactive=False,
                min_width=280,
                buttons=["fullscreen"],
            )
            for name, label, alt in (
                ("prompt", "Prompt: click a patch", "The prompt image; a click chooses a patch"),
                ("image", "Searched image: click a patch", "The searched image; a click chooses a patch"),
            )
        )
    return Patch(verdict, prompt, image, gr.State(time_to_live=3600))


def _examples(inputs: list[gr.components.Component]) -> gr.Examples | None:
    """Examples: pairs with their true masks; a click fills in the fields and runs the ablation."""
    folder = examples_folder()
    if folder is None:
        return None
    rows = [
        [example_file(folder, kind, name) for kind in ("Images", "Annotations") for name in (prompt, image)]
        for prompt, image, _ in EXAMPLES
    ]
    labels = [label for *_, label in EXAMPLES]
    return gr.Examples(rows, inputs, label="Examples", example_labels=labels, elem_id="ablation-examples")


def _result(name: str) -> gr.HTML:
    return gr.HTML(elem_id=f"ablation-{name}", elem_classes=["ablation"], container=False, padding=False)


def example_file(folder: Path | None, kind: str, name: str) -> str:
    """The path of an example image, or of its true mask."""
    return str((folder or Path()) / kind / f"{name}.{'jpg' if kind == 'Images' else 'png'}")
