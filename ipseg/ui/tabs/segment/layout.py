"""The components of the first tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ipseg.ui.tabs.segment import meant
from ipseg.ui.tabs.segment import render as answers
from ipseg.ui.tabs.segment.state import SavedResults
from ipseg.ui.widgets import examples, running
from ipseg.ui.widgets.inputs import gallery_input

OBJECT, BACKGROUND = SIGNS = "+ object", "− background"
SWITCH = "On / off"
SIGNS_OF_INSTANCES = (SWITCH, *SIGNS)
HINTS = {  # what a click on the result does
    SWITCH: "A click switches an instance off or on.",
    OBJECT: "A click beside the mask adds what is there.",
    BACKGROUND: "A click on the mask takes away what is there.",
}
VIEWS = ("Overlay", "Cut-out", "Mask", "Original")


@dataclass(frozen=True)
class Layout:
    """The components of the tab."""

    prompts: gr.Gallery
    images: gr.Gallery
    address: gr.Textbox  # of an image on the web
    as_object: gr.Button
    as_input: gr.Button
    all_instances: gr.Checkbox
    exclude: gr.Accordion  # around the negative prompt
    negative_prompt: gr.Gallery
    mask: gr.Image
    mask_value: gr.Number
    meant: meant.Fields
    run: gr.Button
    stop: gr.Button
    verdict: gr.HTML
    accept: gr.Button  # the best guess, where the object is not detected
    answers: gr.Gallery
    result: gr.Column  # seen when there is a result, as the evidence
    sign: gr.Radio  # what a click on the result marks
    hint: gr.HTML  # what a click does, as text
    undo: gr.Button
    clear: gr.Button
    overlay: gr.Image
    numbered: gr.AnnotatedImage
    cut: gr.Image
    mask_view: gr.Image
    original: gr.Image
    instances: gr.CheckboxGroup
    background: gr.Radio
    colour: gr.ColorPicker
    mask_file: gr.DownloadButton
    cut_file: gr.DownloadButton
    archive: gr.DownloadButton
    copy: gr.Button  # of the link
    copied: gr.HTML
    before: gr.Gallery  # the result without the negative prompt, and with it
    evidence: gr.Column
    marked: gr.Image
    heat: gr.Image
    heat_scale: gr.HTML  # the colours of the similarity
    saliency: gr.Gallery
    steps: gr.Markdown
    session: gr.State
    examples: gr.Gallery | None
    opened: gr.Textbox  # the example that a link opens
    place: gr.Textbox  # [x, y, number of the click] of a click on the numbered instances, as JSON

    @property
    def views(self) -> tuple[Any, ...]:
        """What shows the mask of the result: views, the files to download, and the instances."""
        return self.overlay, self.cut, self.mask_view, self.mask_file, self.cut_file, self.numbered


def build(addresses: bool = False) -> Layout:
    """Inputs on the left, the result on the right, the evidence for it below.

    ``addresses``: whether images can be given by their address.
    """
    with gr.Row(elem_id="segment"):
        with gr.Column(scale=5, min_width=320, elem_id="segment-inputs"):
            prompts, images, all_instances = _input_fields()
            run, stop = running.buttons("Segment", "run", "verdict")
            fields = (all_instances, *_optional_fields())
            chosen = examples.gallery(examples.found(), "examples")
            by_url = _by_url(addresses)
            opened = gr.Textbox(visible="hidden", elem_id="segment-opened", label="Example of the link")
            # not in the column of the result: that makes all of it visible, each time it is set to be
            place = gr.Textbox(visible="hidden", elem_id="place", label="Click on an instance")
        with gr.Column(scale=8, min_width=320, elem_id="segment-result", elem_classes=["of-inputs"]):
            verdict, accept, several = _verdict()
            result, views = _result()
    evidence, parts = _evidence()
    state = gr.State(SavedResults(), time_to_live=3600)
    every: tuple[Any, ...] = (
        prompts, images, *by_url, *fields, run, stop, verdict, accept, several, result, *views, evidence, *parts,
        state, chosen, opened, place,
    )  # fmt: skip
    return Layout(*every)


def _input_fields() -> tuple[Any, ...]:
    with gr.Row(elem_id="segment-images"):
        prompts = _gallery("Object", "prompts")
        images = _gallery("Search in", "images")
    return prompts, images, gr.Checkbox(label="Find every instance", elem_id="all_instances", container=False)


def _optional_fields() -> tuple[Any, ...]:
    """Below the button: nothing covers the image that is marked."""
    with gr.Accordion("Which object is meant (optional)", open=False, elem_classes=["more"], elem_id="meant"):
        gr.Markdown("Click or box it in the first image, paint it, or give a mask.", elem_id="meant-intro")
        panel = meant.fields()
    with gr.Accordion("Exclude (negative prompt)", open=False, elem_classes=["more"]) as exclude:
        negative_prompt = _gallery("Not meant: similar objects", "negative_prompt", height=170)
    return exclude, negative_prompt, panel.mask, panel.mask_value, panel


def _by_url(visible: bool) -> tuple[Any, ...]:
    with gr.Accordion("Image by URL", open=False, elem_classes=["more"], visible=visible, elem_id="by-url"):
        address = gr.Textbox(
            label="Address of an image", placeholder="https://example.org/photo.jpg", elem_id="address", max_lines=1
        )
        with gr.Row(elem_classes=["pair"]):
            as_object = gr.Button("Add to Object", size="sm", elem_id="url-object", min_width=100)
            as_input = gr.Button("Add to Search in", size="sm", elem_id="url-image", min_width=100)
    return address, as_object, as_input


def _gallery(label: str, name: str, height: int = 200) -> gr.Gallery:
    return gallery_input(label=label, columns=2, height=height, fit_columns=False, elem_id=name, min_width=140)


def _verdict() -> tuple[gr.HTML, gr.Button, gr.Gallery]:
    """What was found in the image that is shown, the button that accepts a best guess, and the results of several."""
    with gr.Row(elem_id="verdict-row"):
        verdict = gr.HTML(answers.WAITING, elem_id="verdict", container=False, padding=False, scale=5, min_width=260)
        accept = gr.Button(answers.ANYWAY, size="sm", visible=False, elem_id="accept", scale=1, min_width=130)
    several = gr.Gallery(
        label="Results: choose one",
        columns=6,
        height=130,
        object_fit="contain",
        allow_preview=False,
        interactive=False,
        visible=False,
        buttons=[],
        elem_id="answers",
    )
    return verdict, accept, several


def _result() -> tuple[gr.Column, tuple[Any, ...]]:
    """The views of the result, of which CSS shows the one that is chosen, and its files."""
    with gr.Column(visible=False, elem_id="result") as result:
        gr.Radio(
            VIEWS, value=VIEWS[0], show_label=False, label="View", container=False, interactive=True, elem_id="view"
        )
        sign, hint, undo, clear = _corrections()
        overlay = _view("shown-overlay", "The object in its own colours, outlined, the rest of the image dimmed")
        numbered = gr.AnnotatedImage(
            label="Instances", show_label=False, elem_id="numbered", visible=False, height=420, buttons=["fullscreen"]
        )
        cut = _view("shown-cut", "The object alone")
        mask_view = _view("shown-mask", "The mask: white on the object")
        original = _view("shown-original", "The image that was searched")
        instances = gr.CheckboxGroup([], label="Instances", visible=False, elem_id="instances")
        # Gradio would refuse the numbers of an earlier result with a message; the handler skips them
        instances.preprocess = lambda payload: [each for each in payload or () if isinstance(each, int)]
        with gr.Row(elem_id="background-row"):
            background = gr.Radio(
                answers.BACKGROUNDS, value=answers.TRANSPARENT, label="Background", elem_id="background", scale=4
            )
            colour = gr.ColorPicker("#2563eb", label="Colour", elem_id="background-colour", scale=0, min_width=90)
        with gr.Row(elem_id="files"):
            mask_file, cut_file = _file("Mask (PNG)", "mask"), _file("Cut-out (PNG)", "cut")
            archive = gr.DownloadButton("Download all", interactive=False, elem_id="archive", min_width=110)
            copy = gr.Button("Copy link", elem_id="segment-copy", min_width=110)
        copied = gr.HTML(elem_id="segment-copied", container=False, padding=False)
        before = gr.Gallery(
            label="Without and with the negative prompt",
            columns=2,
            object_fit="contain",
            height=230,
            interactive=False,
            visible=False,
            buttons=[],
            elem_id="before",
        )
    views = (sign, hint, undo, clear, overlay, numbered, cut, mask_view, original)
    return result, (*views, instances, background, colour, mask_file, cut_file, archive, copy, copied, before)


def _evidence() -> tuple[gr.Column, tuple[Any, ...]]:
    """The points and corrections by clicks, what was taken as the object, the similarity, the seconds of the steps."""
    with gr.Column(visible=False, elem_id="why") as evidence:
        with gr.Row():
            with gr.Column(min_width=260):
                marked = _output("marked", "Points and clicks", "The result with its positive and negative points")
            with gr.Column(min_width=260):
                saliency = gr.Gallery(
                    label="What was taken as the object",
                    columns=1,
                    object_fit="contain",
                    height=280,
                    interactive=False,
                    buttons=["fullscreen"],
                    elem_id="saliency",
                )
            with gr.Column(min_width=260):
                heat = _output("heat", "Similarity to the object", "Heat map of the similarity to the prompt")
                scale = gr.HTML(elem_id="heat-scale", container=False, padding=False)
        steps = gr.Markdown(elem_id="steps")
    return evidence, (marked, heat, scale, saliency, steps)


def _corrections() -> tuple[gr.Radio, gr.HTML, gr.Button, gr.Button]:
    """What a click on the result marks, in a word and in a sentence, and the buttons that take clicks back."""
    with gr.Row(elem_id="corrections"):
        sign = gr.Radio(
            SIGNS,
            value=OBJECT,
            label="A click marks",
            show_label=False,
            container=False,
            elem_id="sign",
            min_width=200,
            scale=2,
        )
        undo = gr.Button("Undo", size="sm", interactive=False, elem_id="undo", min_width=70)
        clear = gr.Button("Clear", size="sm", interactive=False, elem_id="clear", min_width=70)
        hint = gr.HTML(HINTS[OBJECT], elem_id="hint", container=False, padding=False)
    return sign, hint, undo, clear


def _view(name: str, alt: str) -> gr.Image:
    buttons: Any = ["fullscreen"]
    return gr.Image(
        label=alt,
        show_label=False,
        alt_text=alt,
        elem_id=name,
        elem_classes=["view"],
        interactive=False,
        buttons=buttons,
    )


def _output(name: str, label: str, alt: str) -> gr.Image:
    buttons: Any = ["download", "fullscreen"]
    return gr.Image(label=label, alt_text=alt, elem_id=name, height=280, interactive=False, buttons=buttons)


def _file(label: str, name: str) -> gr.DownloadButton:
    return gr.DownloadButton(label, interactive=False, elem_id=f"{name}-file", min_width=110)
