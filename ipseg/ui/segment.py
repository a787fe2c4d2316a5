"""The first tab: prompt pictures and an input picture in, the mask and the reasons for it out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg import MAX_CLUSTERS, MAX_K, images
from ipseg.result import Result
from ipseg.types import PictureError, Prompt
from ipseg.ui import _answers as answers
from ipseg.ui._studio import JOBS, Studio, examples_folder, picture_input, reporter, sentences, shown

TITLE, ORDER = "Segment", 0

EXAMPLES = (  # prompt and input below examples_media/Images, and what the pair shows
    ("yellow_duck/00", "yellow_duck/03", "A duck and its pink twin"),
    ("red_mug/01", "red_mug/03", "The red mug, not the green"),
    ("robot/01", "robot/02", "The robot behind the car"),
    ("cactus/01", "cactus/02", "The cactus beside the pot"),
    ("blue_teapot/00", "red_mug/02", "A teapot that is not there"),
)


def build(studio: Studio) -> None:
    """Lay out the tab and wire it."""
    prompts, image = _questions()
    examples = _examples(prompts, image)
    run = gr.Button("Cut it out", variant="primary", size="lg", elem_id="run")
    verdict = gr.HTML(answers.WAITING, elem_id="verdict", container=False)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            slider = gr.ImageSlider(label="Original | result", elem_id="slider", max_height=520, interactive=False)
            with gr.Row():
                mask_file = gr.DownloadButton("Mask (PNG)", interactive=False, elem_id="mask-file", min_width=120)
                cut_file = gr.DownloadButton("Cut-out (PNG)", interactive=False, elem_id="cut-file", min_width=120)
        with gr.Column(scale=2, min_width=280):
            k, clusters, threshold, mask = _settings(studio)
    marked, heat, saliency, steps = _evidence()

    def segment(
        prompts: list[Any] | None,
        image: str | None,
        k: float,
        clusters: float,
        threshold: float,
        mask: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
    ) -> tuple[Any, ...]:
        """Cut the thing that the prompt pictures show out of another picture.

        Args:
            prompts: pictures of the thing
            image: the picture to search
            k: most and least similar cells, 1 to 256
            clusters: points of each kind, 1 to 32, at most k
            threshold: least score that counts as found, 0 to 1
            mask: where the thing is in the first prompt picture: white on black, same size; may be left out
        """
        start = time.perf_counter()
        with sentences():
            prompt, result = _ask(studio, prompts, image, mask, int(k), int(clusters), threshold, progress)
        return (
            answers.verdict(prompt, result, time.perf_counter() - start),
            answers.before_and_after(result),
            shown(result.overlay()),
            shown(result.heat_map()),
            answers.prompt_views(prompt),
            *answers.downloads(result, Path(image or "picture").stem, mask_file, cut_file),
            answers.step_times(result.seconds),
        )

    def again(
        prompts: list[Any] | None,
        image: str | None,
        k: float,
        clusters: float,
        threshold: float,
        mask: str | None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Any:
        """Answer anew after a slider moved, unless there is nothing to answer yet."""
        if not prompts or not image:
            return gr.skip()
        return segment(prompts, image, k, clusters, threshold, mask, progress)

    inputs = [prompts, image, k, clusters, threshold, mask]
    outputs = [verdict, slider, marked, heat, saliency, mask_file, cut_file, steps]
    common: dict[str, Any] = {"inputs": inputs, "outputs": outputs, "show_progress_on": [slider], **JOBS}
    run.click(segment, api_name="segment", **common)
    moved = [k.release, clusters.release, threshold.release]
    gr.on(moved, again, trigger_mode="always_last", api_visibility="private", **common)
    if examples:
        examples.load_input_event.then(again, api_visibility="private", **common)


def _questions() -> tuple[gr.Gallery, gr.Image]:
    with gr.Row():
        with gr.Column(min_width=300):
            prompts = gr.Gallery(
                label="1. The thing: one picture of it, or several",
                type="filepath",
                file_types=["image"],
                columns=2,
                height=260,
                object_fit="contain",
                fit_columns=False,
                interactive=True,
                sources=["upload", "clipboard"],
                elem_id="prompts",
            )
        with gr.Column(min_width=300):
            image = picture_input(
                label="2. The picture to search",
                height=260,
                elem_id="image",
                alt_text="The picture to search",
            )
    return prompts, image


def _settings(studio: Studio) -> tuple[gr.Slider, gr.Slider, gr.Slider, gr.Image]:
    method = studio.method
    k = gr.Slider(1, MAX_K, method.k, step=1, label="K: most and least similar cells", elem_id="k")
    clusters = gr.Slider(1, MAX_CLUSTERS, method.clusters, step=1, label="c: points of each kind", elem_id="c")
    threshold = gr.Slider(0, 1, method.threshold, step=0.01, label="Least score that counts as found", elem_id="score")
    with gr.Accordion("I have a mask for my first picture", open=False):
        mask = picture_input(
            label="White on black, the size of the picture",
            height=160,
            elem_id="prompt-mask",
            alt_text="Mask of the first prompt picture",
        )
    return k, clusters, threshold, mask


def _evidence() -> tuple[gr.Image, gr.Image, gr.Gallery, gr.Markdown]:
    gr.Markdown("## Why")
    with gr.Row(elem_id="why"):
        marked, heat = (
            gr.Image(
                label=label,
                alt_text=alt,
                elem_id=name,
                height=300,
                interactive=False,
                buttons=["download", "fullscreen"],
                min_width=280,
            )
            for name, label, alt in (
                ("marked", "Points: + is the thing, - is not", "The result with its positive and negative points"),
                ("heat", "Similarity: red is like the prompt", "Heat map of the similarity to the prompt"),
            )
        )
        saliency = gr.Gallery(
            label="The prompt: bright counts as the thing",
            columns=1,
            object_fit="contain",
            height=300,
            interactive=False,
            buttons=["fullscreen"],
            elem_id="saliency",
            min_width=280,
        )
    steps = gr.Markdown(elem_id="steps")
    return marked, heat, saliency, steps


def _examples(prompts: gr.Gallery, image: gr.Image) -> gr.Examples | None:
    """A row of example pairs; a click fills in both pictures."""
    folder = examples_folder()
    if folder is None:
        return None
    path = str(folder / "Images") + "/{}.jpg"
    rows = [[[path.format(prompt)], path.format(image)] for prompt, image, _ in EXAMPLES]
    labels = [label for *_, label in EXAMPLES]
    return gr.Examples(rows, [prompts, image], label="Or try", example_labels=labels, elem_id="examples")


def _ask(
    studio: Studio,
    prompts: list[Any] | None,
    image: str | None,
    mask: str | None,
    k: int,
    clusters: int,
    threshold: float,
    progress: gr.Progress,
) -> tuple[Prompt, Result]:
    """One question to the engine; what is missing gets its sentence before any work is done."""
    if not prompts:
        raise PictureError("There is no picture of the thing yet; add one on the left.")
    if not image:
        raise PictureError("There is no picture to search yet; add one on the right.")
    studio.engine.check(k, clusters)
    report = reporter(progress)
    report(0.0, "prompt")
    pictures = [images.open_picture(path) for path, _ in prompts]
    searched = images.open_picture(image)
    given = images.open_mask(mask, pictures[0].shape[:2]) if mask else None
    prompt = studio.engine.prompt(pictures, [given, *([None] * (len(pictures) - 1))])
    result = studio.engine.segment(prompt, searched, k=k, clusters=clusters, threshold=threshold, progress=report)
    return prompt, result
