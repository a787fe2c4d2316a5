"""Small networks in ONNX Runtime: checked before they run, the same answer from any number of threads."""

from __future__ import annotations

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from ipseg import weights
from ipseg.core.types import SettingError
from ipseg.weights import OnnxNetwork, WeightError, _onnx, _table


@pytest.fixture(scope="module")
def model():
    """Two convolutions of random kernels, the outputs of both."""
    rng = np.random.default_rng(0)
    kernels = [rng.standard_normal(shape).astype(np.float32) for shape in ((16, 3, 3, 3), (8, 16, 3, 3))]
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["first"], pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["first", "w1"], ["second"], pads=[1, 1, 1, 1]),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, channels, "h", "w"))
        for name, channels in (("image", 3), ("first", 16), ("second", 8))
    ]
    constants = [numpy_helper.from_array(kernel, f"w{number}") for number, kernel in enumerate(kernels)]
    graph = helper.make_graph(nodes, "test", values[:1], values[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


IMAGE = np.random.default_rng(1).standard_normal((1, 3, 90, 70)).astype(np.float32)


def test_outputs_by_name(model):
    network = OnnxNetwork(model)
    assert network.outputs == ("first", "second")
    first, second = network(IMAGE)
    assert (first.shape, second.shape) == ((1, 16, 90, 70), (1, 8, 90, 70))
    np.testing.assert_array_equal(network(IMAGE, "second")[0], second)


def test_the_answer_is_the_same_alone_and_beside_others(model):
    network, other = OnnxNetwork(model, threads=2), OnnxNetwork(model, threads=1)
    alone = network(IMAGE, "second")[0]
    np.testing.assert_array_equal(other(IMAGE, "second")[0], alone)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: network(IMAGE, "second")[0], range(12)):
            np.testing.assert_array_equal(found, alone)


def test_networks_beyond_the_cpus_wait(model, monkeypatch):
    """As many run at once as there are CPUs for, so that neither their threads nor their memory add up."""
    network, running, most = OnnxNetwork(model, threads=1), [], []

    class Session:
        def run(self, *_):
            running.append(1)
            most.append(len(running))
            time.sleep(0.002)
            running.pop()
            return [IMAGE]

    monkeypatch.setattr(network, "_session", Session())
    monkeypatch.setattr(_onnx, "_TURNS", threading.BoundedSemaphore(2))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: network(IMAGE), range(24)))
    assert max(most) == 2


@pytest.mark.parametrize("threads", [-1, True, 1.5])
def test_threads_that_make_no_sense_are_refused(model, threads):
    with pytest.raises(SettingError, match="threads is"):
        OnnxNetwork(model, threads=threads)


def test_the_bytes_that_are_read_are_the_ones_that_are_checked(tmp_path, monkeypatch):
    data = b"weights"
    weight = replace(weights.get("u2netp"), sha256=hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(_table, "WEIGHTS", {"u2netp": weight})
    with weights.using(tmp_path):
        with pytest.raises(WeightError, match=r"not on this machine.*fetch u2netp"):
            weights.read("u2netp")
        (tmp_path / "u2netp.onnx").write_bytes(data)
        assert weights.read("u2netp") == data
        (tmp_path / "u2netp.onnx").write_bytes(data[::-1])
        with pytest.raises(WeightError, match=weight.sha256):
            weights.read("u2netp")


def test_runs_are_counted_where_that_is_asked_for(model):
    before = OnnxNetwork(model, threads=1)
    with weights.counting() as passes:
        network = OnnxNetwork(model, threads=1)
        network(IMAGE)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(copy_context().run, network, IMAGE[:, :, :45]).result()
        before(IMAGE)
    network(IMAGE)
    assert passes.shapes == [(1, 3, 90, 70), (1, 3, 45, 70), (1, 3, 90, 70)]
    per_pixel = 16 * 3 * 9 + 8 * 16 * 9  # of a network that was built within the block
    assert passes.flop == 2 * per_pixel * 70 * (90 + 45)


def test_a_larger_input_begins_with_an_empty_arena(model, monkeypatch):
    """Regions of the arena that are too small for it would stay beside the larger ones."""
    network, released, release = OnnxNetwork(model, threads=1), [], _onnx.release_memory
    monkeypatch.setattr(_onnx, "release_memory", lambda: released.append(1) or release())
    larger = np.zeros((1, 3, 100, 90), np.float32)
    expected = []
    for image, releases in ((IMAGE, 0), (IMAGE, 0), (larger, 1), (IMAGE, 1), (larger, 1), (larger[:, :, :95], 1)):
        network(image)
        expected.append((len(released), releases))
    assert all(found == wanted for found, wanted in expected), expected
    release()  # the end of a job: nothing is there that could be too small
    network(IMAGE)
    assert len(released) == 1
    network(larger)
    assert len(released) == 2
