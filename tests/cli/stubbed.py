"""``python stubbed.py SIGNAL NUMBER COMMAND ...``: the command line on the small engine of the tests.

The process sends itself that signal when the engine is asked for the NUMBER-th time; 0 for never.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from conftest import ColourEngine, label_by_colour

from ipseg import __main__
from ipseg.cli import _engine
from ipseg.labelling import run


class Interrupted(ColourEngine):
    """Ends its process, or asks it to end."""

    signal, number = 0, 0

    def segment(self, *given, **named):
        if self.calls + 1 == self.number:
            os.kill(os.getpid(), self.signal)
        return super().segment(*given, **named)


@contextmanager
def built(arguments) -> Iterator[ColourEngine]:
    """In place of the engine of the arguments."""
    yield Interrupted()


if __name__ == "__main__":
    Interrupted.signal, Interrupted.number = map(int, sys.argv[1:3])
    _engine.built, run.label_image = built, label_by_colour
    sys.exit(__main__.main(sys.argv[3:]))
