"""Independent calls at once on a GPU, each on a CUDA stream of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

from ipseg.core.overlap import in_order


class Streams:
    """Streams of one device, created when they are needed and used again. ``cuda`` is the module ``torch.cuda``.

    Each call has a thread too: an encoder ends by reading values on the CPU, for which its thread waits.
    """

    def __init__(self, cuda: Any, device: Any) -> None:
        self._cuda, self._device = cuda, device
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def run(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """The results of the calls, in their order, for use on the caller's stream. What a call raises is raised.

        Each stream begins after what the caller's stream was given before. The caller's stream then waits for all of
        them, and the memory of each tensor of the results is used again only after what that stream does with it.
        """
        caller = self._cuda.current_stream(self._device)
        with self._taken(len(calls)) as streams:
            pairs = list(zip(streams, calls, strict=True))
            results = list(in_order(partial(self._on_stream, caller), pairs, workers=max(1, len(calls))))
            for stream in streams:
                caller.wait_stream(stream)
        for tensor in tensors(results):
            tensor.record_stream(caller)
        return results

    def _on_stream(self, caller: Any, pair: tuple[Any, Callable[[], Any]]) -> Any:
        stream, call = pair
        stream.wait_stream(caller)
        with self._cuda.stream(stream):
            return call()

    @contextmanager
    def _taken(self, count: int) -> Iterator[list[Any]]:
        """Streams that no other call has meanwhile."""
        with self._lock:
            new = [self._cuda.Stream(self._device) for _ in range(count - len(self._idle))]
            streams = [*new, *(self._idle.pop() for _ in range(count - len(new)))]
        try:
            yield streams
        finally:
            with self._lock:
                self._idle += streams


def tensors(value: Any) -> Iterator[Any]:
    """The torch tensors in a value: tensors, and dataclasses, mappings and sequences of them."""
    if hasattr(value, "record_stream"):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            yield from tensors(getattr(value, each.name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from tensors(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from tensors(each)
