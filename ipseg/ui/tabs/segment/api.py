"""The endpoints /segment and /segment_all: one image or several, with the results as data and files."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from ipseg.core.result import Result
from ipseg.core.types import Progress
from ipseg.engine.session import SegmentSession
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.tabs.segment import render as answers
from ipseg.ui.tabs.segment import render_instances as several
from ipseg.ui.tabs.segment.instances import found_in
from ipseg.ui.tabs.segment.layout import Layout
from ipseg.ui.tabs.segment.request import SegmentRequest, of_many, paths, usual_threshold
from ipseg.ui.tabs.segment.state import SavedResult
from ipseg.ui.widgets.arguments import engine_of, parameters_of
from ipseg.ui.widgets.clicks import Clicks, as_clicks, as_marks, as_points
from ipseg.ui.widgets.controls import Controls
from ipseg.ui.widgets.images import as_png, distinct, image_input


def build(pool: EnginePool, controls: Controls, page: Layout) -> None:
    """Two endpoints, with the page's components and a few hidden ones."""
    image = image_input(label="The image to search", visible=False)
    clicks = gr.JSON(label="Clicks: [[x, y, 1 or 0], ...]", visible=False)
    boxes = gr.JSON(label="Boxes on the first prompt image: [[left, top, right, bottom], ...]", visible=False)
    points = gr.JSON(label="Points on the first prompt image: [[x, y, 1 or 0], ...]", visible=False)
    facts = gr.JSON(label="The result as data", visible=False)
    numbers = gr.Image(label="Instances", type="filepath", format="png", visible=False)
    mask, cut_out, overlay, heat = (
        gr.Image(label=label, type="filepath", format=kind, visible=False)
        for label, kind in (("Mask", "png"), ("Cut-out", "png"), ("Overlay", "jpeg"), ("Similarity", "jpeg"))
    )
    saliency = gr.Gallery(label="What counts as the object in each prompt image", visible=False)
    many = gr.Gallery(label="Results", visible=False)
    archive = gr.File(label="Masks (ZIP)", visible=False)
    one, several = gr.Button(visible=False), gr.Button(visible=False)
    named = {**controls.by_name, "negative_prompt": page.negative_prompt, "all_instances": page.all_instances}
    marks = {"boxes": boxes, "points": points}
    one.click(
        _one(pool, _Files(mask, cut_out, numbers)),
        [page.prompts, image, page.mask],
        [facts, mask, cut_out, overlay, heat, saliency, numbers],
        inputs_kwargs={**named, "clicks": clicks, "mask_value": page.mask_value, **marks},
        api_name="segment",
        **JOBS,
    )
    several.click(
        _several(pool, page),
        [page.prompts, page.images, page.mask],
        [many, archive, facts],
        inputs_kwargs={**named, "mask_value": page.mask_value, **marks},
        api_name="segment_all",
        **JOBS,
    )


@dataclass(frozen=True)
class _Files:
    """The components whose files hold a result."""

    mask: gr.Image
    cut_out: gr.Image
    numbers: gr.Image


def _one(pool: EnginePool, files: _Files) -> Callable[..., tuple[Any, ...]]:
    """The handler for one image; Gradio reads its arguments for the API."""

    def segment(
        prompts: list[Any] | None,
        image: str | None,
        mask: str | None = None,
        negative_prompt: list[Any] | None = None,
        all_instances: bool = False,
        clicks: list[list[float]] | None = None,
        mask_value: float | None = None,
        boxes: list[Any] | None = None,
        points: list[list[float]] | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
        **settings: Any,
    ) -> tuple[Any, ...]:
        """Segment the object that the prompt images show in another image.

        The first output is the result as data (status, score, thresholds, points, width and height in pixels), the
        second the mask as a PNG, 255 on the object and 0 elsewhere; it is only the best guess where the status is
        not_detected. The last is, with all_instances, a PNG with the number of the instance at each pixel, in the order
        of the instances in the data, 0 elsewhere.

        Args:
            prompts: images of the object, or saved prompts (.npz)
            image: the image to search
            mask: where the object is in the first prompt image: white on black, same size; may be left out
            negative_prompt: images of similar objects that are not meant
            all_instances: whether to find all instances beside the single mask
            mask_value: which value of the mask is the object, where it has several; 0xRRGGBB of a colour, as a number
            clicks: corrections, [[x, y, 1], [x, y, 0]]: pixels of the upright image, 1 on the object, 0 beside it
            boxes: boxes around the object in the first prompt image, [[left, top, right, bottom], ...] in pixels of the
                upright image, in place of a mask
            points: points on the object in the first prompt image and beside it, [[x, y, 1], [x, y, 0]], likewise
        """
        with error_messages():
            spec, parameters = engine_of(settings), parameters_of(settings)
            request = SegmentRequest(
                paths(prompts), (image,) if image else (), mask, paths(negative_prompt), all_instances, parameters,
                mask_value, as_marks(boxes, points),
            )  # fmt: skip
            return _answer(pool, spec, request, as_clicks(clicks), reporter(progress, pool.limits.one), files)

    return segment


def _answer(
    pool: EnginePool, spec: EngineSpec, request: SegmentRequest, clicks: Clicks, report: Progress, files: _Files
) -> tuple[Any, ...]:
    """The outputs of /segment: the result for the one image of a request."""
    start = time.perf_counter()
    session = request.session(pool, spec, report)
    result = session.segment(request.images[0], clicks=as_points(clicks), progress=report)
    facts = {
        **result.record(),
        "width": result.mask.shape[1],
        "height": result.mask.shape[0],
        "mask_pixels": int(result.mask.sum()),
        "engine": spec.name,
        "notices": list(session.prompt.notices),
        "total_seconds": round(time.perf_counter() - start, 4),
    }
    stem = Path(request.images[0]).stem
    return (
        facts,
        as_png(files.mask, result.mask.astype(np.uint8) * 255, f"{stem}_mask.png"),
        as_png(files.cut_out, result.cut_out(), f"{stem}_cut_out.png"),
        answers.marked(result, clicks),
        answers.similarity_view(result, session.engine.scorer.log_odds),
        answers.prompt_views(session.prompt, request.source, request.has_saved),
        as_png(files.numbers, result.labels(), f"{stem}.numbers.png") if request.all_instances else None,
    )


def _several(pool: EnginePool, page: Layout) -> Callable[..., tuple[Any, ...]]:
    """The handler for several images."""

    def segment_all(
        prompts: list[Any] | None,
        images: list[Any] | None,
        mask: str | None = None,
        negative_prompt: list[Any] | None = None,
        all_instances: bool = False,
        mask_value: float | None = None,
        boxes: list[Any] | None = None,
        points: list[list[float]] | None = None,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
        **settings: Any,
    ) -> tuple[Any, ...]:
        """Segment the object that the prompt images show in several other images.

        Args:
            prompts: images of the object, or saved prompts (.npz)
            images: the images to search, at most 50
            mask: where the object is in the first prompt image: white on black, same size; may be left out
            negative_prompt: images of similar objects that are not meant
            all_instances: whether to find all instances beside the single mask
            mask_value: which value of the mask is the object, where it has several; 0xRRGGBB of a colour, as a number
            boxes: boxes around the object in the first prompt image, [[left, top, right, bottom], ...] in pixels of the
                upright image, in place of a mask
            points: points on the object in the first prompt image and beside it, [[x, y, 1], [x, y, 0]], likewise
        """
        with error_messages():
            spec, parameters = engine_of(settings), parameters_of(settings)
            request = SegmentRequest(
                paths(prompts), paths(images), mask, paths(negative_prompt), all_instances, parameters, mask_value,
                as_marks(boxes, points),
            )  # fmt: skip
            return _answers(pool, spec, request, reporter(progress, pool.limits.many), page)

    return segment_all


def _answers(
    pool: EnginePool, spec: EngineSpec, request: SegmentRequest, report: Progress, page: Layout
) -> tuple[Any, ...]:
    """The outputs of /segment_all: the results for the images of a request."""
    names, session = distinct(request.images), request.session(pool, spec, report)
    saved: list[SavedResult] = []
    facts: list[dict[str, Any]] = []
    for outcome in session.segment_each(request.images, progress=partial(of_many, report, len(names))):
        name, result = names[outcome.number], outcome.result
        if result is None:
            facts.append({"image": name, "error": without_folders(str(outcome.error))})
            continue
        saved.append(_saved(name, result, session, page))
        facts.append({"image": name, **result.record()})
    return [(one.overlay, one.caption) for one in saved], answers.packed(saved, page.archive), facts


def _saved(name: str, result: Result, session: SegmentSession, page: Layout) -> SavedResult:
    """The overlay, the caption and the files of one image."""
    found = found_in(result) if session.all_instances else ()
    if found:
        return several.save(name, result, found, page.answers)
    usual, none_found = usual_threshold(session), session.all_instances
    return answers.save(name, result, (), page.answers, usual, none_found=none_found)
