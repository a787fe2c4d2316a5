"""Unique names of files, on every file system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def same_name(name: str) -> str:
    """One text for all names that a file system may take for one: they differ in case or composition of letters."""
    return unicodedata.normalize("NFC", name).casefold()


def first_free(candidates: Iterable[str], taken: set[str]) -> str:
    """The first of the candidates that is no name of ``taken``, which holds texts of :func:`same_name`; adds its own.

    Raises StopIteration where none is free: the candidates go on without an end, as with numbers.
    """
    name = next(each for each in candidates if same_name(each) not in taken)
    taken.add(same_name(name))
    return name
