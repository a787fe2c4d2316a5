"""Failure cases (Fig. 10): prompts that break the rule "one single, complete object", each with a corrected prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from ipseg.studies import galleries
from ipseg.studies.galleries import FailureCase
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.tabs.failure_cases import render
from ipseg.ui.tabs.failure_cases.layout import INTRO, by_kind, layout
from ipseg.ui.widgets import earlier, gallery_views, running
from ipseg.ui.widgets.arguments import engine_of
from ipseg.ui.widgets.controls import Controls


def build(pool: EnginePool, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    _, cases = gallery_views.contents()
    gr.Markdown(INTRO)
    if not cases:
        gr.Markdown(gallery_views.ABSENT)
        return
    page, handler = layout(cases), _handler(pool, cases)
    common: dict[str, Any] = {
        "inputs": [page.case],
        "inputs_kwargs": controls.engine_by_name,
        "outputs": [page.verdict, *page.images],
        "show_progress_on": [page.verdict],
        **JOBS,
    }
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    now = earlier.Inputs("tab-failure_cases", "#case-verdict .finding", [page.case, *controls.engine])
    now.asked([page.run.click])
    ran = [page.run.click(handler, api_name="failure_cases", **common)]
    for kind, names in by_kind(cases).items():
        running.announce(page.which[kind].select, page.run, page.stop, "case-verdict")
        rest = [gallery for other, gallery in page.which.items() if other != kind]
        picked = page.which[kind].select(_pick(names, len(rest)), None, [page.case, *rest], **quiet)
        now.asked_after(picked)
        ran.append(picked.then(handler, api_visibility="private", **common))
    galleries_of = list(page.which.values())
    page.case.input(lambda: [gr.Gallery(selected_index=None)] * len(galleries_of), None, galleries_of, **quiet)
    running.wire(page.run, page.stop, ran, "case-verdict")
    now.mark(ran)
    for event in ran:
        event.success(_labelled(cases), page.case, list(page.images), **quiet)


def _pick(names: Sequence[str], rest: int) -> Callable[[gr.SelectData], tuple[Any, ...]]:
    """The case that is chosen in one gallery; none is framed in the ``rest`` of them."""

    def pick(event: gr.SelectData) -> tuple[Any, ...]:
        return names[event.index], *[gr.Gallery(selected_index=None)] * rest

    return pick


def _labelled(cases: Mapping[str, FailureCase]) -> Callable[[str], list[gr.Image]]:
    """The labels of the images of a result."""

    def labelled(case: str) -> list[gr.Image]:
        return [gr.Image(label=label, alt_text=label) for label in render.labels(cases[case])]

    return labelled


def _handler(pool: EnginePool, cases: Mapping[str, FailureCase]) -> Callable[..., tuple[Any, ...]]:
    """The handler; Gradio reads its arguments for the API."""

    def failure_cases(
        case: str,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
        **settings: Any,
    ) -> tuple[Any, ...]:
        """Segment an image with a prompt that breaks the rule, or a hard image, without and with what helps.

        Args:
            case: the case, as the gallery names it
        """
        report = reporter(progress, pool.limits.many)
        with error_messages():
            spec = engine_of(settings)
            engine, this = pool.engine(spec, report), cases[case]
            before, after = galleries.compute_case(engine, this, report)
            return (
                render.verdict(this, before, after, spec.name),
                gallery_views.spotlight(this.prompt, before),
                gallery_views.overlay(before),
                render.remedy(this, after),
                gallery_views.overlay(after),
            )

    return failure_cases
