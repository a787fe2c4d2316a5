"""Times the steps of a method and reports their progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from ipseg.core.types import Progress


class Steps:
    """``seconds`` holds the wall-clock seconds of each step; a step whose result was cached is not in it."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str, share: float, cached: bool = False) -> Iterator[None]:
        """A block that is the step ``name``, before which ``share`` in [0, 1] of the work is done.

        ``cached``: whether its result is there already, so that it is neither reported nor timed.
        """
        if self.progress and not cached:
            self.progress(share, name)
        start = time.perf_counter()
        yield
        if not cached:
            self.seconds[name] = time.perf_counter() - start
