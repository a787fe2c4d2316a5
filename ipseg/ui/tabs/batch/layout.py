"""The components of the tab "Batch and video"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ipseg.ui.tabs.batch.render import GALLERY, WAITING
from ipseg.ui.widgets import clip_preview, file_list
from ipseg.ui.widgets.images import image_input
from ipseg.ui.widgets.inputs import gallery_input, mask_value_input


@dataclass(frozen=True)
class Layout:
    """The components of the tab."""

    prompts: gr.Gallery
    mask: gr.Image
    mask_value: gr.Number
    files: gr.File
    folder: gr.UploadButton
    run: gr.Button
    clip: gr.File
    keyframes_per_second: gr.Slider
    run_clip: gr.Button
    stop: gr.Button
    status: gr.HTML
    gallery: gr.Gallery
    video: gr.Video
    masks_file: gr.DownloadButton
    coco_file: gr.DownloadButton
    clip_file: gr.DownloadButton

    @property
    def outputs(self) -> list[Any]:
        """What a job fills in, in the order in which it yields."""
        return [self.status, self.gallery, self.video, self.masks_file, self.coco_file, self.clip_file]


def layout() -> Layout:
    """Lay the components out inside the tab that is open: inputs on the left, progress and results on the right."""
    with gr.Row(elem_id="batch"):
        with gr.Column(scale=5, min_width=320, elem_id="batch-inputs"):
            prompts, mask, mask_value = _prompt()
            files = gr.File(
                label="Images or a ZIP",
                file_count="multiple",
                height=150,
                elem_id="batch-files",
                elem_classes=["image-input", "files"],
            )
            file_list.below(files, "batch-count")
            with gr.Row(elem_classes=["pair"]):
                folder = gr.UploadButton(
                    "Choose a folder", file_count="directory", size="md", elem_id="batch-folder", min_width=140
                )
                run = _run("Segment all", "batch-run")
            with gr.Accordion("Or a video clip", open=False, elem_classes=["more"], elem_id="batch-clip-panel"):
                clip = gr.File(
                    label="Clip, 2 minutes at most",
                    height=130,
                    elem_id="batch-clip",
                    elem_classes=["image-input", "clip"],
                )
                clip_preview.below(clip, "batch-clip-frame")
                keyframes_per_second = gr.Slider(
                    1,
                    30,
                    3,
                    step=1,
                    label="Keyframes per second",
                    info="Between keyframes the mask is propagated; the gallery shows keyframes alone",
                    elem_id="batch-keyframes",
                )
                run_clip = _run("Segment the clip", "batch-run-clip")
        with gr.Column(scale=8, min_width=320, elem_id="batch-result"):
            with gr.Row(elem_id="batch-progress"):
                status = gr.HTML(WAITING, label="Progress", elem_id="batch-status", container=False, padding=False)
                stop = gr.Button("Stop", interactive=False, elem_id="batch-stop", scale=0, min_width=90)
            masks_file, coco_file, clip_file = _downloads()
            gallery, made = _results()
    inputs = (prompts, mask, mask_value, files, folder, run, clip, keyframes_per_second, run_clip)
    return Layout(*inputs, stop, status, gallery, made, masks_file, coco_file, clip_file)


def _run(label: str, name: str) -> gr.Button:
    """A button that shows that its request runs; Stop is beside the progress. See :mod:`ipseg.ui.widgets.running`."""
    return gr.Button(label, variant="primary", size="lg", elem_id=name, elem_classes=["run"], min_width=140)


def _downloads() -> list[gr.DownloadButton]:
    """Masks, COCO file and clip; disabled, and hidden by CSS, until there is a result."""
    named = {"batch-masks": "All masks (ZIP)", "batch-coco": "COCO (JSON)", "batch-made": "Clip with overlay"}
    with gr.Row(elem_id="batch-downloads"):
        return [
            gr.DownloadButton(label, interactive=False, elem_id=name, min_width=120) for name, label in named.items()
        ]


def _results() -> tuple[gr.Gallery, gr.Video]:
    video = gr.Video(label="Clip with overlay", interactive=False, visible=False, elem_id="batch-video", height=420)
    gallery = gr.Gallery(
        label=f"Results, at most {GALLERY}",
        columns=4,
        object_fit="contain",
        height="auto",
        interactive=False,
        elem_id="batch-gallery",
    )
    return gallery, video


def _prompt() -> tuple[gr.Gallery, gr.Image, gr.Number]:
    prompts = gallery_input(
        label="Object",
        columns=3,
        height=170,
        fit_columns=False,
        elem_id="batch-prompts",
    )
    with gr.Accordion("Mask of the object (optional)", open=False, elem_classes=["more"]):
        mask = image_input(
            label="White on black, the size of the first image",
            height=160,
            elem_id="batch-mask",
            alt_text="Mask of the first image of the object",
        )
        mask_value = mask_value_input(elem_id="batch-mask-value")
    return prompts, mask, mask_value
