"""Small networks in ONNX Runtime: the file is read once, checked, and run on the CPU."""

from __future__ import annotations

import hashlib
import os
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
    most four. Memory for the values between the operators is given back after each run: a session that does not, as is
    ONNX Runtime's default, holds several hundred megabytes, and takes about a fifth less time for a pass.
    """

    def __init__(self, model: bytes, *, threads: int = 0) -> None:
        import onnxruntime

        if isinstance(threads, bool) or int(threads) != threads or threads < 0:
            raise SettingError(f"threads is {threads}; give a whole number, 0 for as many as there are.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(threads) or min(MOST_THREADS, _cpus())
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3  # errors
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads that wait use no core
        self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        (entry,) = self._session.get_inputs()
        self._input = entry.name
        self.outputs: tuple[str, ...] = tuple(each.name for each in self._session.get_outputs())

    def __call__(self, values: NDArray[np.float32], *outputs: str) -> list[NDArray[np.float32]]:
        """The named outputs, all of them when none is named, for one batch of inputs."""
        return self._session.run(list(outputs) or None, {self._input: np.ascontiguousarray(values)})


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
