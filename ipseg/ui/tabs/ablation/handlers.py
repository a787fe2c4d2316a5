"""The intermediate results of the method (Fig. 4, 5 and 8; Tables 3, 4 and 6) for one prompt image and one image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg.core import images, store
from ipseg.core.masks import read_mask, with_masks
from ipseg.core.types import ImageError, Progress
from ipseg.engine.spec import EngineSpec
from ipseg.method import refinement
from ipseg.studies import ablation
from ipseg.studies.ablation import Ablation, Pair
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.tabs.ablation import render as sections
from ipseg.ui.widgets.controls import Controls
from ipseg.ui.widgets.images import examples_folder, image_input
from ipseg.ui.widgets.inputs import mask_value_input
from ipseg.ui.widgets.inputs import whole as whole_number
from ipseg.ui.widgets.signature import with_engine

INTRO = (
    "Every step of the method between the prompt and the mask, for one pair of images, and how the mask changes "
    "when a step is changed. Choose an example, or give two images of your own."
)
WAITING = '<div class="waiting">Choose an example, or give an image of the object and an image to search.</div>'
EXAMPLES = (  # prompt and input below examples_media/Images, and what the pair shows
    ("robot/01", "robot/02", "The robot behind the car"),
    ("yellow_duck/00", "yellow_duck/03", "A duck and its pink twin"),
    ("red_mug/01", "red_mug/03", "The red mug, not the green"),
    ("cactus/01", "cactus/02", "The cactus beside the pot"),
)
SECTIONS = (  # name, heading, the explanation with what it corresponds to in the paper
    (
        "features",
        "Features as colours",
        "Each cell of an image gets a feature vector; similar colours in the two images are similar features "
        "(the paper's Fig. 4).",
    ),
    (
        "similarity",
        "Similarity to the prompt",
        "The similarity of each pixel of the searched image to the object, from blue to red, with the outline of the "
        "mask, for each source and for all together (Fig. 5 and 8, Table 3).",
    ),
    (
        "saliency",
        "Saliency: the object in the prompt",
        "A saliency method decides which part of the prompt is the object, shown bright; here is each method with "
        "the IoU of its mask (Table 6).",
    ),
    (
        "grid",
        "The numbers K and c",
        "The K most and least similar cells are clustered into c points each, which prompt the segmenter; "
        "here is the mask of each setting, with its IoU (Table 4).",
    ),
)


@dataclass(frozen=True)
class _Layout:
    """The components of the tab."""

    inputs: list[gr.components.Component]  # prompt, image, mask, truth
    mask_value: gr.Number
    run: gr.Button
    verdict: gr.HTML
    steps: gr.HTML
    sections: list[gr.HTML]
    record: gr.JSON
    results: gr.Column
    examples: gr.Examples | None


def build(pool: EnginePool, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    page = _layout()
    handler = _handler(pool)
    common: dict[str, Any] = {
        "inputs": [*page.inputs, *controls.engine, page.mask_value],
        "outputs": [page.verdict, page.steps, *page.sections, page.record],
        "show_progress_on": [page.verdict],
        **JOBS,
    }
    pressed = [page.run.click(handler, api_name="ablation", **common)]
    if page.examples:
        pressed.append(page.examples.load_input_event.then(handler, api_visibility="private", **common))
    for event in pressed:
        event.success(
            lambda: gr.Column(visible=True),
            None,
            page.results,
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )


def _handler(pool: EnginePool) -> Callable[..., tuple[Any, ...]]:
    """The handler; Gradio reads its arguments for the API."""

    @with_engine()
    def ablation(
        prompt: str | None,
        image: str | None,
        mask: str | None = None,
        truth: str | None = None,
        *,
        spec: EngineSpec,
        mask_value: float | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
    ) -> tuple[Any, ...]:
        """Show the features, the similarity, the saliency and a grid over K and c for one pair of images.

        Args:
            prompt: image of the object
            image: the image to search
            mask: true mask of the prompt: white on black, same size; may be left out
            truth: true mask of the image to search, to measure against; may be left out
            mask_value: which value of both masks is the object, where they have several; 0xRRGGBB of a colour
        """
        report = reporter(progress, pool.limits.many)
        with error_messages():
            pair = _opened((prompt, image), (mask, truth), mask_value, partial(report, 0.0, "prompt"))
            whole = refinement.named(spec.resolve().config.refinement).needs_prior
            view = sections.View(_ablation(pool, spec, pair, report), pair, whole)
        return (
            sections.verdict(view, spec.name),
            sections.steps(view),
            sections.features(view),
            sections.similarity(view, [one.name for one in view.results.colours]),
            sections.saliency(view),
            sections.grid(view),
            sections.record(view, spec.name),
        )

    return ablation


def _opened(
    paths: tuple[str | None, str | None],
    masks: tuple[str | None, str | None],
    mask_value: float | None,
    on_open: Callable[[], None],
) -> Pair:
    """The pair, opened; ``on_open`` is called before each file and may raise."""
    prompt, image = paths
    if not prompt:
        raise ImageError("There is no image of the object yet; add one first.")
    if not image:
        raise ImageError("There is no image to search yet; add one first.")
    given = [mask or None for mask in masks]
    pairs = with_masks([prompt, image], given, mask_value=whole_number(mask_value), report=on_open)
    known = [mask.mask if mask else None for _, mask in pairs]
    return Pair(pairs[0][0], pairs[1][0], *known)


def _ablation(pool: EnginePool, spec: EngineSpec, pair: Pair, report: Progress) -> Ablation:
    """Results for the example images alone are saved; those for a visitor's own images or masks never are."""
    given = [part for part in (pair.prompt, pair.image, pair.prompt_mask, pair.truth) if part is not None]
    shipped = {images.fingerprint(part) for part in given} <= _shipped()
    if not pool.loaded(spec):
        report(0.0, "models")
    engine = pool.engine(spec)
    with pool.using_weights():
        return ablation.compute(engine, pair, folder=store.folder("ablation") if shipped else None, progress=report)


@cache
def _shipped() -> frozenset[str]:
    """The contents of the example images and of their true masks."""
    folder = examples_folder()
    names = [name for row in EXAMPLES for name in row[:2]] if folder else []
    shown = [images.open_image(_file(folder, "Images", name)) for name in names]
    masks = [read_mask(_file(folder, "Annotations", name)).mask for name in names]
    return frozenset(images.fingerprint(each) for each in [*shown, *masks])


def _file(folder: Path | None, kind: str, name: str) -> str:
    return str((folder or Path()) / kind / f"{name}.{'jpg' if kind == 'Images' else 'png'}")


def _layout() -> _Layout:
    gr.Markdown(INTRO)
    with gr.Row():
        prompt, image = (
            image_input(label=label, height=220, elem_id=name, alt_text=label, min_width=260)
            for name, label in (("ablation-prompt", "Object"), ("ablation-image", "Search in"))
        )
    with gr.Accordion("True masks (optional): every IoU is then with them", open=False):
        with gr.Row():
            mask, truth = (
                image_input(label=label, height=180, elem_id=name, alt_text=label, min_width=240)
                for name, label in (
                    ("ablation-mask", "Of the object, white on black"),
                    ("ablation-truth", "Of the searched image, white on black"),
                )
            )
        mask_value = mask_value_input("a mask", elem_id="ablation-mask-value")
    inputs: list[gr.components.Component] = [prompt, image, mask, truth]
    examples = _examples(inputs)
    run = gr.Button("Compute every step", variant="primary", size="lg", elem_id="ablation-run")
    verdict = gr.HTML(WAITING, elem_id="ablation-verdict", elem_classes=["ablation"], container=False, padding=False)
    with gr.Column(visible=False, elem_id="ablation-results") as results:
        steps = _result("steps")
        by_section = []
        for name, heading, explained in SECTIONS:
            gr.Markdown(f"### {heading}\n{explained}")
            by_section.append(_result(name))
        with gr.Accordion("The record, as JSON", open=False):
            record = gr.JSON(elem_id="ablation-record", show_label=False)
    return _Layout(inputs, mask_value, run, verdict, steps, by_section, record, results, examples)


def _examples(inputs: list[gr.components.Component]) -> gr.Examples | None:
    """Examples: pairs with their true masks; a click fills in the fields and runs the ablation."""
    folder = examples_folder()
    if folder is None:
        return None
    rows = [
        [_file(folder, kind, name) for kind in ("Images", "Annotations") for name in (prompt, image)]
        for prompt, image, _ in EXAMPLES
    ]
    labels = [label for *_, label in EXAMPLES]
    return gr.Examples(rows, inputs, label="Examples", example_labels=labels, elem_id="ablation-examples")


def _result(name: str) -> gr.HTML:
    return gr.HTML(elem_id=f"ablation-{name}", elem_classes=["ablation"], container=False, padding=False)
