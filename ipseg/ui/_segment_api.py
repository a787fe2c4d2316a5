"""The first tab's question for programs: one picture, or several, with the answer as data and files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg.types import InputError
from ipseg.ui import _answers as answers
from ipseg.ui import _questions as questions
from ipseg.ui._controls import Controls
from ipseg.ui._rows import distinct
from ipseg.ui._segment_layout import Layout
from ipseg.ui._studio import JOBS, Studio, picture_input, reporter, sentences, shown


def build(studio: Studio, controls: Controls, page: Layout) -> None:
    """Two endpoints, over the page's components and a few that are not shown."""
    image = picture_input(label="The picture to search", visible=False)
    clicks = gr.JSON(label="Clicks: [[x, y, 1 or 0], ...]", visible=False)
    facts = gr.JSON(label="The answer as data", visible=False)
    many = gr.Gallery(label="Answers", visible=False)
    archive = gr.File(label="Masks (ZIP)", visible=False)
    one, several = gr.Button(visible=False), gr.Button(visible=False)
    tail = [*controls.inputs, page.unlike, page.every]
    one.click(
        _one(studio, page),
        [page.prompts, image, page.mask, *tail, clicks],
        [
            page.verdict, page.slider, page.marked, page.heat, page.saliency, page.mask_file, page.cut_file, page.steps,
            facts,
        ],
        api_name="segment",
        **JOBS,
    )  # fmt: skip
    several.click(
        _several(studio, page),
        [page.prompts, page.images, page.mask, *tail],
        [many, archive, facts],
        api_name="segment_all",
        **JOBS,
    )


def _one(studio: Studio, page: Layout) -> Callable[..., tuple[Any, ...]]:
    """What answers for one picture; Gradio reads its arguments for the API."""

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
        unlike: list[Any] | None = None,
        every: bool = False,
        clicks: list[list[float]] | None = None,
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
            unlike: pictures of what is not meant, such as a look-alike
            every: whether to look for all instances beside the single mask
            clicks: corrections, [[x, y, 1], [x, y, 0]]: pixels of the upright picture, 1 on the thing, 0 beside it
        """
        start = time.perf_counter()
        values = [k, clusters, threshold, preset, features, sd_weight, timestep, saliency, segmenter, refinement]
        with sentences():
            asked = questions.question(prompts, (image,) if image else (), mask, unlike, every, values)
            made = questions.as_clicks(clicks)
            report = reporter(progress, studio.limits.one)
            ready = questions.ready(studio, asked, report)
            result = ready.answer(asked.images[0], made, report)
        return (
            answers.verdict(ready.prompt, result, asked.options.name, time.perf_counter() - start),
            answers.before_and_after(result),
            answers.marked(result, made),
            shown(result.heat_map()),
            answers.prompt_views(ready.prompt),
            *answers.downloads(result, Path(asked.images[0]).stem, page.mask_file, page.cut_file),
            answers.step_times(result.seconds),
            result.record(),
        )

    return segment


def _several(studio: Studio, page: Layout) -> Callable[..., tuple[Any, ...]]:
    """What answers for several pictures."""

    def segment_all(
        prompts: list[Any] | None,
        images: list[Any] | None,
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
        unlike: list[Any] | None = None,
        every: bool = False,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
    ) -> tuple[Any, ...]:
        """Cut the thing that the prompt pictures show out of several other pictures.

        Args:
            prompts: pictures of the thing
            images: the pictures to search, at most 50
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
            unlike: pictures of what is not meant, such as a look-alike
            every: whether to look for all instances beside the single mask
        """
        values = [k, clusters, threshold, preset, features, sd_weight, timestep, saliency, segmenter, refinement]
        with sentences():
            asked = questions.question(prompts, questions.paths(images), mask, unlike, every, values)
            report = reporter(progress, studio.limits.many)
            ready = questions.ready(studio, asked, report)
            seen, facts = [], []
            for number, (path, name) in enumerate(zip(asked.images, distinct(asked.images), strict=True)):
                try:
                    result = ready.answer(path, (), questions.of_many(report, number, len(asked.images)))
                except InputError as error:
                    facts.append({"image": name, "error": str(error)})
                    continue
                seen.append(answers.keep(name, result, (), every, page.answers))
                facts.append({"image": name, **result.record()})
            if not seen:
                raise InputError(facts[0]["error"])
        return [(one.overlay, one.caption) for one in seen], answers.packed(seen, page.archive), facts

    return segment_all
