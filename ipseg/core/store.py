"""Arrays kept on disk under a name: whole or not at all, and what is damaged counts as not there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


def folder(name: str) -> Path:
    """Where results of that name are kept: below XDG_CACHE_HOME, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "ipseg" / name


def load(path: Path) -> Arrays | None:
    """What was kept; None when it is not there or cannot be read."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:  # closed whatever the file holds
            return dict(kept)
    except (OSError, ValueError, KeyError, EOFError):
        return None
    except Exception as error:  # a damaged archive: zipfile has its own kinds
        if type(error).__module__ not in ("zipfile", "zlib"):
            raise
        return None


def save(path: Path, arrays: Arrays) -> None:
    """Two processes may share a folder; without room, nothing is kept."""
    partial = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez_compressed(file, **dict(arrays))  # type: ignore[arg-type]
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
