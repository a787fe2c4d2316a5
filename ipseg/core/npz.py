"""The only way an NPZ file from outside is read: without pickles, checked and bounded before anything is unpacked."""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

MAGIC = b"PK\x03\x04"  # with which such a file begins
END, END64 = b"PK\x05\x06", b"PK\x06\x07"  # of a zip's last record, and of what precedes it in a ZIP64
END_BYTES, END64_BYTES, ENTRY_BYTES = 22, 20, 512  # of those records, and of one entry of the directory, at most
NAME = re.compile(r"[a-z0-9_]{1,40}\.npy")
KINDS = "buif"  # bool, unsigned and signed whole numbers, floats
MAX_AXES = 4

Arrays = dict[str, NDArray[Any]]


class NPZError(ValueError):
    """The file is no NPZ of plain arrays within the bounds, or it is damaged."""


def read(file: BinaryIO, *, max_bytes: int, max_members: int) -> Arrays:
    """The arrays of an NPZ by name, each writable: bools, whole numbers and floats of at most :data:`MAX_AXES` axes.

    ``max_bytes``: of all arrays together, by the sizes that the file states; no more than that is unpacked. Raises
    :class:`NPZError`, and OSError where the file cannot be read.
    """
    try:
        _check_directory(file, max_members)
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_members(members, max_bytes, max_members)
            return {info.filename.removesuffix(".npy"): _array(archive, info) for info in members}
    except NPZError:
        raise
    except (
        ValueError, TypeError, KeyError, EOFError, SyntaxError, OverflowError, RuntimeError, NotImplementedError,
        struct.error, zipfile.BadZipFile, zlib.error,
    ) as error:  # fmt: skip  # zipfile and numpy raise all of these for damaged files
        raise NPZError(f"damaged: {error}") from error


def _check_directory(file: BinaryIO, max_members: int) -> None:
    """Bound the list of members before zipfile reads it: the file ends with the record that states its size."""
    size = file.seek(0, 2)
    tail_bytes = min(size, END_BYTES + END64_BYTES)
    file.seek(size - tail_bytes)
    tail = file.read(tail_bytes)
    end = tail[-END_BYTES:]
    if len(end) < END_BYTES or not end.startswith(END) or tail[:-END_BYTES].startswith(END64):
        raise NPZError("no plain zip")
    directory, _, comment = struct.unpack("<IIH", end[12:])
    if comment or directory > max_members * ENTRY_BYTES:
        raise NPZError("too many members")
    file.seek(0)


def _check_members(members: list[zipfile.ZipInfo], max_bytes: int, max_members: int) -> None:
    names = {info.filename for info in members}
    if len(members) > max_members or len(names) < len(members):
        raise NPZError("too many members, or two of one name")
    for info in members:
        plain = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) and not info.flag_bits & 1
        if not (plain and NAME.fullmatch(info.filename)):
            raise NPZError("a member that is no array")
    if sum(info.file_size for info in members) > max_bytes:
        raise NPZError("too large")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(info) as member:
        if npy.read_magic(member) != (1, 0):
            raise NPZError("arrays of another version")
        shape, by_columns, dtype = npy.read_array_header_1_0(member)
        if dtype.kind not in KINDS or dtype.itemsize > 8 or len(shape) > MAX_AXES or min(shape, default=0) < 0:
            raise NPZError("an array that is not of plain numbers")
        data = bytearray(member.read())  # of the stated size at most; at its end the checksum is compared
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise NPZError("an array of another size than it states")
    array = np.frombuffer(data, dtype)
    return array.reshape(shape[::-1]).T if by_columns else array.reshape(shape)
