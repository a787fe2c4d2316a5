"""OpenMP on one thread, for what is too small for more."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """A block in which the OpenMP loops of the calling thread have one thread, such as those of scikit-learn.

    A k-means of 32 points has nothing to share, and on a machine with other work its threads wait for each other: a
    hundred times its own time. Other threads of the process, and what comes after the block, are not changed. Call it
    after the import of the library whose loops it is for.
    """
    with _openmp().limit(limits=1):
        yield


@functools.cache
def _openmp() -> Any:
    """The OpenMP libraries that are loaded when it is first called; the search takes 10 ms."""
    return ThreadpoolController().select(user_api="openmp")
