"""Downloading weights from the page: one button, a progress bar and a stop button; then the new engine is used."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ipseg.core.types import InputError
from ipseg.ui.server.downloads import progress_of
from ipseg.ui.server.errors import error_messages
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.widgets.controls import Controls, chosen, taken_over
from ipseg.ui.widgets.engine_state import bar, refreshed, target


def wire(pool: EnginePool, controls: Controls) -> None:
    """Pressing fetch moves the bar in the text about the engine; when all is here, the sidebar selects that engine."""
    engine, sidebar = list(controls.engine), [*controls.engine, *controls.numbers]

    def run(request: gr.Request, *values: Any) -> Iterator[tuple[Any, ...]]:
        now, mine = chosen(values), pool.for_request(request)
        wanted, same = target(mine, now) or now, [gr.skip()] * len(sidebar)
        with error_messages():
            if not mine.fetches:
                raise InputError("This page downloads no weights for its visitors; ask its operator to fetch them.")
            for done, total, text in progress_of(pool, wanted):
                yield bar(done, total, text), gr.Button(visible=False), gr.Button(visible=True), *same
        gr.Info(f"{html.escape(wanted.name)} is downloaded and used from now on.")
        yield *refreshed(pool, wanted), gr.Button(visible=False), *taken_over(now, wanted)

    def again(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        return *refreshed(pool.for_request(request), chosen(values)), gr.Button(visible=False)

    outputs = [*controls.engine_state, controls.stop]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    running = controls.fetch.click(
        run,
        engine,
        [*outputs, *sidebar],
        trigger_mode="multiple",
        concurrency_id="fetch",
        concurrency_limit=1,
        **quiet,
    )
    running.failure(again, engine, outputs, **quiet)
    stopped = controls.stop.click(None, cancels=[running], api_visibility="private")
    stopped.then(again, engine, outputs, **quiet)
