"""What a job leaves behind: free memory goes back to the system."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from ipseg import weights
from ipseg.ui.server import memory

STATM = Path("/proc/self/statm")


def resident() -> float:
    """MB."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(not STATM.exists() or memory._trim() is None, reason="needs Linux and glibc")
def test_memory_between_the_operators_of_a_network_is_returned():
    """77 MB of values between two convolutions are reused from run to run, until the end of the job."""
    kernels = {"first": (16, 3, 3, 3), "second": (1, 16, 3, 3)}
    constants = [numpy_helper.from_array(np.full(shape, 0.1, np.float32), name) for name, shape in kernels.items()]
    nodes = [helper.make_node("Conv", ["image", "first"], ["c"]), helper.make_node("Conv", ["c", "second"], ["d"])]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, n, "h", "w")) for name, n in (("image", 3), ("d", 1))
    ]
    graph = helper.make_graph(nodes, "test", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    network = weights.OnnxNetwork(model.SerializeToString(), threads=1)
    network(np.zeros((1, 3, 1100, 1100), np.float32))
    memory._trim()(0)
    held = resident()
    memory.give_back()
    assert held - resident() > 50
