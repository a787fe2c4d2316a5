"""The files of this server: one private folder for uploads, answers and jobs, bounded in age and in size.

Gradio's own deletion of old files knows those alone that passed through a component, and ends for good at its first
error; this one goes by the folder. Its clock is passed in.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg.ui.server import queue

PREFIX = "ipseg-server-"
ACTIVE = "active-"  # beginning of the name of a folder in which a job works: its size is no reason to remove it
MAX_SECONDS = 3600.0  # since a file was written or touched
MAX_BYTES = 4 * 2**30  # of all files together
EVERY = 15.0  # seconds between two sweeps
UPLOAD = re.compile(r"tmp[a-z0-9_]{8}")  # the name of a file, in the folder itself, while its upload is being received
UPLOAD_SECONDS = 120.0  # without a further byte: its client is gone
EMPTY_SECONDS = 60.0  # an empty folder may be about to get its file


def make(parent: Path | None = None) -> tuple[Path, Any]:
    """A new folder with mode 0700 below ``parent``, by default the temporary folder, and what locks it.

    Folders of servers that were killed are removed first: the system has released their locks.
    """
    parent = parent or Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    for old in parent.glob(f"{PREFIX}*"):
        lock = _locked(old)
        if lock is not None:
            shutil.rmtree(old, ignore_errors=True)
            os.close(lock)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    return folder, _locked(folder)


def _locked(folder: Path) -> int | None:
    """The descriptor of a folder, locked; None where another process has it, or where it cannot be locked.

    Cleaners such as systemd-tmpfiles leave a locked folder alone.
    """
    try:
        import fcntl

        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (ImportError, OSError, AttributeError):  # AttributeError: no such flags, as on Windows
        return None
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            raise OSError("of another user")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def use(folder: Path) -> None:
    """Have Gradio and this process put temporary files into ``folder``. Call it before a component is made."""
    os.environ["GRADIO_TEMP_DIR"] = tempfile.tempdir = str(folder)
    for name in ("gradio.mcp", "gradio.routes", "gradio.route_utils"):  # they have read the variable on import
        if hasattr(sys.modules.get(name), "DEFAULT_TEMP_DIR"):
            setattr(sys.modules[name], "DEFAULT_TEMP_DIR", str(folder))  # noqa: B010 - Gradio's types hide it


def remove(folder: Path, tries: int = 5) -> None:
    """Remove the folder, also while a job that has not ended yet goes on writing into it."""
    for _ in range(tries):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.05)


@dataclass(frozen=True)
class _Found:
    path: Path
    touched: float  # seconds since the epoch
    bytes: int


@dataclass
class Sweep:
    """Removes what is too old, then the oldest until the rest fits. Safe beside jobs that read and write there.

    ``in_use`` names files that must stay, whatever their age; those that are there when it starts stay too.
    ``removed`` is called with the files that went.
    """

    folder: Path
    max_seconds: float = MAX_SECONDS
    max_bytes: int = MAX_BYTES
    in_use: Callable[[], Iterable[str | Path]] = tuple
    removed: Callable[[list[Path]], None] = lambda paths: None
    clock: Callable[[], float] = time.time
    shipped: set[Path] = field(default_factory=set)
    _end: threading.Event = field(default_factory=threading.Event)

    def start(self, every: float = EVERY) -> None:
        """Sweep again and again in a thread of its own, until :meth:`stop`."""
        self.shipped |= {found.path for found in _files(self.folder)}
        threading.Thread(target=self._run, args=(every,), name="sweep", daemon=True).start()

    def stop(self) -> None:
        """No further sweep."""
        self._end.set()

    def _run(self, every: float) -> None:
        while not self._end.wait(every):
            try:
                self.once()
            except Exception as error:  # one sweep that fails is followed by the next
                print(f"The sweep of temporary files failed: {type(error).__name__}.", flush=True)

    def once(self) -> list[Path]:
        """One sweep; returns the files that were removed."""
        _make_private(self.folder)
        held = {Path(path) for path in self.in_use()}
        for path in held:
            with suppress(OSError, ValueError):
                os.utime(path)
        held |= self.shipped
        now, files = self.clock(), sorted(_files(self.folder), key=lambda found: found.touched)
        total, gone = sum(found.bytes for found in files), []
        for found in files:
            unfinished = found.path.parent == self.folder and UPLOAD.fullmatch(found.path.name) is not None
            longest = min(self.max_seconds, UPLOAD_SECONDS) if unfinished else self.max_seconds
            old, large = now - found.touched > longest, total > self.max_bytes
            if found.path in held or not (old or (large and not _active(found.path, self.folder))):
                continue
            with suppress(OSError):
                found.path.unlink()
                gone.append(found.path)
                total -= found.bytes
        _remove_empty(self.folder, now)
        if gone:
            self.removed(gone)
        return gone


def _files(folder: Path) -> Iterator[_Found]:
    """Every file below a folder; one that goes meanwhile is left out. Links are not followed."""
    for place, _, names in os.walk(folder, onerror=lambda error: None):
        for name in names:
            path = Path(place, name)
            with suppress(OSError):
                at = path.lstat()
                yield _Found(path, max(at.st_mtime, at.st_ctime), at.st_size)


def _active(path: Path, folder: Path) -> bool:
    return any(part.startswith(ACTIVE) for part in path.relative_to(folder).parts[:-1])


def _remove_empty(folder: Path, now: float) -> None:
    for place, _, _ in os.walk(folder, topdown=False, onerror=lambda error: None):
        with suppress(OSError):
            if Path(place) != folder and now - os.lstat(place).st_mtime > EMPTY_SECONDS:
                os.rmdir(place)  # it refuses one that holds anything


def _make_private(folder: Path) -> None:
    """Recreate the folder where a cleaner removed it; mode 0700."""
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)


def of_events(page: gr.Blocks) -> list[str]:
    """The files of every event that waits or runs: their jobs have yet to read them."""
    return [path for value in queue.inputs(page) for path in _paths(value)]


def _paths(value: Any) -> Iterator[str]:
    """The paths in a value of JSON."""
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, dict):
            if isinstance(one.get("path"), str):
                yield one["path"]
            todo += one.values()
        elif isinstance(one, list | tuple):
            todo += one


def forgotten(page: gr.Blocks) -> Callable[[list[Path]], None]:
    """What takes removed files out of the tables in which Gradio lists them."""

    def forget(paths: list[Path]) -> None:
        for table in page.temp_file_sets:
            for path in paths:
                table.discard(str(path))

    return forget


def shown_by(page: gr.Blocks) -> list[str]:
    """The files that components show from the start, such as examples."""
    return [path for component in list(page.blocks.values()) for path in list(getattr(component, "keep_in_cache", ()))]


def sweep_for(page: gr.Blocks, folder: Path, seconds: float = MAX_SECONDS) -> Sweep:
    """The sweep of a page: what its events wait with and its components show stays."""

    def in_use() -> Iterator[str]:
        root = str(folder.resolve())
        for path in [*of_events(page), *shown_by(page)]:
            if os.path.realpath(path).startswith(root + os.sep):
                yield os.path.realpath(path)

    return Sweep(folder.resolve(), seconds, in_use=in_use, removed=forgotten(page))
