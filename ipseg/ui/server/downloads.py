"""Downloading weights in a thread: its progress a few times a second, and stopping it."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from ipseg import weights
from ipseg.core.types import InputError
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.server.redaction import without_folders

TICK = 0.25  # seconds between two updates of the bar
PATIENCE = 30  # seconds: a download that was just stopped ends within this, on a slow machine too


class DownloadStopped(weights.WeightError):
    """The download was stopped."""


def progress_of(pool: EnginePool, now: EngineSpec) -> Iterator[tuple[int, int, str]]:
    """Fetch what a choice lacks; yields (bytes here, bytes there will be, what is being fetched) a few times a second.

    Closing the generator stops the download; the next one resumes it. Raises what
    :func:`ipseg.weights.fetch` raises, and InputError while another download is running.
    """
    if not pool.downloading.acquire(timeout=PATIENCE):
        raise InputError("Another download is running; wait until it is done.")
    stop = threading.Event()
    news: queue.SimpleQueue[Any] = queue.SimpleQueue()
    try:
        with pool.using_weights():
            context = contextvars.copy_context()  # the worker uses the same weights folder
        wanted = pool.absent(now)
        worker = threading.Thread(target=context.run, args=(_fetch_all, wanted, news, stop), daemon=True)
        worker.start()
        latest = (0, sum(weight.bytes for weight in wanted), wanted[0].title if wanted else "")
        yield latest
        while worker.is_alive() or not news.empty():
            latest = _latest(news) or latest
            yield latest
    finally:
        stop.set()
        pool.downloading.release()


def _fetch_all(wanted: Sequence[weights.Weight], news: Any, stop: threading.Event) -> None:
    """Runs in a thread; reports progress and errors into ``news``."""
    total, before = sum(weight.bytes for weight in wanted), 0
    try:
        for weight in wanted:
            weights.fetch(weight.name, progress=_Reporter(weight, before, total, news, stop))
            before += weight.bytes
    except weights.WeightError as error:
        print(f"ipseg: {error}", flush=True)
        news.put(weights.WeightError(without_folders(str(error), weights.folders())))
    except Exception as error:  # raised again in the generator
        news.put(error)


class _Reporter:
    """Bytes of one file after another, as bytes of the whole download."""

    def __init__(self, weight: weights.Weight, before: int, total: int, news: Any, stop: threading.Event) -> None:
        self.weight, self.before, self.total, self.news, self.stop = weight, before, total, news, stop
        self.files: dict[str, int] = {}

    def __call__(self, file: str, done: int, total: int) -> None:
        if self.stop.is_set():
            raise DownloadStopped("The download was stopped.")
        self.files[file] = done
        here = self.before + min(sum(self.files.values()), self.weight.bytes)
        self.news.put((here, self.total, self.weight.title))


def _latest(news: Any) -> tuple[int, int, str] | None:
    """The newest of what was reported within a tick; an error among it is raised."""
    found = None
    try:
        item = news.get(timeout=TICK)
        while True:
            if isinstance(item, Exception):
                raise item
            found = item
            item = news.get_nowait()
    except queue.Empty:
        return found
