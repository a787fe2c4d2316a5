"""Results that are not those of the present inputs and settings are marked as such, in the browser alone.

The state is an attribute of the element of the tab, ``data-old``, which CSS shows; nothing waits for the server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.events import Dependency

_QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}

_COMPARE = """(...values) => {
  const plain = value => Array.isArray(value) ? value.map(plain) : value?.image ? plain(value.image)
    : value?.path ?? (value === '' || value === undefined ? null : value);
  const when = 'WHEN', tab = (window.ipsegTabs ??= {})['TAB'] ??= {};
  const now = JSON.stringify(plain(values));
  if (when === 'asked') { tab.asked = now; return values; }
  if (when === 'answered') tab.answered = tab.asked;
  if (document.querySelector('#settings input[type=range]:active')) return values;  // it computes when it is released
  const page = document.getElementById('TAB'), old = page?.querySelector('RESULT') && now !== tab.answered;
  if (page && old) page.dataset.old = 'yes'; else if (page) delete page.dataset.old;
  return values;
}"""


@dataclass(frozen=True)
class Inputs:
    """What the results of one tab depend on."""

    tab: str  # the id of its element
    result: str  # a CSS selector of what is there when there is a result
    components: Sequence[gr.components.Component]

    def asked(self, triggers: Sequence[Any]) -> None:
        """Note the inputs with which a request starts. Call it before the events of the request are made.

        Gradio's page goes by the order in which events are made.
        """
        gr.on(triggers, None, list(self.components), js=self._script("asked"), **_QUIET)

    def asked_after(self, event: Dependency) -> None:
        """The same for a request that starts when ``event``, which may fill the inputs, has ended."""
        event.then(None, list(self.components), js=self._script("asked"), **_QUIET)

    def mark(self, events: Sequence[Dependency]) -> None:
        """Mark the results while the inputs are not those with which the last of ``events`` that succeeded was asked.

        Call it when all of these events are made.
        """
        for event in events:
            event.success(None, list(self.components), js=self._script("answered"), **_QUIET)
        changes = [getattr(one, "change") for one in self.components]  # noqa: B009 - made by Gradio
        gr.on(changes, None, list(self.components), js=self._script("changed"), **_QUIET)

    def _script(self, when: str) -> str:
        names = {"TAB": self.tab, "RESULT": self.result, "WHEN": when}
        text = _COMPARE
        for place, name in names.items():
            text = text.replace(f"'{place}'", f"'{name}'")
        return text
