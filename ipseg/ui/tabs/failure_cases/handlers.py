"""Failure cases (Fig. 10): prompts that break the rule "one single, complete object", each with a corrected prompt."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from ipseg.engine.spec import EngineSpec
from ipseg.studies import galleries
from ipseg.studies.galleries import FailureCase, GalleryResult
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.server.progress import reporter
from ipseg.ui.widgets import gallery_views
from ipseg.ui.widgets.controls import Controls
from ipseg.ui.widgets.signature import with_engine

INTRO = (
    "The method works from **one image of one single, complete, clearly seen object**. Here are prompts that break "
    "that rule, what was taken as the object in them, and a corrected prompt, tried on the same image."
)
BECAUSE = {
    "single": "The rule: a single object.",
    "complete": "The rule: the complete object.",
    "clear": "The rule: the object clearly seen.",
}


def build(pool: EnginePool, controls: Controls) -> None:
    """Lay out the tab and wire it."""
    _, cases = gallery_views.contents()
    gr.Markdown(INTRO)
    if not cases:
        gr.Markdown("The images of the gallery are not here; run the page from a checkout of the project.")
        return
    names = list(cases)
    which = gr.Gallery(
        [(str(case.prompt.image), case.title) for case in cases.values()],
        label="Choose a prompt",
        columns=7,
        object_fit="cover",
        height="auto",
        allow_preview=False,
        interactive=False,
        elem_id="cases",
    )
    case = gr.Dropdown(
        [(each.title, name) for name, each in cases.items()], value=names[0], label="Case", elem_id="case"
    )
    run = gr.Button("Segment with both prompts", variant="primary", size="lg", elem_id="case-run")
    verdict = gr.HTML(elem_id="case-verdict", container=False)
    with gr.Row():
        outputs = [
            gr.Image(
                label=label,
                alt_text=label,
                elem_id=name,
                height=300,
                interactive=False,
                min_width=260,
                buttons=["download", "fullscreen"],
            )
            for name, label in (
                ("case-broken", "Prompt that breaks the rule"),
                ("case-broken-answer", "Its result"),
                ("case-mended", "Corrected prompt"),
                ("case-mended-answer", "Its result"),
            )
        ]

    def pick(event: gr.SelectData) -> str:
        return names[event.index]

    handler = _handler(pool, cases)
    common: dict[str, Any] = {
        "inputs": [case, *controls.engine],
        "outputs": [verdict, *outputs],
        "show_progress_on": [outputs[1], outputs[3]],
        **JOBS,
    }
    run.click(handler, api_name="failure_cases", **common)
    picked = which.select(pick, None, case, queue=False, show_progress="hidden", api_visibility="private")
    picked.then(handler, api_visibility="private", **common)


def _handler(pool: EnginePool, cases: Mapping[str, FailureCase]) -> Callable[..., tuple[Any, ...]]:
    """The handler; Gradio reads its arguments for the API."""

    @with_engine()
    def failure_cases(
        case: str,
        *,
        spec: EngineSpec,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds its progress in the default
    ) -> tuple[Any, ...]:
        """Segment an image with a prompt that breaks the rule, and with the corrected one.

        Args:
            case: the case, as the gallery names it
        """
        report = reporter(progress, pool.limits.many)
        with error_messages():
            engine, this = pool.engine(spec), cases[case]
            prompts = {"broken": [this.prompt.image], "mended": [this.mended.image]}
            found = galleries.compute_all(engine, prompts, [this.input], progress=report)
        (broken,), (mended,) = found["broken"], found["mended"]
        return (
            _verdict(this, broken, mended, spec.name),
            gallery_views.spotlight(this.prompt, broken),
            gallery_views.overlay(broken),
            gallery_views.spotlight(this.mended, mended),
            gallery_views.overlay(mended),
        )

    return failure_cases


def _verdict(case: FailureCase, broken: GalleryResult, mended: GalleryResult, engine: str) -> str:
    """What is wrong with the prompt, and how correcting it changes the IoU."""
    gain = mended.iou - broken.iou
    helped = "helps" if gain > 0.02 else ("changes little" if gain > -0.02 else "hurts")
    text = (
        f"<b>{html.escape(case.title)}.</b> {html.escape(case.broken)} {BECAUSE.get(case.rule, '')} "
        f"Correcting it {helped} here: IoU {broken.iou:.2f} before, {mended.iou:.2f} after. "
        f'<span class="aside">Engine {html.escape(engine)}.</span>'
    )
    return f'<div class="waiting" role="status">{text}</div>'
