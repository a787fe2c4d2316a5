"""Arrays saved on disk under a name: whole or not at all, and what is damaged counts as not there.

A folder is bounded in bytes: what was not read or written for longest is removed first.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

MAX_BYTES = 2 * 2**30  # of the saved files of one folder
PARTIAL_SECONDS = 3600.0  # a partial file of that age belongs to a process that was killed


def folder(name: str) -> Path:
    """Where results of that name are saved: below XDG_CACHE_HOME, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "ipseg" / name


def load(path: Path) -> Arrays | None:
    """The saved arrays; None when they are not there or cannot be read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:  # closed whatever the file holds
            arrays = dict(saved)
    except (OSError, ValueError, KeyError, EOFError):
        return None
    except Exception as error:  # a damaged archive: zipfile has its own kinds
        if type(error).__module__ not in ("zipfile", "zlib"):
            raise
        return None
    with suppress(OSError):  # removed meanwhile, or a folder that is read-only
        os.utime(path)
    return arrays


def save(path: Path, arrays: Arrays, max_bytes: int = MAX_BYTES) -> None:
    """Save ``arrays`` as ``path``, then remove the oldest files beside it until all have at most ``max_bytes``.

    Threads and processes may share a folder and a path: each writes a partial file of its own and renames it. Where
    the disk has no room, nothing is saved.
    """
    partial: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=".npz", dir=path.parent)
        partial = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            np.savez_compressed(file, **dict(arrays))  # type: ignore[arg-type]
        partial.replace(path)
    except OSError:
        pass
    else:
        partial = None
    finally:
        if partial is not None:
            with suppress(OSError):
                partial.unlink()
    _bound(path.parent, max_bytes)


def _bound(folder: Path, max_bytes: int) -> None:
    """Remove the files that were used longest ago until the rest fits. Another process may do the same meanwhile."""
    now = time.time()
    files = sorted(_files(folder))
    total = sum(size for _, size, _ in files)
    for used, size, path in files:
        if total <= max_bytes:
            return
        if path.name.startswith(".") and now - used < PARTIAL_SECONDS:  # it is being written
            continue
        with suppress(OSError):
            path.unlink(missing_ok=True)
            total -= size


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each saved file of a folder was used last, its bytes and its path; one that goes meanwhile is left out."""
    for path in folder.glob("*.npz"):
        with suppress(OSError):
            status = path.stat()
            yield status.st_mtime, status.st_size, path
