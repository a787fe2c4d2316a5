"""A button that shows at once that its request runs, with the seconds and a Stop button beside it.

The state is an attribute of the two buttons, set in the browser: nothing waits for the server. The step is shown by
Gradio's progress, on the component of ``show_progress_on``.
"""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

_BUSY = """(...values) => {
  const start = performance.now(), ended = window.ipsegEnded ??= {};
  const begin = () => {
    const run = document.getElementById('RUN'), stop = document.getElementById('STOP');
    if (run?.dataset.elapsed || ended['RUN'] > start || performance.now() - start > 5000) return;
    if (!run) { setTimeout(begin, 100); return; }  // its tab is being opened
    const seconds = () => `${Math.round((performance.now() - start) / 1000)} s`;
    const show = () => { run.dataset.elapsed = stop.dataset.elapsed = seconds(); };
    show();
    run.timer = setInterval(show, 500);
    if (innerWidth <= 768) document.getElementById('RESULT')?.scrollIntoView({ block: 'start' });
  };
  begin();
  return values;
}"""
_IDLE = """(...values) => {
  const run = document.getElementById('RUN'), result = document.getElementById('RESULT');
  clearInterval(run?.timer);
  (window.ipsegEnded ??= {})['RUN'] = performance.now();
  for (const name of ['RUN', 'STOP']) {
    const button = document.getElementById(name);
    if (button) { delete button.dataset.elapsed; delete button.dataset.stopping; }
  }
  if (innerWidth <= 768 && result?.offsetParent) result.scrollIntoView({ block: 'start' });
  return values;
}"""


_STOPPING = """(...values) => {
  const run = document.getElementById('RUN');
  if (run?.dataset.elapsed) run.dataset.stopping = 'yes';
  return values;
}"""


def buttons(label: str, name: str, result: str, **layout: Any) -> tuple[gr.Button, gr.Button]:
    """The primary button with the id ``name``, and the Stop button beside it, which is seen while a request runs.

    ``result``: the id of the element with the progress and the result, which is scrolled into view in a narrow window.
    A click shows at once that the request runs: Gradio's page goes by the order in which events are made, and awaits
    each, so this one is made before that of the request.
    """
    with gr.Row(elem_classes=["run-row"]):
        run = gr.Button(
            label, variant="primary", size="lg", elem_id=name, elem_classes=["run"], min_width=120, **layout
        )
        stop = gr.Button("Stop", size="lg", elem_id=f"{name}-stop", elem_classes=["stop"], scale=0, min_width=90)
    announce(run.click, run, stop, result)
    return run, stop


def wire(
    run: gr.Button,
    stop: gr.Button,
    events: Sequence[Dependency],
    result: str,
    before: Sequence[Dependency] = (),
    *,
    cancels: bool = True,
) -> None:
    """Show when one of ``events`` has ended, and let ``stop`` end it.

    Until the server has confirmed a stop the button says so and takes no click: Gradio drops a request while the one
    before it is being cancelled.

    ``cancels``: whether ``stop`` ends it without a result; else another event of the button does.

    ``events``: what runs the request: a click of ``run``, or another event, which is shown from its start. ``result``:
    the id of the element with the progress and the result, which is scrolled into view in a narrow window. ``before``:
    what leads to one of ``events`` where it succeeds, and is stopped as they are.
    """
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    idle = _script(_IDLE, run, stop, result)
    for event in events:
        event.then(None, js=idle, **quiet)
    for event in [*events, *before]:  # fails, too, when it is stopped; what comes with then() is left out then
        event.failure(None, js=idle, **quiet)
    if cancels:
        stop.click(None, js=_script(_STOPPING, run, stop, result), cancels=[*before, *events], **quiet)


def announce(trigger: Any, run: gr.Button, stop: gr.Button, result: str) -> Dependency:
    """Show from another event on, such as the choice of an example, that the request runs.

    Call it before the event that runs the request is made; see :func:`buttons`.
    """
    return trigger(
        None, js=_script(_BUSY, run, stop, result), queue=False, show_progress="hidden", api_visibility="private"
    )


def bar(done: int, total: int, unit: str, start: float, now: str, *, earlier: int = 0) -> str:
    """A progress bar as HTML, the current item, and the estimated time left.

    ``unit``: what is counted, in the singular; ``start``: :func:`time.perf_counter` at the beginning; ``earlier``: how
    many of the ``done`` were computed by an earlier run, which say nothing about the time that the others take.
    """
    seconds, computed = time.perf_counter() - start, done - earlier
    left = seconds / max(1, computed) * max(0, total - done)
    rest = f", about {_span(left)} left" if computed and left >= 1 else ""
    return (
        f'<div class="waiting" role="status"><progress max="{max(1, total)}" value="{done}" '
        f'aria-label="Progress"></progress><b>{done}</b> of {total} {unit}s{rest}. '
        f'<span class="aside">{html.escape(now)}</span></div>'
    )


def _span(seconds: float) -> str:
    """A time in words: seconds below two minutes, then minutes, then hours and minutes."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _script(text: str, run: gr.Button, stop: gr.Button, result: str) -> str:
    names = {"RUN": run.elem_id, "STOP": stop.elem_id, "RESULT": result}
    for place, name in names.items():
        text = text.replace(f"'{place}'", f"'{name}'")
    return text
