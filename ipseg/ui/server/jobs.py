"""Long jobs of the page: each can be stopped by its own visitor, and works in a folder that is removed at its end."""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gradio as gr
from gradio.context import LocalContext

from ipseg.ui.server import queue
from ipseg.ui.server.limits import Watch
from ipseg.ui.server.storage import ACTIVE

SAVED_SECONDS = 3600  # answers of a run that was stopped, so that it can go on
MOST_EARLY = 1000  # entries of each table of runs that have not begun
RUNS = ("batch", "video")  # the endpoints whose events are jobs, where none are named


class Jobs:
    """Who runs what, by session. Safe to share between threads.

    ``clock``: seconds since the epoch. ``runs``: the endpoints whose events are these jobs.
    """

    def __init__(self, clock: Callable[[], float] = time.time, *, runs: Collection[str] = RUNS) -> None:
        self._clock, self._runs = clock, runs
        self._lock = threading.Lock()
        self._running: defaultdict[str, set[Watch]] = defaultdict(set)
        self._armed: OrderedDict[str, float] = OrderedDict()  # sessions that announced a run, and when
        self._early: OrderedDict[str, float] = OrderedDict()  # events, or such sessions, stopped before their run began
        self._folder: Path | None = None

    def arm(self, request: gr.Request) -> None:
        """A visitor has pressed run: what they stopped before is forgotten, and a stop counts from now on."""
        session = _session(request)
        with self._lock:
            self._early.pop(session, None)
            self._add(self._armed, session)

    def stop(self, request: gr.Request) -> None:
        """Stop all jobs of a visitor, also one that is still waiting. It has no effect on a run that comes later."""
        session, waiting = _session(request), queue.waiting(request, self._runs)
        with self._lock:
            for watch in self._running.get(session, ()):
                watch.stop()
            for name in (*waiting, *([session] if session in self._armed else [])):
                self._add(self._early, name)

    @contextmanager
    def running(self, request: gr.Request | None, seconds: float) -> Iterator[Watch]:
        """A block with what knows whether it is to end: stopped by its visitor, left by them, or over ``seconds``."""
        watch, session, event = Watch(seconds), _session(request), LocalContext.event_id.get(None) or ""
        with self._lock:
            self._running[session].add(watch)
            self._armed.pop(session, None)
            if [name for name in (event, session) if self._early.pop(name, None) is not None]:
                watch.stop()
        try:
            yield watch
        finally:
            watch.left  # noqa: B018 - prints a log line
            with self._lock:
                self._early.pop(event, None)  # it was stopped while it ran
                self._running[session].discard(watch)
                if not self._running[session]:
                    del self._running[session]

    def _add(self, table: OrderedDict[str, float], name: str) -> None:
        """Enter ``name`` with the time; the oldest entries go where there are too many or they are too old."""
        now = self._clock()
        table[name] = now
        table.move_to_end(name)
        while len(table) > MOST_EARLY or now - next(iter(table.values())) > SAVED_SECONDS:
            table.popitem(last=False)

    @property
    def answers(self) -> Path:
        """Where answers are saved for an hour, by their content; it is removed with the process."""
        folder = self._root() / "answers"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):  # another job, or a cleaner, may remove any of it at any moment
            for old in list(folder.iterdir()):
                with suppress(OSError):
                    if self._clock() - old.stat().st_mtime > SAVED_SECONDS:
                        shutil.rmtree(old, ignore_errors=True)
        return folder

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """A folder for what one job makes; empty at first, gone at the end."""
        folder = Path(tempfile.mkdtemp(prefix=ACTIVE, dir=self._root()))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _root(self) -> Path:
        """The folder of all jobs, with mode 0700; made anew where a cleaner of temporary files has removed it."""
        with self._lock:
            if self._folder is None or not self._folder.is_dir():
                self._folder = Path(tempfile.mkdtemp(prefix="ipseg-jobs-"))
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder


def _session(request: gr.Request | None) -> str:
    """A name of fixed length for a session; "" for none."""
    given = str(getattr(request, "session_hash", None) or "")
    return hashlib.blake2b(given.encode("utf-8", "replace"), digest_size=16).hexdigest() if given else ""
