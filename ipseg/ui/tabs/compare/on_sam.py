"""The button that compares on SAM, whose weights it fetches first where they are absent: PerSAM as it is published."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from ipseg import weights
from ipseg.core import plugins
from ipseg.core.types import InputError
from ipseg.engine.spec import EngineSpec
from ipseg.studies import comparison
from ipseg.ui.server.downloads import progress_of
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.tabs.compare.layout import WAITING, Layout
from ipseg.ui.widgets.controls import Controls, chosen, taken_over
from ipseg.ui.widgets.engine_state import bar, refreshed

SAM, WEIGHT = "sam/vit_b", "sam_vit_b"


def on_sam(now: EngineSpec) -> EngineSpec:
    """The chosen engine with SAM ViT-B as its segmenter."""
    return replace(now, segmenter=SAM, refinement="")


def button(pool: EnginePool, now: EngineSpec) -> gr.Button:
    """The button for the chosen engine.

    Hidden where that has a SAM, where more than SAM is missing, and where this page downloads no weights.
    """
    label, wanted = "", on_sam(now)
    try:
        here = plugins.declares("segmenters", now.resolve().segmenter[0], "is_sam")
        if not here and not pool.lacks(wanted):
            label = "Compare on SAM ViT-B"
        elif not here and [each.name for each in pool.absent(wanted)] == [WEIGHT]:
            label = f"Fetch SAM ViT-B ({weights.readable_size(weights.get(WEIGHT).bytes)}) and compare on it"
    except InputError:
        label = ""
    return gr.Button(label or "Compare on SAM ViT-B", visible=bool(label), elem_id="compare-on-sam", size="md")


def wire(pool: EnginePool, controls: Controls, page: Layout) -> Any:
    """Fetch SAM with its progress where the table stands, then choose it in the sidebar. Returns that event."""
    engine, sidebar = list(controls.engine), [*controls.engine, *controls.numbers]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}

    def fetch(request: gr.Request, methods: Sequence[str], *values: Any) -> Iterator[tuple[Any, ...]]:
        now, mine = chosen(values), pool.for_request(request)
        wanted, same = on_sam(now), [gr.skip()] * (len(sidebar) + 4)
        with error_messages():
            if mine.lacks(wanted):
                if not mine.fetches:
                    raise InputError("This page downloads no weights for its visitors; ask its operator to fetch them.")
                for done, total, text in progress_of(pool, wanted):
                    yield bar(done, total, text), *same
        both = [*comparison.USUAL, *(name for name in methods if name not in comparison.USUAL)]
        state = refreshed(mine, wanted)
        yield "", *taken_over(now, wanted), *state, button(mine, wanted), gr.CheckboxGroup(value=both)

    outputs = [page.table, *sidebar, *controls.engine_state, page.on_sam, page.methods]
    fetching = page.on_sam.click(
        fetch, [page.methods, *engine], outputs, concurrency_id="fetch", concurrency_limit=1, **quiet
    )

    def stopped(shown: str) -> Any:
        return WAITING if "<progress" in (shown or "") else gr.skip()

    fetching.failure(stopped, page.table, page.table, **quiet)
    page.stop.click(stopped, page.table, page.table, queue=False, **quiet)

    def again(request: gr.Request, *values: Any) -> gr.Button:
        return button(pool.for_request(request), chosen(values))

    gr.on([each.change for each in controls.engine], again, engine, page.on_sam, queue=False, **quiet)
    return fetching
