"""Batch and video: one prompt, many images or a clip; progress, a stop button, and downloads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg.core.types import ImageError, InputError
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.jobs import Jobs
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.tabs.batch import jobs as work
from ipseg.ui.tabs.batch.jobs import Given
from ipseg.ui.tabs.batch.layout import Layout, layout
from ipseg.ui.tabs.batch.render import EARLIER, QUEUED, STOPPING, WAITING
from ipseg.ui.widgets import running
from ipseg.ui.widgets.arguments import engine_of, parameters_of
from ipseg.ui.widgets.controls import Controls


def build(pool: EnginePool, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    page, jobs = layout(), Jobs()
    pool.jobs.append(jobs)
    batch, video = _batch(pool, jobs, page), _video(pool, jobs, page)
    common: dict[str, Any] = {"inputs_kwargs": {**controls.by_name, "mask_value": page.mask_value}, **JOBS}
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    for button, job, name, given in (
        (page.run, batch, "batch", [page.prompts, page.files, page.mask]),
        (page.run_clip, video, "video", [page.prompts, page.clip, page.mask, page.keyframes_per_second]),
    ):
        running.announce(button.click, button, page.stop, "batch-progress")
        armed = button.click(_armed(jobs), None, [page.status, page.stop], **quiet)
        ran = armed.then(job, given, page.outputs, api_name=name, show_progress_on=[page.status], **common)
        ran.success(lambda: gr.Button(interactive=False), None, page.stop, **quiet)
        running.wire(button, page.stop, [ran], "batch-progress", cancels=False)
        ran.failure(lambda: (WAITING, gr.Button(interactive=False)), None, [page.status, page.stop], **quiet)
    page.folder.upload(lambda files: files, page.folder, page.files, **quiet)
    for given in (page.prompts, page.files, page.clip):
        given.change(None, page.status, page.status, js=EARLIER, **quiet)
    # Shown by the page itself: the response to this request may come after the last output of the run.
    stopping = [STOPPING, {"interactive": False, "__type__": "update"}]
    page.stop.click(
        None, None, [page.status, page.stop], js=f"() => ({json.dumps(stopping)})", api_visibility="private"
    )
    page.stop.click(_ended(jobs), None, None, **quiet)
    hidden = gr.Button(visible=False)
    hidden.click(stop_of(pool), None, None, api_name="stop", queue=False, show_progress="hidden")


def _armed(jobs: Jobs) -> Callable[..., Any]:
    def armed(request: gr.Request) -> tuple[Any, Any]:
        jobs.arm(request)
        return QUEUED, gr.Button(interactive=True)

    return armed


def _ended(jobs: Jobs) -> Callable[..., Any]:
    def ended(request: gr.Request) -> None:
        jobs.stop(request)

    return ended


def stop_of(pool: EnginePool) -> Callable[..., Any]:
    def stop(request: gr.Request) -> None:
        """Stop the batch, the clip or the labelling that this session is running; it returns the results so far.

        A call without a session, from an MCP tool or without session_hash, stops nothing and gets an error message.
        """
        with error_messages():
            if not getattr(request, "session_hash", None):
                raise InputError(
                    "Nothing was stopped, as this call has no session; give the session_hash or the event_id of the "
                    "run as session_hash, or cancel the run itself."
                )
            for jobs in pool.jobs:
                jobs.stop(request)

    return stop


def _batch(pool: EnginePool, jobs: Jobs, page: Layout) -> Callable[..., Any]:
    """The handler for images; Gradio reads its arguments for the API."""

    def batch(
        prompts: list[Any] | None,
        images: list[str] | None,
        mask: str | None = None,
        mask_value: float | None = None,
        request: gr.Request = None,  # Gradio fills it in
        **settings: Any,
    ) -> Iterator[tuple[Any, ...]]:
        """Segment the object that the prompt images show in many images.

        Yields the progress; the last output holds the zip of masks and the COCO file.

        Args:
            prompts: images of the object, or saved prompts (.npz)
            images: the images to search: files, or zips of them
            mask: where the object is in the first prompt image: white on black, same size; may be left out
            mask_value: which value of the mask is the object, where it has several; 0xRRGGBB of a colour, as a number
        """
        with error_messages(), jobs.running(request, pool.limits.many) as watch:
            spec, parameters = engine_of(settings), parameters_of(settings)
            if not images:
                raise ImageError("There are no images to search yet; add files, a zip or a folder.")
            given = Given(prompts, mask, parameters, spec, mask_value)
            yield from work.images_job(pool, jobs, page, given, images, watch)

    return batch


def _video(pool: EnginePool, jobs: Jobs, page: Layout) -> Callable[..., Any]:
    """The handler for a clip."""

    def video(
        prompts: list[Any] | None,
        clip: str | None,
        mask: str | None = None,
        keyframes_per_second: float = 3.0,
        mask_value: float | None = None,
        request: gr.Request = None,  # Gradio fills it in
        **settings: Any,
    ) -> Iterator[tuple[Any, ...]]:
        """Segment the object that the prompt images show in every frame of a clip.

        Yields the progress; the last output holds the clip with its overlay, the zip of masks and the COCO file.

        Args:
            prompts: images of the object, or saved prompts (.npz)
            clip: an MP4, MOV, WebM, MKV or AVI file of at most two minutes
            mask: where the object is in the first prompt image: white on black, same size; may be left out
            mask_value: which value of the mask is the object, where it has several; 0xRRGGBB of a colour, as a number
            keyframes_per_second: frames of each second that are segmented; between them the mask is propagated
        """
        with error_messages(), jobs.running(request, pool.limits.many) as watch:
            spec, parameters = engine_of(settings), parameters_of(settings)
            if not clip:
                raise ImageError("There is no clip yet; add one.")
            given = Given(prompts, mask, parameters, spec, mask_value)
            yield from work.clip_job(pool, jobs, page, given, Path(clip), keyframes_per_second, watch)

    return video
