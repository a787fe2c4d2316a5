"""A cache of values computed from images, bounded in bytes, in which a value is computed by one thread at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import fields, is_dataclass
from typing import Any


class Cache:
    """Evicts the least recently used value first. Threads may share it: a thread waits for a key that another computes.

    A key must name everything that its value depends on; then users may share one cache. ``max_bytes`` bounds the
    memory of the arrays; a value that is larger is returned and not cached.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._pending: dict[Hashable, Future[Any]] = {}

    @property
    def bytes(self) -> int:
        """Bytes of the arrays that are cached."""
        with self._lock:
            return sum(size for _, size in self._values.values())

    def get(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """The cached value of ``key``, or ``compute()``, which is then cached. What it raises is raised, not cached."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
            pending = self._pending.get(key)
            mine = pending is None
            if pending is None:
                pending = self._pending[key] = Future()
        if not mine:
            return pending.result()
        try:
            value = compute()
            size = nbytes(value)
        except BaseException as error:
            with self._lock:
                del self._pending[key]
            pending.set_exception(error)
            raise
        self._finish(key, value, size)
        pending.set_result(value)
        return value

    def has(self, key: Hashable) -> bool:
        """Whether ``key`` is cached."""
        with self._lock:
            return key in self._values

    def select(self, wanted: Callable[[Any], bool]) -> dict[Any, Any]:
        """The cached values, by key, whose keys ``wanted`` accepts; their order of eviction stays."""
        with self._lock:
            return {key: value for key, (value, _) in self._values.items() if wanted(key)}

    def put(self, key: Hashable, value: Any) -> None:
        """Cache a value that was computed elsewhere, unless ``key`` is cached already."""
        size = nbytes(value)
        with self._lock:
            if key not in self._values:
                self._store(key, value, size)

    def clear(self) -> None:
        """Remove all cached values; a value that is being computed is cached when it is complete."""
        with self._lock:
            self._values.clear()

    def _finish(self, key: Hashable, value: Any, size: int) -> None:
        with self._lock:
            del self._pending[key]
            self._store(key, value, size)

    def _store(self, key: Hashable, value: Any, size: int) -> None:
        if size > self.max_bytes:
            return
        self._values[key] = (value, size)
        while sum(size for _, size in self._values.values()) > self.max_bytes:
            self._values.popitem(last=False)


def nbytes(value: Any) -> int:
    """Bytes of the arrays in a value: arrays, tensors, and dataclasses, mappings and sequences of them."""
    if hasattr(value, "nbytes"):
        return int(value.nbytes)
    if is_dataclass(value) and not isinstance(value, type):
        return sum(nbytes(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, Mapping):
        return sum(nbytes(item) for item in value.values())
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return sum(nbytes(item) for item in value)
    return 0
