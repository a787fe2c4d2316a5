"""The rewritten graph: the values of the original, from any size, and nothing that is not read."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ipseg import weights
from ipseg.saliency._u2net_graph import of_any_size

SIDE = 64


def enlargement(data: str, like: str, made: str, mode: str = "linear") -> list:
    """Nodes that bring ``data`` to the size of ``like``, as PyTorch exports them."""
    resize = {"mode": mode, "coordinate_transformation_mode": "pytorch_half_pixel", "nearest_mode": "floor"}
    return [
        helper.make_node("Shape", [data], [f"{made} shape"]),
        helper.make_node("Slice", [f"{made} shape", "start", "end"], [f"{made} channels"]),
        helper.make_node("Shape", [like], [f"{made} target"]),
        helper.make_node("Slice", [f"{made} target", "end", "after"], [f"{made} size"]),
        helper.make_node("Concat", [f"{made} channels", f"{made} size"], [f"{made} sizes"], axis=0),
        helper.make_node("Resize", [data, "none", "none", f"{made} sizes"], [made], **resize),
    ]


def network(mode: str = "linear") -> bytes:
    """A convolution, two halvings, and both enlarged and joined; the second output is the one of the depths."""
    rng = np.random.default_rng(0)
    kernels = {"first": (8, 3, 3, 3), "second": (8, 8, 3, 3), "last": (1, 16, 1, 1)}
    constants = [numpy_helper.from_array(rng.normal(0, 0.3, s).astype(np.float32), n) for n, s in kernels.items()]
    numbers = {"start": [0], "end": [2], "after": [4]}
    constants += [numpy_helper.from_array(np.array(value, np.int64), name) for name, value in numbers.items()]
    constants.append(numpy_helper.from_array(np.empty(0, np.float32), "none"))
    nodes = [
        helper.make_node("Conv", ["image", "first"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["c1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        helper.make_node("Conv", ["p1", "second"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("MaxPool", ["c2"], ["p2"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        *enlargement("p2", "p1", "up2", mode),
        helper.make_node("Add", ["up2", "c2"], ["sum"]),
        *enlargement("sum", "c1", "up1", mode),
        helper.make_node("Concat", ["c1", "up1"], ["joined"], axis=1),
        helper.make_node("Conv", ["joined", "last"], ["found"]),
        helper.make_node("Sigmoid", ["found"], ["d0"]),
        helper.make_node("Sigmoid", ["p2"], ["d1"]),
    ]
    entry = helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, SIDE, SIDE))
    outputs = [
        helper.make_tensor_value_info("d0", TensorProto.FLOAT, (1, 1, SIDE, SIDE)),
        helper.make_tensor_value_info("d1", TensorProto.FLOAT, (1, 8, SIDE // 4, SIDE // 4)),
    ]
    graph = helper.make_graph(nodes, "test", [entry], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()


def kinds(model: bytes) -> list[str]:
    return [node.op_type for node in onnx.load_from_string(model).graph.node]


def test_the_same_values_and_nothing_that_is_not_read():
    original, made = network(), of_any_size(network())
    image = np.random.default_rng(1).standard_normal((1, 3, SIDE, SIDE)).astype(np.float32)
    before, after = weights.OnnxNetwork(original, threads=1), weights.OnnxNetwork(made, threads=1)
    np.testing.assert_allclose(after(image)[0], before(image)[0], atol=1e-5)
    assert after.outputs == ("d0",)
    assert kinds(made).count("Resize") == 2
    assert kinds(made).count("Sigmoid") == 1  # not that of the second output
    assert not {"Shape", "Slice"} & set(kinds(made))
    assert after(image[:, :, :32, :48])[0].shape == (1, 1, 32, 48)


def test_an_enlargement_that_is_not_bilinear_stays():
    made = of_any_size(network("nearest"))
    assert kinds(made).count("Shape") == 4
    image = np.random.default_rng(2).standard_normal((1, 3, SIDE, SIDE)).astype(np.float32)
    before, after = (weights.OnnxNetwork(each, threads=1) for each in (network("nearest"), made))
    np.testing.assert_array_equal(after(image)[0], before(image)[0])


@pytest.mark.parametrize("side", [224, 320])
def test_the_published_network(side):
    """Needs the weights: `make test` fetches them."""
    original = onnx.load_from_string(weights.read("u2netp"))
    made = of_any_size(weights.read("u2netp"))
    assert set(kinds(made)) == {"Add", "Concat", "Conv", "MaxPool", "Relu", "Resize", "Sigmoid"}
    image = np.random.default_rng(3).standard_normal((1, 3, side, side)).astype(np.float32)
    (found,) = weights.OnnxNetwork(made)(image)
    np.testing.assert_allclose(found, _first_output(original, image), atol=1e-4)


def _first_output(model, image):
    """What the published graph makes of an image of another size: its operators ask for sizes as they run."""
    for value in (*model.graph.input, *model.graph.output):
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if axis >= 2:
                dimension.dim_param = f"{value.name}_{axis}"
    network = weights.OnnxNetwork(model.SerializeToString())
    return network(image, network.outputs[0])[0]
