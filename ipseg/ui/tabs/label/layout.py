"""The components of the tab "Label"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ipseg.annotations import formats
from ipseg.batch import video
from ipseg.core import plugins
from ipseg.ui.tabs.label import examples
from ipseg.ui.tabs.label.render import DOWNLOAD, WAITING
from ipseg.ui.tabs.label.session import Review, remove
from ipseg.ui.widgets import clip_preview, file_list, running
from ipseg.ui.widgets.inputs import gallery_input

ROWS, FIRST = 12, 2  # classes of one run, and those that are seen at first
FORMAT = "coco"
CHOOSE, OBJECT, BACKGROUND = "Select", "+ object", "− background"
NEW = "new"  # in place of the number of an instance


@dataclass(frozen=True)
class ClassRow:
    """One class: its name and its example images."""

    row: gr.Row
    name: gr.Textbox
    images: gr.Gallery
    remove: gr.Button


@dataclass(frozen=True)
class Layout:
    """The components of the tab."""

    rows: tuple[ClassRow, ...]
    seen: gr.State  # which rows are seen: a tuple of bool
    add: gr.Button
    files: gr.File
    folder: gr.UploadButton
    per_second: gr.Number  # frames of a clip; seen where there is one
    run: gr.Button
    stop: gr.Button
    examples: gr.Gallery | None
    status: gr.HTML
    review: gr.Column  # seen when there are labels
    thresholds: tuple[gr.Slider, ...]
    gallery: gr.Gallery
    shown: gr.Markdown
    format: gr.Dropdown
    with_images: gr.Checkbox  # in the archive
    archive: gr.DownloadButton
    again: gr.Button
    one: gr.Column  # seen when an image is opened
    image: gr.Image
    instances: gr.Radio
    sign: gr.Radio
    label: gr.Dropdown
    delete: gr.Button
    example: gr.Button
    undo: gr.Button
    discard: gr.Button
    next: gr.Button
    session: gr.State

    @property
    def names(self) -> list[gr.Textbox]:
        """The names of the classes."""
        return [row.name for row in self.rows]

    @property
    def images(self) -> list[gr.Gallery]:
        """The example images of the classes."""
        return [row.images for row in self.rows]


def layout() -> Layout:
    """Lay the components out inside the tab that is open: classes and images on the left, review on the right."""
    session = gr.State(Review(), time_to_live=3600, delete_callback=remove)
    with gr.Row(elem_id="label"):
        with gr.Column(scale=5, min_width=320, elem_id="label-inputs"):
            rows = tuple(_class_row(number) for number in range(ROWS))
            seen = gr.State(tuple(number < FIRST for number in range(ROWS)))
            add = gr.Button("Add a class", size="sm", elem_id="label-add")
            files = gr.File(
                label="Images to label", file_count="multiple", height=130, elem_id="label-files",
                elem_classes=["image-input", "files", "clips"],
            )  # fmt: skip
            file_list.below(files, "label-count")
            clip_preview.below(files, "label-clips")
            folder = gr.UploadButton("Choose a folder", file_count="directory", size="sm", elem_id="label-folder")
            per_second = gr.Number(
                video.PER_SECOND, label="Frames per second of a clip", minimum=0.1, visible=False,
                info="These frames are labelled and shown, the others are not",
                elem_id="label-per-second",
            )  # fmt: skip
            run, stop = running.buttons("Label", "label-run", "label-status")
            shown = _examples()
        with gr.Column(scale=8, min_width=320, elem_id="label-result", elem_classes=["of-inputs"]):
            status = gr.HTML(WAITING, elem_id="label-status", container=False, padding=False)
            with gr.Column(visible=False, elem_id="label-review") as review:
                one = _one()
                several = _several()
    every: tuple[Any, ...] = (
        *(rows, seen, add, files, folder, per_second, run, stop, shown, status, review), *several, *one, session
    )  # fmt: skip
    return Layout(*every)


def _class_row(number: int) -> ClassRow:
    with gr.Row(visible=number < FIRST, elem_classes=["class-row"]) as row:
        name = gr.Textbox(
            label="Class", placeholder="its name", max_lines=1, max_length=100, elem_id=f"label-class-{number + 1}",
            min_width=90, scale=2,
        )  # fmt: skip
        images = gallery_input(
            label="Examples", columns=3, height=112, fit_columns=False, min_width=150, scale=4,
            elem_id=f"label-images-{number + 1}",
        )  # fmt: skip
        remove_row = gr.Button("×", size="sm", min_width=34, scale=0, elem_id=f"label-remove-{number + 1}")
    return ClassRow(row, name, images, remove_row)


def _examples() -> gr.Gallery | None:
    """Classes and images that are ready: a click fills them in and labels."""
    shown = [(examples.thumbnail(each), each.label) for each in examples.found()]
    if not shown:
        return None
    return gr.Gallery(
        shown, label="Examples", format="jpeg", columns=2, object_fit="cover", height="auto", allow_preview=False,
        interactive=False, buttons=[], elem_id="label-examples",
    )  # fmt: skip


def _several() -> tuple[Any, ...]:
    """Thresholds, all images, and the export."""
    with gr.Row(elem_id="label-thresholds"):
        thresholds = tuple(
            gr.Slider(
                0,
                1,
                0,
                step=0.01,
                label="Threshold",
                visible=False,
                elem_id=f"label-threshold-{number + 1}",
                min_width=160,
                buttons=[],
            )
            for number in range(ROWS)
        )
    with gr.Row(elem_id="label-downloads"):
        chosen = gr.Dropdown(
            [(_title(name), name) for name in formats.names()], value=FORMAT, label="Format", elem_id="label-format",
            min_width=160, scale=2,
        )  # fmt: skip
        with_images = gr.Checkbox(
            formats.needs_images(FORMAT), label="with the images", info=why_images(FORMAT),
            elem_id="label-with-images", min_width=120,
            container=False,
        )  # fmt: skip
        archive = gr.DownloadButton(DOWNLOAD, interactive=False, elem_id="label-archive", min_width=120)
        again = gr.Button("Label again", visible=False, elem_id="label-again", min_width=120)
    caption = gr.Markdown(elem_id="label-shown")
    gallery = gr.Gallery(
        label="Labelled images", columns=4, object_fit="contain", height="auto",
        allow_preview=False, interactive=False, buttons=[], elem_id="label-gallery",
    )  # fmt: skip
    return thresholds, gallery, caption, chosen, with_images, archive, again


def why_images(name: str) -> str:
    """Why the images go with a format, as text; "" where they need not."""
    return f"{_title(name)} is read with its images" if formats.needs_images(name) else ""


def _title(name: str) -> str:
    return plugins.module(formats.KIND, name).TITLE


def _one() -> tuple[Any, ...]:
    """The image that is opened, its instances, and what can be done with them."""
    with gr.Column(visible=False, elem_id="label-one") as one:
        image = gr.Image(
            label="The image", show_label=False, alt_text="The image with its numbered instances", interactive=False,
            buttons=["fullscreen"], elem_id="label-image",
        )  # fmt: skip
        instances = gr.Radio([], label="Instances", elem_id="label-instances")
        with gr.Row(elem_id="label-correct"):
            sign = gr.Radio(
                [CHOOSE, OBJECT, BACKGROUND], value=CHOOSE, label="A click on the image", elem_id="label-sign",
                min_width=260, scale=3,
            )  # fmt: skip
            label = gr.Dropdown([], label="Class", elem_id="label-label", min_width=130, scale=2)
        with gr.Row(elem_id="label-edits"):
            delete = _button("Delete", "delete")
            example = _button("Use as example", "example")
            undo = _button("Undo", "undo")
            discard = _button("Discard corrections", "discard")
            following = _button("Confirm, next", "next", variant="primary")
    return one, image, instances, sign, label, delete, example, undo, discard, following


def _button(label: str, name: str, **more: Any) -> gr.Button:
    return gr.Button(label, size="sm", interactive=False, elem_id=f"label-{name}", min_width=80, **more)
