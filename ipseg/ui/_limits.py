"""When a job ends early: its visitor stopped it or has left, or it takes too long. Asked between the engine's steps."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from gradio.context import LocalContext

ONE = 300.0  # seconds one question may take: a laptop without a GPU needs minutes for the paper's models


@dataclass(frozen=True)
class Limits:
    """How long jobs may take, in seconds."""

    one: float = ONE  # a single question

    @property
    def many(self) -> float:
        """What asks many questions: a comparison, a gallery, a batch, a clip."""
        return 10 * self.one


class Ended(Exception):  # noqa: N818 - nothing went wrong
    """A job that ends between two steps; its text is for the visitor, if there still is one."""


class Watch:
    """One job, from now on. Make it inside the event that does the work; it may be asked from any thread."""

    def __init__(self, seconds: float = ONE) -> None:
        self.seconds, self._start = seconds, time.monotonic()
        self._stopped, self._told = threading.Event(), False
        self._left = _leaving()

    def stop(self) -> None:
        """Its visitor has pressed Stop."""
        self._stopped.set()

    @property
    def late(self) -> bool:
        """Whether it has taken too long."""
        return time.monotonic() - self._start > self.seconds

    @property
    def left(self) -> bool:
        """Whether nobody waits for the answer any more: the page was closed, the client has gone or has cancelled."""
        if self._left() and not self._told:
            self._told = True
            print(f"A visitor left; their job ended after {time.monotonic() - self._start:.1f} s.", flush=True)
        return self._told

    @property
    def ended(self) -> bool:
        """Whether it is to end, for whichever reason."""
        return self._stopped.is_set() or self.left or self.late

    def check(self) -> None:
        """Raise :class:`Ended` where it is to end."""
        if self.left or self._stopped.is_set():
            raise Ended("This was stopped; press the button to ask again.")
        if self.late:
            raise Ended(
                f"This took longer than {self.seconds:.0f} seconds and was stopped; give fewer or smaller images, "
                "or choose a lighter preset."
            )


def _leaving() -> Callable[[], bool]:
    """Whether the client of the event that runs now has left: Gradio then drops the event, or calls it not alive.

    Its ``unload`` event does not tell of clients without a page, nor of one question that is cancelled; its
    ``time_limit`` is for streams. Outside an event nobody leaves.
    """
    blocks, name = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    events = getattr(getattr(blocks, "_queue", None), "event_ids_to_events", None)
    if events is None or name not in events:
        return lambda: False
    return lambda: not getattr(events.get(name), "alive", False)
