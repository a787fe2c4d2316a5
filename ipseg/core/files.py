"""The only way a file that was named from outside is opened for reading: what is no regular file is never opened."""

from __future__ import annotations

import errno
import io
import os
import stat


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


def _check(status: os.stat_result, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file", path)
