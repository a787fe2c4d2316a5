"""Long jobs of the page: each can be stopped by its own visitor, and works in a folder that is cleaned away."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr

from ipseg.ui._limits import Watch

KEPT_SECONDS = 3600  # answers of a run that was stopped, so that it can go on


class Jobs:
    """Who runs what, by session. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: defaultdict[str, set[Watch]] = defaultdict(set)
        self._early: set[str] = set()  # sessions that pressed stop while their job still waited in the queue
        self._folder: Path | None = None

    def arm(self, request: gr.Request) -> None:
        """A visitor has pressed run: what they stopped before is forgotten."""
        with self._lock:
            self._early.discard(_session(request))

    def stop(self, request: gr.Request) -> None:
        """Stop all jobs of a visitor, also the one that is still waiting."""
        with self._lock:
            for watch in self._running.get(_session(request), ()):
                watch.stop()
            if not self._running.get(_session(request)):
                self._early.add(_session(request))

    @contextmanager
    def running(self, request: gr.Request | None, seconds: float) -> Iterator[Watch]:
        """A block with what knows whether it is to end: stopped by its visitor, left by them, or over ``seconds``."""
        watch, session = Watch(seconds), _session(request)
        with self._lock:
            self._running[session].add(watch)
            if session in self._early:
                self._early.discard(session)
                watch.stop()
        try:
            yield watch
        finally:
            watch.left  # noqa: B018 - tells of it
            with self._lock:
                self._running[session].discard(watch)
                if not self._running[session]:
                    del self._running[session]

    @property
    def answers(self) -> Path:
        """Where answers are kept for an hour, by their content; it goes with the process."""
        folder = self._root() / "answers"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            if time.time() - old.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(old, ignore_errors=True)
        return folder

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """A folder for what one job makes; empty at first, gone at the end."""
        folder = Path(tempfile.mkdtemp(dir=self._root()))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _root(self) -> Path:
        with self._lock:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="ipseg-jobs-"))
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder


def _session(request: gr.Request | None) -> str:
    return str(getattr(request, "session_hash", None) or "")
