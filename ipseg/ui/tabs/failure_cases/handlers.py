"""Failure cases (Fig. 10): prompts that break the rule "one single, complete object", each with a corrected prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from ipseg.studies import galleries
from ipseg.studies.galleries import FailureCase
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.tabs.failure_cases import render
from ipseg.ui.tabs.failure_cases.layout import INTRO, layout
from ipseg.ui.widgets import gallery_views, running
from ipseg.ui.widgets.arguments import engine_of
from ipseg.ui.widgets.controls import Controls


def build(pool: EnginePool, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    _, cases = gallery_views.contents()
    gr.Markdown(INTRO)
    if not cases:
        gr.Markdown(gallery_views.ABSENT)
        return
    page, names, handler = layout(cases), list(cases), _handler(pool, cases)

    def pick(event: gr.SelectData) -> str:
        return names[event.index]

    common: dict[str, Any] = {
        "inputs": [page.case],
        "inputs_kwargs": controls.engine_by_name,
        "outputs": [page.verdict, *page.images],
        "show_progress_on": [page.verdict],
        **JOBS,
    }
    ran = [page.run.click(handler, api_name="failure_cases", **common)]
    running.announce(page.which.select, page.run, page.stop, "case-verdict")
    picked = page.which.select(pick, None, page.case, queue=False, show_progress="hidden", api_visibility="private")
    ran.append(picked.then(handler, api_visibility="private", **common))
    running.wire(page.run, page.stop, ran, "case-verdict")


def _handler(pool: EnginePool, cases: Mapping[str, FailureCase]) -> Callable[..., tuple[Any, ...]]:
    """The handler; Gradio reads its arguments for the API."""

    def failure_cases(
        case: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
        **settings: Any,
    ) -> tuple[Any, ...]:
        """Segment an image with a prompt that breaks the rule, and with the corrected one.

        Args:
            case: the case, as the gallery names it
        """
        report = reporter(progress, pool.limits.many)
        with error_messages():
            spec = engine_of(settings)
            engine, this = pool.engine(spec, report), cases[case]
            prompts = {"broken": [this.prompt.image], "mended": [this.mended.image]}
            found = galleries.compute_all(engine, prompts, [this.input], progress=report)
        (broken,), (mended,) = found["broken"], found["mended"]
        return (
            render.verdict(this, broken, mended, spec.name),
            gallery_views.spotlight(this.prompt, broken),
            gallery_views.overlay(broken),
            gallery_views.spotlight(this.mended, mended),
            gallery_views.overlay(mended),
        )

    return failure_cases
