"""Small networks in ONNX Runtime: the file is read once, checked, and run on the CPU."""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import SettingError
from ipseg.weights._loading import compare, readable
from ipseg.weights._places import locate
from ipseg.weights._table import get

MOST_THREADS = 4  # small networks gain little from more


def read(name: str) -> bytes:
    """The bytes of a single file of the table, whose sha256 is known; the very bytes that are returned are checked.

    Raises :class:`WeightError` when the file is missing, unreadable, or not the one that was published.
    """
    weight, path = get(name), locate(name)
    with readable(path, name):
        data = path.read_bytes()
    compare(path, hashlib.sha256(data).hexdigest(), weight.sha256, name)
    return data


class OnnxNetwork:
    """A network of one input in ONNX Runtime, on the CPU. Threads may share it.

    ``model`` is a serialised ONNX model; ``threads`` compute each operator, 0 for as many as this process may use, at
    most four. All networks of a process take the memory between their operators from one arena, and no more of them
    run at once than there are CPUs for: the others wait. :func:`release_memory` returns that memory.
    """

    def __init__(self, model: bytes, *, threads: int = 0) -> None:
        if isinstance(threads, bool) or int(threads) != threads or threads < 0:
            raise SettingError(f"threads is {threads}; give a whole number, 0 for as many as there are.")
        counted = _PASSES.get()
        self._multiplications = _per_pixel(model) if counted is not None else 0.0
        self._session = _session(model, int(threads) or min(MOST_THREADS, _cpus()))
        self._seen = (0, 0)  # releases of the arena so far, and values of the largest input since the last one
        (entry,) = self._session.get_inputs()
        self._input = entry.name
        self.outputs: tuple[str, ...] = tuple(each.name for each in self._session.get_outputs())

    def __call__(self, values: NDArray[np.float32], *outputs: str) -> list[NDArray[np.float32]]:
        """The named outputs, all of them when none is named, for one batch of inputs."""
        counted = _PASSES.get()
        if counted is not None:
            counted.add(self._multiplications, values.shape)
        with _TURNS:
            self._make_room(values.size)
            return self._session.run(list(outputs) or None, {self._input: np.ascontiguousarray(values)})

    def _make_room(self, size: int) -> None:
        """Before an input of more values than all before it, release the arena, whose free regions are too small.

        Otherwise each larger input would add regions to those of the smaller ones: up to 200 MB of two aspects.
        """
        releases, largest = self._seen
        if releases == _ARENA.releases and 0 < largest < size:
            release_memory()
        self._seen = (_ARENA.releases, size if releases != _ARENA.releases else max(size, largest))


class Passes:
    """The runs of networks while they are counted: see :func:`counting`. Threads may add to one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._added: list[tuple[float, tuple[int, ...]]] = []

    def add(self, per_pixel: float, shape: tuple[int, ...]) -> None:
        """One run on an input of ``shape`` (n, C, h, w), with so many multiplications for each of its pixels."""
        with self._lock:
            self._added.append((per_pixel, shape))

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shapes of the inputs, in the order of the runs."""
        return [shape for _, shape in self._added]

    @property
    def flop(self) -> float:
        """Floating-point operations of the convolutions of networks that were built while runs were counted."""
        return sum(2 * per_pixel * shape[0] * shape[2] * shape[3] for per_pixel, shape in self._added)


@contextmanager
def counting() -> Iterator[Passes]:
    """A block in which runs of networks are counted, in this context and its copies: the :class:`Passes`."""
    passes = Passes()
    token = _PASSES.set(passes)
    try:
        yield passes
    finally:
        _PASSES.reset(token)


_PASSES: ContextVar[Passes | None] = ContextVar("passes", default=None)


def _per_pixel(model: bytes) -> float:
    """Multiplications of a network's convolutions for each pixel of its input.

    A value's side is that of the input over the strides of the convolutions and poolings before it, times the scales
    of the enlargements.
    """
    import onnx

    graph = onnx.load_from_string(model).graph
    constants = {each.name: each for each in graph.initializer}
    strides, total = {value.name: 1.0 for value in graph.input}, 0.0
    for node in graph.node:
        named = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        stride = strides.get(node.input[0], 1.0) * named.get("strides", [1])[0] if node.input else 1.0
        if node.op_type == "Resize" and node.input[2] in constants:
            stride /= float(onnx.numpy_helper.to_array(constants[node.input[2]])[-1])
        if node.op_type == "Conv" and node.input[1] in constants:
            total += float(np.prod(constants[node.input[1]].dims)) / stride**2  # (out, in / groups, height, width)
        strides |= dict.fromkeys(node.output, stride)
    return total


def release_memory() -> None:
    """Return the memory that networks use between their operators to the C library.

    Without it the next pass reuses that memory: about 200 MB after an image of 960 pixels, and a pass that has to take
    it anew needs about a fifth longer. What another thread uses is not touched.
    """
    import onnxruntime

    if not _register_arena.cache_info().currsize:  # no network has been built
        return
    _ARENA.releases += 1
    options = onnxruntime.RunOptions()
    options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    _identity().run(None, {"value": np.zeros(1, np.float32)}, options)


def _session(model: bytes, threads: int) -> Any:
    import onnxruntime

    _register_arena()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # An arena of each session would hold several hundred megabytes; none at all costs a pass a fifth of its time.
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")  # weights stay out of it
    options.enable_mem_pattern = False  # one block for all values of an input size; a third more memory
    options.log_severity_level = 3  # errors
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait use no core
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class _Arena:
    """Counts how often the arena was released."""

    releases = 0


_ARENA = _Arena()


@functools.cache
def _register_arena() -> None:
    """Register one arena for the CPU in ONNX Runtime's environment; where a program has done so, that one is used."""
    import onnxruntime

    kind, use = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, onnxruntime.OrtMemType.DEFAULT
    memory = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, use)
    with suppress(Exception):  # of a type of its own, where one is registered already
        exactly = onnxruntime.OrtArenaCfg({"arena_extend_strategy": 1})  # grows by what is asked for, not by doubling
        onnxruntime.create_and_register_allocator(memory, exactly)


@functools.cache
def _identity() -> Any:
    """A network that copies one number: ONNX Runtime returns memory at the end of a run alone."""
    from onnx import TensorProto, helper

    value, copy = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("value", "copy"))
    graph = helper.make_graph([helper.make_node("Identity", ["value"], ["copy"])], "identity", [value], [copy])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return _session(model.SerializeToString(), 1)


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_TURNS = threading.BoundedSemaphore(max(1, _cpus() // MOST_THREADS))
"""How many networks may run at once, so that their threads and the memory between their operators are bounded."""
