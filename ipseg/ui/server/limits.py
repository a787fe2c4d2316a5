"""When a job ends early: its visitor stopped it or has left, or the time limit is reached.

Checked between the engine's steps.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from ipseg.ui.server import queue

ONE = 300.0  # seconds of one request: a laptop without a GPU needs minutes for the paper's models


@dataclass(frozen=True)
class Limits:
    """How long jobs may take, in seconds."""

    one: float = ONE  # a single request

    @property
    def many(self) -> float:
        """The limit of a comparison, a gallery, a batch, a clip or a labelling."""
        return 10 * self.one


class Ended(Exception):  # noqa: N818 - not an error
    """A job that ends between two steps; its text is the message for the visitor."""


class Watch:
    """The time limit and stop flag of one job. Create it inside the event that runs the job; it is thread-safe."""

    def __init__(self, seconds: float = ONE) -> None:
        self.seconds, self._start = seconds, time.monotonic()
        self._stopped, self._logged = threading.Event(), False
        self._left = queue.leaving()

    def stop(self) -> None:
        """Set the stop flag: the visitor has pressed Stop."""
        self._stopped.set()

    @property
    def late(self) -> bool:
        """Whether the time limit is reached."""
        return time.monotonic() - self._start > self.seconds

    @property
    def left(self) -> bool:
        """Whether the client has disconnected or cancelled, or the page was closed."""
        if self._left() and not self._logged:
            self._logged = True
            print(f"A visitor left; their job ended after {time.monotonic() - self._start:.1f} s.", flush=True)
        return self._logged

    @property
    def ended(self) -> bool:
        """Whether the job should end, for any of these reasons."""
        return self._stopped.is_set() or self.left or self.late

    def check(self) -> None:
        """Raise :class:`Ended` where the job should end."""
        if self.left or self._stopped.is_set():
            raise Ended("This was stopped; press the button to run it again.")
        if self.late:
            raise Ended(
                f"This took longer than {self.seconds:.0f} seconds and was stopped; give fewer or smaller images, "
                "or choose a lighter preset."
            )
