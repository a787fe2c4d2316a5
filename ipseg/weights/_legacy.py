"""Tensors from the format that torch wrote before its zip files, without torch.

The file is three small pickles (a magic number, the version of the format, sizes of the writer's types), the pickle of
the table of weights, the pickle of the list of storages, and the storages: each its number of elements as eight bytes,
little endian, then the elements. A pickle is a program, so only the four names that a table of weights needs are
allowed in it, and each of them leads to a function of this file or to ``OrderedDict``.
"""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # as torch writes them


class _Kind(NamedTuple):
    """The type of a storage."""

    dtype: str


class _Storage(NamedTuple):
    """A storage of the file, named; its elements come after the pickles."""

    key: str
    kind: _Kind
    size: int


class _View(NamedTuple):
    """A tensor: a part of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuild(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _View:
    return _View(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


ALLOWED: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch", "FloatStorage"): _Kind("<f4"),
    ("torch", "LongStorage"): _Kind("<i8"),
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a table of weights")
        return ALLOWED[module, name]

    def persistent_load(self, reference: Any) -> _Storage:
        word, kind, key, _, size, *view = reference
        if word != "storage" or not isinstance(kind, _Kind) or any(part is not None for part in view):
            raise pickle.UnpicklingError("a reference is not to a storage")
        return _Storage(str(key), kind, int(size))


def legacy_state(data: bytes) -> dict[str, NDArray]:
    """The tensors of a file as torch < 1.6 wrote it, by name: float32 or int64 arrays that may be written to.

    Raises ``pickle.UnpicklingError`` where the file names anything but tensors, and ValueError, EOFError and their like
    where it is damaged; the caller is expected to have checked its hash.
    """
    file = io.BytesIO(data)
    if (_Reader(file).load(), _Reader(file).load()) != (MAGIC, VERSION):
        raise ValueError("this is not torch's format before its zip files")
    _Reader(file).load()
    state, keys = _Reader(file).load(), _Reader(file).load()
    if not isinstance(state, Mapping) or not all(isinstance(view, _View) for view in state.values()):
        raise ValueError("this holds no table of weights")
    kinds = {view.storage.key: view.storage for view in state.values()}
    storages = {key: _elements(file, kinds[key]) for key in keys}
    return {name: _array(view, storages[view.storage.key]) for name, view in state.items()}


def _elements(file: io.BytesIO, storage: _Storage) -> NDArray:
    count = int.from_bytes(file.read(8), "little")
    data = file.read(count * np.dtype(storage.kind.dtype).itemsize)
    if count != storage.size:
        raise ValueError(f"storage {storage.key} has {count} elements instead of {storage.size}")
    return np.frombuffer(data, storage.kind.dtype, count)


def _array(view: _View, elements: NDArray) -> NDArray:
    """A copy of the part; its last element must lie inside the storage, since the strides are the file's."""
    if min((view.offset, *view.shape, *view.strides)) < 0 or len(view.shape) != len(view.strides):
        raise ValueError("a tensor has a negative size")
    last = view.offset + sum((n - 1) * step for n, step in zip(view.shape, view.strides, strict=True))
    if 0 not in view.shape and last >= len(elements):
        raise ValueError("a tensor reaches beyond its storage")
    strides = [step * elements.itemsize for step in view.strides]
    return np.lib.stride_tricks.as_strided(elements[view.offset :], view.shape, strides).copy()
