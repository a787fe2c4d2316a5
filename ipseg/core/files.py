"""The only way a file that was named from outside is opened for reading: what is no regular file is never opened."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from ipseg.core.types import InputError


def open_regular(path: str | os.PathLike[str]) -> io.FileIO:
    """Open a regular file for reading, unbuffered.

    The kind of the file is checked first: opening a device may block, or have an effect. Raises OSError, for a
    folder :class:`IsADirectoryError`, and for what is neither a folder nor a regular file with the reason as
    ``strerror``.
    """
    _check(os.stat(path), path)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check(os.fstat(descriptor), path)  # it may have been replaced in between
        return io.FileIO(descriptor)
    except BaseException:
        os.close(descriptor)
        raise


@contextmanager
def reading(label: str, error: type[InputError], wanted: str) -> Iterator[None]:
    """Convert what opening or reading a file raises to ``error`` with one message that names the file by ``label``.

    ``wanted``: what should have been given, such as "an image file".
    """
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise error(f"{label} does not exist; check the path.") from None
    except IsADirectoryError:
        raise error(f"{label} is a folder; give {wanted}.") from None
    except OSError as raised:
        raise error(f"{label} cannot be read ({raised.strerror}); check the file.") from None
    except ValueError:  # a null byte in the path
        raise error(f"{label!r} is no path; check it.") from None


def _check(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", path)
