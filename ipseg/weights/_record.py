"""The record of first use: which sha256 each file of weights had when it was first read, so that a change is refused.

Where the makers publish a hash, the table has it, and it is the one that is compared. Most repositories of the Hub
publish none, so the first use is recorded in a JSON file in the user's cache, outside the folder of the weights: a
program that may write only into that folder cannot change the expected hashes.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ipseg.core import store
from ipseg.weights._errors import WeightError

Entries = dict[str, dict[str, str]]
"""By key; each with ``name`` (of the weights), ``recorded`` (a date), and ``file`` with ``sha256``, or ``commit``."""

log = logging.getLogger(__name__)


def path() -> Path:
    """The JSON file of the record."""
    return store.folder("weights") / "first_use.json"


def read() -> Entries:
    """Everything recorded. Raises :class:`WeightError` when the record cannot be read: it is not ignored."""
    try:
        text = path().read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _unreadable(error.strerror or type(error).__name__) from error
    try:
        entries = json.loads(text)["entries"]
        return {str(key): {str(field): str(value) for field, value in entries[key].items()} for key in entries}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable("it is no JSON of the expected form") from error


def add(entries: Mapping[str, Mapping[str, str]]) -> None:
    """Record what is not recorded yet; an existing entry stays as it is.

    Where the file cannot be written, a warning is logged: the next process will take its own first use.
    """
    if not set(entries) <= set(read()):
        today = datetime.now(UTC).date().isoformat()
        _change(lambda before: {key: {**entries[key], "recorded": today} for key in entries} | before)


def forget(name: str) -> int:
    """Remove what is recorded of the weights called ``name``; returns how many entries that were.

    Raises :class:`WeightError` where the file cannot be written.
    """
    count = sum(entry.get("name") == name for entry in read().values())
    if count and not _change(lambda before: {key: each for key, each in before.items() if each.get("name") != name}):
        raise WeightError(f"{path()} cannot be written, so nothing is forgotten; check its permissions, or make room.")
    return count


def _change(made: Callable[[Entries], dict[str, Any]]) -> bool:
    """Whether the file was written; where it was not, a warning is logged."""
    from filelock import FileLock

    target = path()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            store.atomic_write(target, json.dumps({"entries": made(read())}, indent=1, sort_keys=True))
    except (OSError, NotImplementedError) as error:  # the latter where a file system has no locks
        log.warning("%s cannot be written (%s): hashes of weights are not recorded.", target, error)
        return False
    return True


def _unreadable(reason: str) -> WeightError:
    return WeightError(
        f"The record of the weights' hashes, {path()}, cannot be read ({reason}); delete it, and the next use of each "
        "file is recorded as its first."
    )
