"""What the page says while a long job goes on, and when it is done. HTML."""

from __future__ import annotations

import html
import io
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from PIL import Image

from ipseg.core.status import Status
from ipseg.core.types import ImageArray
from ipseg.ui._pool import shown

GALLERY = 12  # overlays that are shown; all masks are in the zip
LISTED = 20  # messages about files that could not be used
WAITING = '<div class="waiting">Give an image of the object, and images or a clip to cut it out of.</div>'
QUEUED = '<div class="waiting">Waiting for its turn.</div>'
STOPPING = '<div class="waiting">Stopping after this image.</div>'


@dataclass
class Tally:
    """Counts, messages and the first overlays of one job."""

    what: str  # "image" or "frame"
    gallery: gr.Gallery
    start: float = field(default_factory=time.perf_counter)
    done: int = 0
    total: int = 0
    states: Counter[Status] = field(default_factory=Counter)
    kept: int = 0  # answered by an earlier run
    errors: list[str] = field(default_factory=list)
    overlays: list[tuple[str, str]] = field(default_factory=list)

    def show(self, overlay: ImageArray, caption: str) -> Any:
        """One more overlay for the gallery; what the gallery takes, or a skip when it is full."""
        if len(self.overlays) >= GALLERY:
            return gr.skip()
        buffer = io.BytesIO()
        Image.fromarray(shown(overlay)).save(buffer, format="JPEG", quality=88)
        name = f"{self.what}_{len(self.overlays) + 1}.jpg"
        path = save_bytes_to_cache(buffer.getvalue(), name, self.gallery.GRADIO_CACHE)
        self.overlays.append((path, caption))
        return list(self.overlays)

    def bar(self, now: str) -> str:
        """Where it is, what it is at, and how long it may still take."""
        seconds = time.perf_counter() - self.start
        left = seconds / max(1, self.done) * max(0, self.total - self.done)
        rest = f", about {left:.0f} s left" if self.done and left >= 1 else ""
        return (
            f'<div class="waiting" role="status"><progress max="{max(1, self.total)}" value="{self.done}" '
            f'aria-label="How much is done"></progress><b>{self.done}</b> of {self.total} {self.what}s{rest}. '
            f'<span class="aside">{html.escape(now)}</span></div>'
        )

    def verdict(self, stopped: bool, engine: str, limit: float | None = None) -> str:
        """What came of it. ``limit``: the seconds that were too few for it, where they were."""
        good = self.done - len(self.errors)
        said = f"Stopped after {self.done} of {self.total}" if stopped else "Done"
        parts = f"<b>{said}.</b> {self._counts(good)}. "
        more = " Run it again, and it goes on from there." if stopped else ""
        more = f" {self.kept} of them were answered by an earlier run.{more}" if self.kept else more
        more = f" It took longer than {limit:.0f} seconds.{more}" if limit else more
        seconds = time.perf_counter() - self.start
        lines = "".join(f"<li>{html.escape(error)}</li>" for error in self.errors[:LISTED])
        rest = len(self.errors) - LISTED
        lines += f"<li>and {rest} more</li>" if rest > 0 else ""
        best = next((one for one in Status if self.states[one]), Status.NOT_DETECTED)
        kind = "stopped" if stopped else best.value.replace("_", "-")
        return (
            f'<div class="{kind}" role="status">{parts}<span class="aside">{seconds:.1f} s, engine '
            f"{html.escape(engine)}.{more}</span>{f'<ul>{lines}</ul>' if lines else ''}</div>"
        )

    def _counts(self, good: int) -> str:
        """In how many images or frames the object is in each state."""
        uncertain = self.states[Status.UNCERTAIN]
        more = f", uncertain in {uncertain}" if uncertain else ""
        return f"Detected in {self.states[Status.DETECTED]} of {good} {self.what}{'s' * (good != 1)}{more}"
