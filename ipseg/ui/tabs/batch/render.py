"""The progress and the summary of a long job, as HTML."""

from __future__ import annotations

import html
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from ipseg.core import viz
from ipseg.core.status import Status
from ipseg.core.types import ImageArray
from ipseg.ui.widgets import running
from ipseg.ui.widgets.images import as_jpeg

GALLERY = 60  # overlays that are shown; all masks are in the zip
LISTED = 20  # messages about files that could not be used
WAITING = '<div class="waiting">Give an image of the object, and images or a clip to search in.</div>'
QUEUED = '<div class="waiting">Waiting in the queue.</div>'
STOPPING = '<div class="waiting stopping">Stopping after this image.</div>'


def caption(status: Status, name: str) -> str:
    """The status before the name of an image, as the end of a long caption is cut."""
    return f"{status.words.capitalize()}: {name}"


# Run in the browser: a mark on results of other inputs.
EARLIER = """status => {
  const ended = /class="(detected|uncertain|not-detected|stopped)"/.test(status ?? '');
  if (!ended || status.includes('class="earlier"')) return status;
  return `<div class="earlier">Results of the earlier run, with other inputs:</div>${status}`;
}"""


@dataclass
class Tally:
    """Counts, messages and the first overlays of one job."""

    unit: str  # "image" or "frame"
    gallery: gr.Gallery
    start: float = field(default_factory=time.perf_counter)
    done: int = 0
    total: int = 0
    states: Counter[Status] = field(default_factory=Counter)
    cached: int = 0  # results of an earlier run
    errors: list[str] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)  # about the whole job
    overlays: list[tuple[str, str]] = field(default_factory=list)

    def show(self, overlay: ImageArray, caption: str) -> Any:
        """Add an overlay; returns the value of the gallery, or a skip when it is full."""
        if len(self.overlays) >= GALLERY:
            return gr.skip()
        name = f"{self.unit}_{len(self.overlays) + 1}.jpg"
        self.overlays.append((as_jpeg(self.gallery, overlay, name), caption))
        return list(self.overlays)

    def bar(self, now: str) -> str:
        """The progress bar, the current item and the estimated time left."""
        return running.bar(self.done, self.total, self.unit, self.start, now, earlier=self.cached)

    def verdict(self, stopped: bool, engine: str, limit: float | None = None) -> str:
        """The summary. ``limit``: the time limit in seconds, where the job reached it."""
        good = self.done - len(self.errors)
        end = f"Stopped after {self.done} of {self.total}" if stopped else "Done"
        parts = f"<b>{end}.</b> {self._counts(good)}. "
        more = " Run it again to resume." if stopped else ""
        if self.cached:
            more = f" {self.cached} {self.unit}{'s are' if self.cached != 1 else ' is'} from an earlier run.{more}"
        more = f" It took longer than {limit:.0f} seconds.{more}" if limit else more
        if self.states[Status.NOT_DETECTED]:
            more += f" In the ZIP, the masks of {self.unit}s where nothing was detected are empty."
        seconds = time.perf_counter() - self.start
        lines = "".join(f"<li>{html.escape(each)}</li>" for each in [*self.notices, *self.errors[:LISTED]])
        rest = len(self.errors) - LISTED
        lines += f"<li>and {rest} more</li>" if rest > 0 else ""
        best = next((one for one in Status if self.states[one]), Status.NOT_DETECTED)
        kind = "stopped" if stopped else best.value.replace("_", "-")
        return (
            f'<div class="{kind}" role="status">{parts}<span class="aside">{seconds:.1f} s, engine '
            f"{html.escape(engine)}.{more}</span>{self._legend()}{f'<ul>{lines}</ul>' if lines else ''}</div>"
        )

    def _legend(self) -> str:
        """The outline of each state in the results, with its count, as HTML; "" where there is one state."""
        found = [status for status in Status if self.states[status]]
        if len(found) < 2:
            return ""
        chips = (
            f'<li><i style="border: 3px {"solid" if status.has_mask else "dashed"} rgb{viz.colour_of(status)}"></i>'
            f"{status.words.capitalize()}: {self.states[status]}</li>"
            for status in found
        )
        return f'<ul class="chips">{"".join(chips)}</ul>'

    def _counts(self, good: int) -> str:
        """In how many images or frames the object is in each state."""
        uncertain = self.states[Status.UNCERTAIN]
        more = f", uncertain in {uncertain}" if uncertain else ""
        return f"Detected in {self.states[Status.DETECTED]} of {good} {self.unit}{'s' * (good != 1)}{more}"
