"""A link to a tab and settings: what differs from how the page opens, as a query string. No image is in it.

On the Hub's page of a Space the query string of that page is handed on to the demo, so a link works in both places.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import gradio as gr

from ipseg import MAX_CLUSTERS, MAX_K
from ipseg.engine.presets import PRESETS
from ipseg.engine.spec import FIELDS, choices
from ipseg.method.refinement import REFINEMENTS
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.widgets import engine_state
from ipseg.ui.widgets.controls import Controls, chosen, own_numbers, values_of

TAB = "tab"
NUMBERS = ("k", "clusters", "threshold", "reject_threshold")
NAMES = (*FIELDS, *NUMBERS)  # in the order in which the sidebar has them
OTHERS = re.compile(r"_.*|utm_.*|view|deep_link|logs|footer")  # what Gradio, the Hub and newsletters put into links
SHOWN = 60  # characters of a wrong value that are repeated

# Prepends the name of the open tab to the values.
OPEN_TAB = """(_, ...values) => {
  const panels = [...document.querySelectorAll('[role=tabpanel][id^=tab-]')];
  const open = panels.find((panel) => panel.offsetParent !== null);
  return [open ? open.id.slice(4) : '', ...values];
}"""
COPY = """async (query) => {
  const link = location.origin + location.pathname + query;
  const box = document.querySelector('#link textarea, #link input');
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    box?.select();
    return [link, '<p role="status">The browser does not let a page copy here; copy the link from the field.</p>'];
  }
  return [link, '<p role="status"><b>Copied.</b> It opens this tab with these settings; no image is in it.</p>'];
}"""


def build(page: gr.Blocks, pool: EnginePool, controls: Controls, tabs: gr.Tabs, names: Sequence[str]) -> None:
    """The button in the sidebar, and what a link does when the page is opened. ``names``: of the tabs, in order."""
    with controls.sidebar:
        copy = gr.Button("Copy link", size="sm", elem_id="copy-link")
        message = gr.HTML(elem_id="link-message", container=False)
        link = gr.Textbox(label="Link to this tab and these settings", visible=False, elem_id="link", lines=1)
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    settings = [*controls.engine, *controls.numbers]
    start = {TAB: names[0], **dict(zip(NAMES, values_of(pool.first), strict=False))}

    def shown(tab: str, *values: Any) -> Any:
        now = {TAB: tab or names[0], **dict(zip(NAMES, values, strict=True))}
        return gr.Textbox(write(now, start), visible=True)

    copy.click(shown, [link, *settings], link, js=OPEN_TAB, **quiet).then(None, link, [link, message], js=COPY, **quiet)
    warning = gr.Textbox(visible="hidden", elem_id="link-warning")

    def state_of(engine: Sequence[Any], request: gr.Request) -> tuple[Any, ...]:
        return engine_state.refreshed(pool.for_request(request), chosen(engine))

    page.load(_opened(names, start, state_of), None, [tabs, *settings, *controls.engine_state, warning], **quiet)
    warning.change(_warned, warning, show_progress="hidden", api_visibility="private")  # queued, to warn


def write(now: Mapping[str, Any], start: Mapping[str, Any]) -> str:
    """What differs from ``start``, and from the numbers of the preset, as "?name=value&..."; "" where nothing does."""
    usual = {**start, **dict(zip(NUMBERS, own_numbers(now["preset"]), strict=True))}
    changed = {name: _text(now[name]) for name in (TAB, *NAMES) if _text(now[name]) != _text(usual[name])}
    return f"?{urlencode(changed, safe='/,')}" if changed else ""


def read(query: Mapping[str, str], tabs: Sequence[str]) -> tuple[dict[str, Any], str]:
    """The values that a query string names, and a message about those that cannot be used ("" where all can)."""
    readers = {**_readers(), TAB: _one_of(tabs)}
    values, wrong = {}, []
    for name, text in query.items():
        try:
            values[name] = readers[name](text)
        except (KeyError, ValueError):
            if not OTHERS.fullmatch(name):
                wrong.append(f"{name}={text}"[:SHOWN])
    listed = ", ".join(wrong[:4])
    return (
        values,
        f'"{listed}" of the link means nothing here; check the link, or choose in the settings.' if wrong else "",
    )


def _opened(
    tabs: Sequence[str], start: Mapping[str, Any], engine_state: Callable[[Sequence[Any], gr.Request], tuple[Any, ...]]
) -> Callable[..., tuple[Any, ...]]:
    """What the page does with its query string when it is opened. It sets components and runs no engine.

    ``engine_state``: what ``Controls.engine_state`` shows for the values of the engine.
    """

    def opened(request: gr.Request) -> tuple[Any, ...]:
        values, message = read(dict(request.query_params), tabs)
        if "preset" in values:
            values = {**dict(zip(NUMBERS, own_numbers(values["preset"]), strict=True)), **values}
        tab = gr.Tabs(selected=values[TAB]) if TAB in values else gr.skip()
        stays = {name: None if start.get(name, "") is None else gr.skip() for name in NAMES}  # Gradio makes None a 0
        state = engine_state([values.get(name, start[name]) for name in FIELDS], request)
        return tab, *({**stays, **values}[name] for name in NAMES), *state, message

    return opened


def _warned(message: str) -> None:
    gr.Warning(html.escape(message, quote=False))


def _text(value: Any) -> str:
    """A value of a component as it stands in a link; alike for what is alike."""
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, int | float):
        return f"{value:g}"
    return value or ""


def _readers() -> dict[str, Callable[[str], Any]]:
    """How each value is read; ValueError for what the sidebar would not take."""
    return {
        "preset": _one_of(tuple(PRESETS)),
        "features": _several_of(choices("features")),
        "sd_weight": lambda text: _within(float(text), 0, 100) if text else None,
        "timestep": lambda text: _within(int(text), 0, 999) if text else None,
        "saliency": _one_of(("", *choices("saliency"))),
        "segmenter": _one_of(("", *choices("segmenters"))),
        "refinement": _one_of(("", *REFINEMENTS)),
        "k": lambda text: _within(int(text), 1, MAX_K),
        "clusters": lambda text: _within(int(text), 1, MAX_CLUSTERS),
        "threshold": lambda text: _within(float(text), 0, 1),
        "reject_threshold": lambda text: _within(float(text), 0, 1),
    }


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    def reader(text: str) -> str:
        if text not in known:
            raise ValueError(text)
        return text

    return reader


def _several_of(known: Sequence[str]) -> Callable[[str], list[str]]:
    one = _one_of(known)
    return lambda text: [one(part) for part in re.split(r"[+, ]", text) if part]  # a plus in a link is a space


def _within(number: float, low: float, high: float) -> float:
    if not (math.isfinite(number) and low <= number <= high):
        raise ValueError(number)
    return number
