"""A lack of memory or of disk space as one error message."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ipseg.core.types import InputError

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
NO_MEMORY = "There is not enough memory for this; give smaller or fewer images."
NO_ROOM = "There is no room left on the disk; make room and try again."


class ResourceError(InputError):
    """The machine lacks memory or disk space; the input is not at fault."""


def message(error: BaseException | None) -> str:
    """The error message for an error, or for one that it was raised from; "" where it is no lack of memory or space."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, MemoryError):
            return NO_MEMORY
        if isinstance(error, OSError) and error.errno in FULL:
            return NO_ROOM
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return ""


@contextmanager
def named() -> Iterator[None]:
    """A block in which a lack of memory or disk space is raised as :class:`ResourceError`."""
    try:
        yield
    except (MemoryError, OSError) as error:
        text = message(error)
        if not text:
            raise
        raise ResourceError(text) from error
