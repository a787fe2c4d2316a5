"""A link to a tab, settings and an example: what differs from how the page opens, as a query string.

No image is in it: with a visitor's own images it opens the tab and the settings alone. An example is computed at once.

On the Hub's page of a Space the query string of that page is handed on to the demo, so a link works in both places.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
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

TAB, EXAMPLE = "tab", "example"
MORE = (EXAMPLE, "methods")  # what a link holds of its tab alone, in their order
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
# Copies the link; with BESIDE, its text stands in the message where the browser refuses.
COPY = """async (query) => {
  const link = location.origin + location.pathname + query;
  const box = document.querySelector('#link textarea, #link input');
  const example = new URLSearchParams(query).has('example');
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    box?.select();
    const text = document.createElement('code');
    text.textContent = link;
    const shown = BESIDE ? ` ${text.outerHTML}` : ' copy the link from the field.';
    return [link, `<p role="status">The browser does not let a page copy here;${shown}</p>`];
  }
  const what = example ? 'It opens this example with these settings and computes it.'
    : 'It opens this tab with these settings; no image is in it.';
  const own = BESIDE && !example ? ' Your own images go as files: use the downloads.' : '';
  return [link, `<p role="status"><b>Copied.</b> ${what}${own}</p>`];
}"""


@dataclass(frozen=True)
class Linked:
    """What a link to one tab holds beside the settings: an example, and perhaps more."""

    inputs: Sequence[gr.components.Component]
    example: Callable[..., str]  # the name of the example that the values of ``inputs`` are; "" for other images
    opened: gr.Textbox  # is set to the name of the example when a link opens it
    examples: Sequence[str]  # their names
    copy: gr.Button  # beside the result
    copied: gr.HTML  # what it says
    more: Mapping[str, tuple[gr.components.Component, Sequence[str]]] = field(default_factory=dict)
    """Further values of :data:`MORE`: lists, each of some of the names that are known."""

    def values(self, given: Sequence[Any]) -> dict[str, Any]:
        """What a link holds, of the values of ``inputs`` and then of ``more``."""
        count = len(self.inputs)
        found = {EXAMPLE: self.example(*given[:count]), **dict(zip(self.more, given[count:], strict=True))}
        return {name: value for name, value in found.items() if _text(value) != _text(self.start.get(name, ""))}

    @property
    def start(self) -> dict[str, Any]:
        """The values of ``more`` with which the page opens."""
        return {name: component.value for name, (component, _) in self.more.items()}

    @property
    def readers(self) -> dict[str, Callable[[str], Any]]:
        """How each value is read."""
        return {EXAMPLE: _one_of(self.examples), **{name: _several_of(known) for name, (_, known) in self.more.items()}}

    @property
    def components(self) -> list[gr.components.Component]:
        """Those whose values a link decides, after those of the settings."""
        return [*self.inputs, *(component for component, _ in self.more.values())]

    @property
    def outputs(self) -> list[gr.components.Component]:
        """Those that an opened link sets."""
        return [self.opened, *(component for component, _ in self.more.values())]

    def opening(self, values: Mapping[str, Any]) -> list[Any]:
        """What an opened link sets ``outputs`` to."""
        return [values.get(name, gr.skip()) for name in (EXAMPLE, *self.more)]


def build(
    page: gr.Blocks,
    pool: EnginePool,
    controls: Controls,
    tabs: gr.Tabs,
    names: Sequence[str],
    linked: Mapping[str, Linked],
) -> None:
    """The buttons that copy a link, in the sidebar and beside results, and what a link does when the page is opened.

    ``names``: of the tabs, in order. ``linked``: by the names of tabs that have examples.
    """
    with controls.sidebar:
        copy = gr.Button("Copy link", size="sm", elem_id="copy-link")
        message = gr.HTML(elem_id="link-message", container=False)
        link = gr.Textbox(label="Link to this tab and these settings", visible=False, elem_id="link", lines=1)
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    settings = [*controls.engine, *controls.numbers]
    start = {TAB: names[0], **dict(zip(NAMES, values_of(pool.first), strict=False))}
    parts = {name: one.components for name, one in linked.items()}

    def shown(tab: str, *values: Any) -> Any:
        now = {TAB: tab or names[0], **dict(zip(NAMES, values, strict=False))}
        place = len(NAMES)
        for name, components in parts.items():
            if name == now[TAB]:
                now |= linked[name].values(values[place : place + len(components)])
            place += len(components)
        return gr.Textbox(write(now, start), visible=True)

    inputs = [link, *settings, *(component for components in parts.values() for component in components)]
    for button, text in [(copy, message), *((one.copy, one.copied) for one in linked.values())]:
        queued = {**quiet, "queue": True, "concurrency_limit": None}  # it is given images
        written = button.click(shown, inputs, link, js=OPEN_TAB, **queued)
        script = COPY.replace("BESIDE", "false" if button is copy else "true")
        written.then(None, link, [link, text], js=script, **quiet)
    warning = gr.Textbox(visible="hidden", elem_id="link-warning")

    def state_of(engine: Sequence[Any], request: gr.Request) -> tuple[Any, ...]:
        return engine_state.refreshed(pool.for_request(request), chosen(engine))

    outputs = [
        tabs,
        *settings,
        *controls.engine_state,
        warning,
        *(each for one in linked.values() for each in one.outputs),
    ]
    page.load(_opened(names, start, state_of, linked), None, outputs, **quiet)
    warning.change(_warned, warning, show_progress="hidden", api_visibility="private")  # queued, to warn


def write(now: Mapping[str, Any], start: Mapping[str, Any]) -> str:
    """What differs from ``start``, and from the numbers of the preset, as "?name=value&..."; "" where nothing does."""
    usual = {**start, **dict(zip(NUMBERS, own_numbers(now["preset"]), strict=True))}
    names = (TAB, *MORE, *NAMES)
    changed = {each: _text(now.get(each)) for each in names if _text(now.get(each)) != _text(usual.get(each))}
    return f"?{urlencode(changed, safe='/,')}" if changed else ""


def read(
    query: Mapping[str, str], tabs: Sequence[str], linked: Mapping[str, Linked] = MappingProxyType({})
) -> tuple[dict[str, Any], str]:
    """The values that a query string names, and a message about those that cannot be used ("" where all can)."""
    tab = linked.get(query.get(TAB, tabs[0]))
    readers = {**_readers(), TAB: _one_of(tabs), **(tab.readers if tab else {})}
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
    tabs: Sequence[str],
    start: Mapping[str, Any],
    engine_state: Callable[[Sequence[Any], gr.Request], tuple[Any, ...]],
    linked: Mapping[str, Linked] = MappingProxyType({}),
) -> Callable[..., tuple[Any, ...]]:
    """What the page does with its query string when it is opened. It sets components and runs no engine.

    ``engine_state``: what ``Controls.engine_state`` shows for the values of the engine.
    """

    def opened(request: gr.Request) -> tuple[Any, ...]:
        values, message = read(dict(request.query_params), tabs, linked)
        if "preset" in values:
            values = {**dict(zip(NUMBERS, own_numbers(values["preset"]), strict=True)), **values}
        tab = gr.Tabs(selected=values[TAB]) if TAB in values else gr.skip()
        stays = {name: None if start.get(name, "") is None else gr.skip() for name in NAMES}  # Gradio makes None a 0
        state = engine_state([values.get(name, start[name]) for name in FIELDS], request)
        here = values.get(TAB, tabs[0])
        more = [each for name, one in linked.items() for each in one.opening(values if name == here else {})]
        return tab, *({**stays, **values}[name] for name in NAMES), *state, message, *more

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
