"""A cache with a second tier on disk: what does not fit into memory is written to files, bounded in bytes as well."""

from __future__ import annotations

import hashlib
import shutil
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ipseg.core import serialize
from ipseg.core.cache import Cache, nbytes
from ipseg.core.store import atomic_write


class DiskCache(Cache):
    """A :class:`~ipseg.core.cache.Cache` that writes what it evicts into a folder of its own, and reads it back.

    ``max_bytes`` bounds the arrays in memory, ``disk_bytes`` the files, of which the one used longest ago is removed
    first; 0 writes none. ``device``: where tensors are read to. The files belong to this object: they are removed when
    it is made and by :meth:`close`, since only the program that wrote them can read them.
    """

    def __init__(self, folder: Path, max_bytes: int, disk_bytes: int, *, device: Any = "cpu") -> None:
        super().__init__(max_bytes)
        self.folder, self.disk_bytes, self.device = folder, disk_bytes, device
        self._files: OrderedDict[Hashable, int] = OrderedDict()  # bytes of each file, the one used longest ago first
        self.close()

    def get(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """See :meth:`ipseg.core.cache.Cache.get`; a value on disk is read instead of computed."""
        return super().get(key, lambda: self._read(key, compute))

    def has(self, key: Hashable) -> bool:
        """Whether ``key`` is cached in memory or on disk."""
        return super().has(key) or key in self._files

    def discard(self, wanted: Callable[[Any], bool]) -> None:
        """Remove every value whose key ``wanted`` accepts, in memory and on disk."""
        with self._lock:
            for key in [key for key in self._values if wanted(key)]:
                del self._values[key]
            for key in [key for key in self._files if wanted(key)]:
                self._remove(key)

    def clear(self) -> None:
        """Remove all cached values."""
        super().clear()
        self.close()

    def close(self) -> None:
        """Remove the files."""
        self._files.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def files_bytes(self) -> int:
        """Bytes of the files."""
        return sum(self._files.values())

    def _read(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        if key in self._files:
            with suppress(OSError):
                value = serialize.unpack(self._path(key).read_bytes(), self.device)
                self._files.move_to_end(key)
                return value
        return compute()

    def _store(self, key: Hashable, value: Any, size: int) -> None:
        if size > self.max_bytes:
            self._write(key, value)
            return
        self._values[key] = (value, size)
        total = sum(size for _, size in self._values.values())
        while total > self.max_bytes:
            evicted, (old, freed) = self._values.popitem(last=False)
            total -= freed
            self._write(evicted, old)

    def _write(self, key: Hashable, value: Any) -> None:
        """Write a file unless it is there, and remove the oldest until all fit. A full disk writes nothing."""
        if key in self._files or nbytes(value) > self.disk_bytes:
            return
        packed = serialize.pack(value)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            while self._files and self.files_bytes + len(packed) > self.disk_bytes:
                self._remove(next(iter(self._files)))
            atomic_write(self._path(key), packed)
        except OSError:
            return
        self._files[key] = len(packed)

    def _remove(self, key: Hashable) -> None:
        del self._files[key]
        with suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: Hashable) -> Path:
        return self.folder / f"{hashlib.blake2b(repr(key).encode(), digest_size=16).hexdigest()}.bin"
