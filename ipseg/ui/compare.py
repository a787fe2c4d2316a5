"""The second tab: IPSeg and its rivals on one prompt, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ipseg import comparison, images, registry
from ipseg.types import InputError, Mask, Picture, PictureError
from ipseg.ui import _rows as rows
from ipseg.ui._controls import Controls, chosen
from ipseg.ui._studio import JOBS, Studio, picture_input, reporter, sentences

TITLE, ORDER = "Compare", 1

MOST = 16  # pictures in one comparison
WAITING = '<div class="waiting">Give a picture of the thing, one or more pictures to search, and two methods.</div>'


@dataclass(frozen=True)
class _Layout:
    """The components of the tab."""

    prompt: gr.Image
    pictures: gr.Gallery
    methods: gr.CheckboxGroup
    mask: gr.Image
    paint: gr.ImageEditor
    onto: gr.Button
    truths: gr.File
    run: gr.Button
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
    kept: gr.State


def build(studio: Studio, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    page = _layout()
    inputs = [page.prompt, page.pictures, page.methods, page.mask, page.paint, page.truths, *controls.engine]
    shown = [page.left, page.right, page.slider, page.answers, page.difference]
    outputs = [page.table, page.record, page.row, page.masks, page.kept, page.which, *shown]
    page.run.click(_handler(studio, page), inputs, outputs, api_name="compare", show_progress_on=[page.answers], **JOBS)
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    page.which.input(_another, [page.kept, page.which], shown, **quiet)
    gr.on(
        [page.left.input, page.right.input],
        rows.pair,
        [page.kept, page.which, page.left, page.right],
        page.slider,
        **quiet,
    )
    page.onto.click(_canvas(page.paint), page.prompt, page.paint, **quiet)
    page.prompt.change(lambda: None, None, page.paint, **quiet)


def _handler(studio: Studio, page: _Layout) -> Callable[..., tuple[Any, ...]]:
    """What answers; Gradio reads its arguments for the API."""

    def compare(
        prompt: str | None,
        pictures: list[Any] | None,
        methods: list[str],
        mask: str | None = None,
        paint: Any = None,
        truths: list[str] | None = None,
        preset: str = "offline",
        features: list[str] | None = None,
        sd_weight: float | None = None,
        timestep: float | None = None,
        saliency: str | None = None,
        segmenter: str | None = None,
        refinement: str | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
    ) -> tuple[Any, ...]:
        """Cut the thing that the prompt shows out of pictures, by several methods.

        Args:
            prompt: picture of the thing
            pictures: the pictures to search
            methods: two or more of ipseg and its rivals
            mask: where the thing is in the prompt: white on black, same size; the saliency mask where left out
            paint: the same, painted on the page
            truths: true masks of the pictures, by the pictures' names or in their order; may be left out
            preset: which engine answers
            features: feature extractors instead of the preset's own
            sd_weight: weight of Stable Diffusion, the others being 1; empty: the preset's own
            timestep: of Stable Diffusion, 0 to 999; empty: the preset's own
            saliency: saliency method instead of the preset's own
            segmenter: segmenter instead of the preset's own
            refinement: how points become a mask, if not as in the preset
        """
        report = reporter(progress, studio.limits.many)
        with sentences():
            asked = chosen((preset, features, sd_weight, timestep, saliency, segmenter, refinement))
            question = _question(prompt, pictures, methods, mask, paint, truths)
            if not studio.loaded(asked):
                report(0.0, "models")
            found = _answers(studio, studio.engine(asked), question, report)
        kept = rows.keep(found, question.names, page)
        return (
            rows.table(found, question.names, asked.name),
            rows.record(found, question.names, asked.name),
            *rows.downloads(kept, page),
            kept,
            gr.Dropdown(choices=question.names, value=question.names[0], visible=len(question.names) > 1),
            *_another(kept, question.names[0]),
        )

    return compare


@dataclass(frozen=True)
class _Question:
    """What was asked, opened and checked."""

    prompt: Picture
    mask: Mask | None
    pictures: list[Picture]
    names: list[str]  # of the pictures, each once
    methods: list[str]
    truths: list[Mask | None]


def _question(
    prompt: str | None,
    pictures: list[Any] | None,
    methods: list[str],
    mask: str | None,
    paint: str | None,
    truths: list[str] | None,
) -> _Question:
    """Everything that can be wrong is said before any work is done."""
    if not prompt:
        raise PictureError("There is no picture of the thing yet; add one on the left.")
    if not pictures:
        raise PictureError("There is no picture to search yet; add one on the right.")
    if len(pictures) > MOST:
        raise PictureError(f"There are {len(pictures)} pictures; give at most {MOST} at once.")
    comparison.check(methods)
    shown = images.open_picture(prompt)
    opened = [images.open_picture(path) for path, _ in pictures]
    names = rows.distinct([path for path, _ in pictures])
    given = images.open_mask(mask, shown.shape[:2]) if mask else rows.painted(paint, shown.shape[:2])
    return _Question(shown, given, opened, names, methods, rows.matched(truths or [], names, opened))


def _answers(studio: Studio, engine: Any, question: _Question, report: Any) -> list[comparison.Comparison]:
    settings = {name: {"dense": 0} for name in ("matcher", "matcher_z")} if not studio.quick else {}
    contestants = comparison.enter(
        engine,
        question.methods,
        question.prompt,
        question.mask,
        settings=settings,
        progress=lambda share, step: report(0.4 * share, step),
    )
    if all(contestant.error for contestant in contestants):
        raise InputError(contestants[0].error)
    asked = comparison.compare(
        contestants,
        question.pictures,
        question.truths,
        progress=lambda share, step: report(0.4 + 0.6 * share, step),
    )
    return list(asked)


def _another(kept: list[rows.Kept] | None, which: str | None) -> tuple[Any, ...]:
    """One of the pictures: its answers, the first two of them on the slider, and where all differ."""
    if not kept:
        return tuple(gr.skip() for _ in range(5))
    row = next((row for row in kept if row.name == which), kept[0])
    labels = ["the picture", *(label for label, _ in row.answers)]
    left, right = (labels[1], labels[2]) if len(labels) > 2 else (labels[0], labels[-1])
    return (
        gr.Dropdown(choices=labels, value=left),
        gr.Dropdown(choices=labels, value=right),
        (row.overlay(left), row.overlay(right)),
        [(path, caption) for path, caption in zip(row.pictures, row.captions, strict=True)],
        row.difference,
    )


def _canvas(editor: gr.ImageEditor) -> Callable[[str | None], Any]:
    """The prompt, upright and at its own size, as what is painted on."""

    def onto(prompt: str | None) -> Any:
        with sentences():
            if not prompt:
                raise PictureError("There is no picture of the thing yet; add one first.")
            picture = images.open_picture(prompt)
        return {"background": rows.as_png(editor, picture, "prompt.png"), "layers": [], "composite": None}

    return onto


def _layout() -> _Layout:
    with gr.Row():
        with gr.Column(min_width=300):
            prompt = picture_input(
                label="1. The thing", height=260, elem_id="compare-prompt", alt_text="The picture of the thing"
            )
        with gr.Column(min_width=300):
            pictures = gr.Gallery(
                label="2. The pictures to search",
                type="filepath",
                file_types=["image"],
                columns=3,
                height=260,
                object_fit="contain",
                interactive=True,
                sources=["upload", "clipboard"],
                elem_id="compare-pictures",
            )
    methods = gr.CheckboxGroup(
        [(registry.module("methods", name).TITLE, name) for name in _by_usual(registry.names("methods"))],
        value=list(comparison.USUAL),
        label="3. Who answers",
        elem_id="compare-methods",
    )
    mask, paint, onto, truths = _masks()
    run = gr.Button("Compare", variant="primary", size="lg", elem_id="compare-run")
    table = gr.HTML(WAITING, elem_id="compare-table", container=False)
    with gr.Row():
        which, left, right = (
            gr.Dropdown([], label=label, visible=visible, elem_id=name, min_width=160)
            for label, name, visible in (
                ("Picture", "compare-which", False),
                ("Left", "compare-left", True),
                ("Right", "compare-right", True),
            )
        )
    with gr.Row():
        with gr.Column(scale=3, min_width=300):
            slider = gr.ImageSlider(label="Left | right", elem_id="compare-slider", max_height=520, interactive=False)
        with gr.Column(scale=2, min_width=280):
            difference = gr.Image(
                label="Where they differ: white is where all agree",
                alt_text="The pixels in which the masks differ, each method in its colour",
                elem_id="compare-difference",
                height=380,
                interactive=False,
                buttons=["download", "fullscreen"],
            )
    answers = gr.Gallery(
        label="Every answer, with the points that it used",
        columns=3,
        object_fit="contain",
        height="auto",
        interactive=False,
        elem_id="compare-answers",
    )
    with gr.Row():
        row = gr.DownloadButton("Row of pictures (PNG)", interactive=False, elem_id="compare-row", min_width=140)
        masks = gr.DownloadButton("All masks (ZIP)", interactive=False, elem_id="compare-masks", min_width=140)
    with gr.Accordion("The record, as JSON", open=False):
        record = gr.JSON(elem_id="compare-record", show_label=False)
    kept = gr.State(time_to_live=3600)
    return _Layout(
        prompt, pictures, methods, mask, paint, onto, truths, run, table, which, left, right, slider, answers,
        difference, row, masks, record, kept,
    )  # fmt: skip


def _masks() -> tuple[gr.Image, gr.ImageEditor, gr.Button, gr.File]:
    with gr.Accordion("A mask for the thing: paint it or upload it; without one, what stands out counts", open=False):
        onto = gr.Button("Paint on my picture", size="sm", elem_id="compare-onto")
        with gr.Row():
            paint = gr.ImageEditor(
                label="Paint over the thing",
                sources=[],
                type="filepath",
                format="png",
                brush=gr.Brush(default_size=24, colors=["#f59e0b"], color_mode="fixed"),
                layers=False,
                transforms=[],
                elem_id="compare-paint",
                min_width=300,
            )
            mask = picture_input(
                label="Or upload it: white on black, the size of the picture",
                height=200,
                elem_id="compare-mask",
                alt_text="Mask of the thing",
                min_width=240,
            )
    # Set on the instance, as in picture_input: the layer's own file, which images.py opens.
    paint.preprocess = lambda payload: payload.layers[0].path if payload and payload.layers else None
    with gr.Accordion("True masks, to measure against", open=False):
        truths = gr.File(
            label="White on black; named like the pictures, or in their order",
            file_count="multiple",
            file_types=["image"],
            elem_id="compare-truths",
        )
    return mask, paint, onto, truths


def _by_usual(names: list[str]) -> list[str]:
    return [*comparison.USUAL, *(name for name in names if name not in comparison.USUAL)]
