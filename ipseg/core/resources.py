"""A lack of memory or of room on the disk as one error message."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ipseg.core.types import InputError

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
NO_MEMORY = "There is not enough memory for this; give smaller or fewer images."
NO_ROOM = "There is no room left on the disk; make room and try again."


class ResourceError(InputError):
    """The machine lacks memory or room on the disk; no fault of the input."""


def message(error: BaseException | None) -> str:
    """What to say of an error, or of one that it was raised from; "" where it is no lack of memory or room."""
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
    """A block in which a lack of memory or room is raised as :class:`ResourceError`."""
    try:
        yield
    except (MemoryError, OSError) as error:
        said = message(error)
        if not said:
            raise
        raise ResourceError(said) from error
