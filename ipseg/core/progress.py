"""The progress of a part of a job as progress of the whole."""

from __future__ import annotations

from ipseg.core.types import Progress


def part(progress: Progress, done: int, total: int) -> Progress:
    """That of one of ``total`` equal parts, of which ``done`` came before."""
    return lambda share, step: progress((done + share) / total, step)


def part_of(progress: Progress | None, done: int, total: int) -> Progress | None:
    """:func:`part` where there is a progress; else None."""
    return part(progress, done, total) if progress else None


def between(progress: Progress, start: float, end: float) -> Progress:
    """That of the part which begins at ``start`` and is complete at ``end``, shares in [0, 1]."""
    return lambda share, step: progress(start + (end - start) * share, step)
