"""The ONNX graph of U2-Net-p, rewritten: the same values from any input side, and without work that nobody reads.

As published, the graph takes one size and has seven outputs, and each enlargement computes its size from the shapes of
two values. ONNX Runtime computes every output, and an enlargement whose scale it does not know keeps it from leaving
values in the layout of its convolutions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def of_any_size(model: bytes) -> bytes:
    """The ONNX model with its first output alone, of an input whose sides are multiples of the network's stride.

    An enlargement to the size of another value gets that scale as a constant: sides that are multiples of the largest
    stride, 32 of U2-Net-p, are halved without a remainder. One whose scale the graph does not show stays as it is.
    """
    import onnx

    made = onnx.load_from_string(model)
    del made.graph.output[1:]
    _scale_by_constants(made.graph)
    _without_unread(made.graph)
    for value in (*made.graph.input, *made.graph.output):
        for axis, dimension in enumerate(value.type.tensor_type.shape.dim):
            if axis >= 2:
                dimension.dim_param = f"{value.name}_{axis}"
    return made.SerializeToString()


def _scale_by_constants(graph: Any) -> None:
    """Give each bilinear Resize to the size of another value the ratio of their strides as its scale."""
    from onnx import numpy_helper

    makers = {name: node for node in graph.node for name in node.output}
    strides = {value.name: 1.0 for value in graph.input}
    scales: dict[str, Any] = {}
    for node in graph.node:
        data = node.input[0] if node.input else ""
        if node.op_type == "Resize" and len(node.input) == 4 and _attribute(node, "mode") == b"linear":
            targets = {name for name in _shapes_read(node.input[3], makers) if name != data}
            ratios = {strides.get(data, np.nan) / strides.get(name, np.nan) for name in targets}
            if len(ratios) == 1 and (scale := ratios.pop()) >= 1:
                strides[node.output[0]] = strides[data] / scale
                _set_scale(node, data, scales.setdefault(f"scale_{scale:g}", np.array([1, 1, scale, scale])))
        elif data in strides and node.op_type in _KEEP_SIZE:
            steps = _attribute(node, "strides") or (1,)
            strides[node.output[0]] = strides[data] * steps[0]
    scales |= {"roi": np.empty(0)} if scales else {}
    graph.initializer.extend(numpy_helper.from_array(value.astype(np.float32), name) for name, value in scales.items())


_KEEP_SIZE = ("Add", "Concat", "Conv", "MaxPool", "Relu", "Sigmoid")  # of their first input, but for "strides"


def _set_scale(node: Any, data: str, scale: Any) -> None:
    del node.input[:]
    node.input.extend([data, "roi", f"scale_{scale[-1]:g}"])
    for attribute in node.attribute:
        if attribute.name == "coordinate_transformation_mode" and attribute.s == b"pytorch_half_pixel":
            attribute.s = b"half_pixel"  # which differs where a side has one pixel, and has a faster kernel


def _shapes_read(name: str, makers: dict[str, Any]) -> Iterator[str]:
    """The values from whose shapes a value is computed."""
    node = makers.get(name)
    if node is not None and node.op_type == "Shape":
        yield node.input[0]
    elif node is not None:
        for each in node.input:
            yield from _shapes_read(each, makers)


def _attribute(node: Any, name: str) -> Any:
    from onnx import helper

    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), None)


def _without_unread(graph: Any) -> None:
    """Remove nodes from which no output of the graph is computed."""
    read, left = {value.name for value in graph.output}, []
    for node in reversed(graph.node):
        if read.intersection(node.output):
            left.append(node)
            read.update(node.input)
    del graph.node[:]
    graph.node.extend(reversed(left))
