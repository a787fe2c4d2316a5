"""The results of the examples, computed in the background once the page is open, so that a click answers at once.

What is computed of an image is in the cache of the engine, under the content of the image; nothing else is saved.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import gradio as gr

from ipseg.core.types import InputError
from ipseg.engine import zerogpu
from ipseg.engine.session import SegmentSession
from ipseg.ui.server import queue
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.widgets.examples import Example, found

MOST_SECONDS = 20.0  # of one example: an engine that takes longer is left to what visitors ask for


def wire(page: gr.Blocks, pool: EnginePool) -> None:
    """Start at the first visit of ``page``, in a thread of its own. Not on ZeroGPU, whose time is the visitors'."""
    if not pool.precompute or zerogpu.lent():
        return
    begun = threading.Event()

    def begin() -> None:
        if not begun.is_set():
            begun.set()
            work = (pool, found(), lambda: bool(queue.sessions(page)[0]))
            threading.Thread(target=compute, args=work, name="examples", daemon=True).start()

    page.load(begin, None, None, queue=False, show_progress="hidden", api_visibility="private")


def compute(pool: EnginePool, examples: Sequence[Example], busy: Callable[[], bool], pause: float = 0.5) -> int:
    """Segment the examples with the first engine of ``pool``; returns how many were done.

    Each waits until ``busy()``, whether a visitor's request waits or runs, is false, asked every ``pause`` seconds.
    """
    done = 0
    try:
        if pool.lacks(pool.first):
            return done
        for example in examples:
            while busy():
                time.sleep(pause)
            start = time.monotonic()
            negative = example.files[2:]
            session = SegmentSession.of(
                pool.engine(pool.first),
                [example.prompt_image],
                [None],
                negative,
                all_instances=example.all_instances,
            )
            session.segment(example.files[1])
            done += 1
            if time.monotonic() - start > MOST_SECONDS:
                return done
    except (InputError, OSError, MemoryError) as error:
        print(f"The examples were not computed ahead: {type(error).__name__}.", flush=True)
    return done
