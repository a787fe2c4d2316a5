"""The first tab: prompt pictures and an input picture in, the mask and the reasons for it out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg import images
from ipseg.options import Options
from ipseg.pipeline import IPSeg, Progress
from ipseg.result import Result
from ipseg.types import PictureError, Prompt
from ipseg.ui import _answers as answers
from ipseg.ui._controls import Controls, chosen
from ipseg.ui._studio import JOBS, Studio, examples_folder, picture_input, reporter, sentences, shown

TITLE, ORDER = "Segment", 0

EXAMPLES = (  # prompt and input below examples_media/Images, and what the pair shows
    ("yellow_duck/00", "yellow_duck/03", "A duck and its pink twin"),
    ("red_mug/01", "red_mug/03", "The red mug, not the green"),
    ("robot/01", "robot/02", "The robot behind the car"),
    ("cactus/01", "cactus/02", "The cactus beside the pot"),
    ("blue_teapot/00", "red_mug/02", "A teapot that is not there"),
)


@dataclass(frozen=True)
class _Layout:
    """The components of the tab."""

    prompts: gr.Gallery
    mask: gr.Image
    image: gr.Image
    run: gr.Button
    verdict: gr.HTML
    slider: gr.ImageSlider
    mask_file: gr.DownloadButton
    cut_file: gr.DownloadButton
    marked: gr.Image
    heat: gr.Image
    saliency: gr.Gallery
    steps: gr.Markdown
    examples: gr.Examples | None


def build(studio: Studio, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    page = _layout()
    segment = _handler(studio, page)

    def again(*values: Any) -> Any:
        """Answer anew after a number changed, unless there is nothing to answer yet."""
        return segment(*values) if values[0] and values[1] else gr.skip()

    outputs = [
        page.verdict, page.slider, page.marked, page.heat, page.saliency, page.mask_file, page.cut_file, page.steps,
    ]  # fmt: skip
    common: dict[str, Any] = {
        "inputs": [page.prompts, page.image, page.mask, *controls.inputs],
        "outputs": outputs,
        "show_progress_on": [page.slider],
        **JOBS,
    }
    page.run.click(segment, api_name="segment", **common)
    moved = [controls.k.release, controls.clusters.release, controls.threshold.release]
    gr.on(moved, again, trigger_mode="always_last", api_visibility="private", **common)
    if page.examples:
        page.examples.load_input_event.then(segment, api_visibility="private", **common)


def _handler(studio: Studio, page: _Layout) -> Callable[..., tuple[Any, ...]]:
    """What answers a question; Gradio reads its arguments for the API."""

    def segment(
        prompts: list[Any] | None,
        image: str | None,
        mask: str | None,
        k: float,
        clusters: float,
        threshold: float,
        preset: str = "offline",
        features: list[str] | None = None,
        sd_weight: float | None = None,
        timestep: float | None = None,
        saliency: str | None = None,
        segmenter: str | None = None,
        refinement: str | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
    ) -> tuple[Any, ...]:
        """Cut the thing that the prompt pictures show out of another picture.

        Args:
            prompts: pictures of the thing
            image: the picture to search
            mask: where the thing is in the first prompt picture: white on black, same size; may be left out
            k: most and least similar cells, 1 to 256
            clusters: points of each kind, 1 to 32, at most k
            threshold: least score that counts as found, 0 to 1
            preset: which engine answers
            features: feature extractors instead of the preset's own
            sd_weight: weight of Stable Diffusion, the others being 1; empty: the preset's own
            timestep: of Stable Diffusion, 0 to 999; empty: the preset's own
            saliency: saliency method instead of the preset's own
            segmenter: segmenter instead of the preset's own
            refinement: how points become a mask, if not as in the preset
        """
        start = time.perf_counter()
        numbers = {"k": int(k), "clusters": int(clusters), "threshold": threshold}
        with sentences():
            asked = chosen((preset, features, sd_weight, timestep, saliency, segmenter, refinement))
            prompt, result = _ask(studio, asked, prompts, image, mask, numbers, reporter(progress, studio.limits.one))
        return (
            answers.verdict(prompt, result, asked.name, time.perf_counter() - start),
            answers.before_and_after(result),
            shown(result.overlay()),
            shown(result.heat_map()),
            answers.prompt_views(prompt),
            *answers.downloads(result, Path(image or "picture").stem, page.mask_file, page.cut_file),
            answers.step_times(result.seconds),
        )

    return segment


def _layout() -> _Layout:
    prompts, mask, image = _questions()
    examples = _examples(prompts, image)
    run = gr.Button("Cut it out", variant="primary", size="lg", elem_id="run")
    verdict = gr.HTML(answers.WAITING, elem_id="verdict", container=False)
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            slider = gr.ImageSlider(label="Original | result", elem_id="slider", max_height=560, interactive=False)
            with gr.Row():
                mask_file = gr.DownloadButton("Mask (PNG)", interactive=False, elem_id="mask-file", min_width=120)
                cut_file = gr.DownloadButton("Cut-out (PNG)", interactive=False, elem_id="cut-file", min_width=120)
        with gr.Column(scale=2, min_width=280, elem_id="why"):
            marked, heat, saliency = _evidence()
    steps = gr.Markdown(elem_id="steps")
    return _Layout(
        prompts, mask, image, run, verdict, slider, mask_file, cut_file, marked, heat, saliency, steps, examples
    )


def _questions() -> tuple[gr.Gallery, gr.Image, gr.Image]:
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
            with gr.Accordion("I have a mask for my first picture", open=False):
                mask = picture_input(
                    label="White on black, the size of the picture",
                    height=160,
                    elem_id="prompt-mask",
                    alt_text="Mask of the first prompt picture",
                )
        with gr.Column(min_width=300):
            image = picture_input(
                label="2. The picture to search",
                height=260,
                elem_id="image",
                alt_text="The picture to search",
            )
    return prompts, mask, image


def _evidence() -> tuple[gr.Image, gr.Image, gr.Gallery]:
    """Why the answer is what it is: the points, the similarity, and what of the prompt counted."""
    marked, heat = (
        gr.Image(
            label=label,
            alt_text=alt,
            elem_id=name,
            height=200,
            interactive=False,
            buttons=["download", "fullscreen"],
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
        height=200,
        interactive=False,
        buttons=["fullscreen"],
        elem_id="saliency",
    )
    return marked, heat, saliency


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
    asked: Options,
    prompts: list[Any] | None,
    image: str | None,
    mask: str | None,
    numbers: dict[str, Any],
    report: Progress,
) -> tuple[Prompt, Result]:
    """One question to the engine; what is missing gets its sentence before any work is done."""
    if not prompts:
        raise PictureError("There is no picture of the thing yet; add one on the left.")
    if not image:
        raise PictureError("There is no picture to search yet; add one on the right.")
    IPSeg.check(numbers["k"], numbers["clusters"])
    pictures = [images.open_picture(path) for path, _ in prompts]
    searched = images.open_picture(image)
    given = images.open_mask(mask, pictures[0].shape[:2]) if mask else None
    if not studio.loaded(asked):
        report(0.0, "models")
    engine = studio.engine(asked)
    prompt = engine.prompt(pictures, [given, *([None] * (len(pictures) - 1))], progress=report)
    return prompt, engine.segment(prompt, searched, progress=report, **numbers)
