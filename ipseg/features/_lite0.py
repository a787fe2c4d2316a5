"""The graph of EfficientNet-Lite0 in ONNX, from the weights as they were published for torch.

EfficientNet (Tan and Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML 2019) in its
Lite form: no squeeze-and-excitation, and ReLU6 after every convolution but the last of a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-3  # of the batch normalisation
OPSET, IR = 13, 8  # understood by every ONNX Runtime since 2021
HEAD = "logits"  # the output of ImageNet's classes


class Block(NamedTuple):
    """One inverted residual block."""

    kernel: int
    stride: int  # of its depthwise convolution
    expansion: int  # of the channels inside it
    before: int  # channels
    after: int
    total: int  # stride of its output, in pixels of the network's input


def _blocks() -> tuple[Block, ...]:
    stages = (  # repeats, kernel, stride of the first, expansion, channels before, channels after
        (1, 3, 1, 1, 32, 16),
        (2, 3, 2, 6, 16, 24),
        (2, 5, 2, 6, 24, 40),
        (3, 3, 2, 6, 40, 80),
        (3, 5, 1, 6, 80, 112),
        (4, 5, 2, 6, 112, 192),
        (1, 3, 1, 6, 192, 320),
    )
    made: list[Block] = []
    total = 2  # the stem's
    for repeats, kernel, stride, expansion, before, after in stages:
        total *= stride
        made.append(Block(kernel, stride, expansion, before, after, total))
        made += [Block(kernel, 1, expansion, after, after, total)] * (repeats - 1)
    return tuple(made)


BLOCKS = _blocks()
"""The sixteen blocks, 0 to 15: 4 has 40 channels at stride 8, 10 has 112 at 16, 14 has 192 and 15 has 320 at 32."""


def output(block: int) -> str:
    """The name of the output of a block."""
    return f"block{block}"


def build(state: Mapping[str, NDArray], blocks: Iterable[int], *, head: bool = False) -> bytes:
    """The serialised ONNX model: ``image`` (1, 3, h, w) float32, (RGB - 127) / 128, to ``block<i>`` (1, C, h', w').

    ``state`` holds the published tensors by name. Batch normalisation is folded into the convolutions. They pad as
    TensorFlow's "same", so an output has ceil(side / stride) cells. Nothing is computed beyond the last block that is
    asked for, unless ``head`` adds the output ``logits`` (1, 1000). Raises KeyError when a tensor is missing.
    """
    graph, wanted = _Graph(state), sorted(set(blocks))
    values = graph.convolution("image", "_conv_stem", "_bn0", stride=2)
    for number, block in enumerate(BLOCKS[: len(BLOCKS) if head else wanted[-1] + 1]):
        values = _block(graph, values, f"_blocks.{number}.", block)
        if number in wanted:
            graph.output(values, output(number), (1, block.after, None, None))
    if head:
        values = graph.convolution(values, "_conv_head", "_bn1")
        pooled = graph.node("Flatten", graph.node("GlobalAveragePool", values))
        logits = graph.node("Gemm", pooled, graph.constant("_fc.weight"), graph.constant("_fc.bias"), transB=1)
        graph.output(logits, HEAD, (1, len(state["_fc.bias"])))
    return graph.model()


class Head(NamedTuple):
    """The layers after the last block: a convolution of single cells, and the classes of ImageNet, in numpy."""

    kernel: NDArray[np.float32]  # (1280, 320), the batch normalisation folded into it
    bias: NDArray[np.float32]  # (1280,)
    classes: NDArray[np.float32]  # (1000, 1280)
    class_bias: NDArray[np.float32]  # (1000,)

    def pooled(self, cells: NDArray[np.float32], shares: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean of cells (h, w, 320) of the last block after the convolution, weighted by (h, w) shares: (1280,)."""
        values = np.clip(cells @ self.kernel.T + self.bias, 0, 6)
        return np.tensordot(shares / shares.sum(), values, axes=2).astype(np.float32)

    def probabilities(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Those of the classes, (1000,), for a pooled vector (1280,)."""
        logits = self.classes @ pooled + self.class_bias
        odds = np.exp(logits - logits.max())
        return (odds / odds.sum()).astype(np.float32)


def head(state: Mapping[str, NDArray]) -> Head:
    """The layers after the last block, of the published tensors. Raises KeyError when one is missing."""
    kernels, bias = _folded(state, "_conv_head", "_bn1")
    classes, class_bias = (np.asarray(state[f"_fc.{part}"], np.float32) for part in ("weight", "bias"))
    return Head(kernels[..., 0, 0].astype(np.float32), bias.astype(np.float32), classes, class_bias)


def _folded(state: Mapping[str, NDArray], name: str, norm: str) -> tuple[NDArray, NDArray]:
    """Kernels and bias of a convolution with the batch normalisation that follows it."""
    mean, variance, gain, shift = (
        state[f"{norm}.{part}"].astype(np.float64) for part in ("running_mean", "running_var", "weight", "bias")
    )
    scale = gain / np.sqrt(variance + EPSILON)
    return state[f"{name}.weight"].astype(np.float64) * scale[:, None, None, None], shift - mean * scale


def _block(graph: _Graph, values: str, name: str, block: Block) -> str:
    inside, channels = values, block.before * block.expansion
    if block.expansion > 1:
        inside = graph.convolution(inside, f"{name}_expand_conv", f"{name}_bn0")
    inside = graph.convolution(inside, f"{name}_depthwise_conv", f"{name}_bn1", stride=block.stride, groups=channels)
    after = graph.convolution(inside, f"{name}_project_conv", f"{name}_bn2", linear=True)
    return graph.node("Add", after, values) if block.stride == 1 and block.before == block.after else after


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self, state: Mapping[str, NDArray]) -> None:
        from onnx import helper, numpy_helper

        self._onnx, self._array, self._state = helper, numpy_helper.from_array, state
        self._nodes: list[Any] = []
        self._constants = [
            self._array(np.array(value, dtype=np.float32), name) for name, value in (("zero", 0), ("six", 6))
        ]
        self._outputs: list[Any] = []
        for name, value in (("zero", 0), ("six", 6)):
            self.constant(name, np.array(value))

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"{kind.lower()}{len(self._nodes)}"
        self._nodes.append(self._onnx.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, name: str, values: NDArray | None = None) -> str:
        values = self._state[name] if values is None else values
        self._constants.append(self._array(np.asarray(values, dtype=np.float32), name))
        return name

    def convolution(
        self, values: str, name: str, norm: str, *, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> str:
        """Convolution, batch normalisation folded into it, and ReLU6 unless it is ``linear``."""
        kernels, bias = _folded(self._state, name, norm)
        made = self.node(
            "Conv",
            values,
            self.constant(f"{name}.weight", kernels),
            self.constant(f"{name}.bias", bias),
            kernel_shape=kernels.shape[2:],
            strides=[stride, stride],
            group=groups,
            auto_pad="SAME_UPPER",
        )
        return made if linear else self.node("Clip", made, "zero", "six")

    def output(self, values: str, name: str, shape: tuple[int | None, ...]) -> None:
        self.node("Identity", values, name=name)
        self._outputs.append(self._onnx.make_tensor_value_info(name, _FLOAT, shape))

    def model(self) -> bytes:
        entry = self._onnx.make_tensor_value_info("image", _FLOAT, (1, 3, "height", "width"))
        graph = self._onnx.make_graph(self._nodes, "EfficientNet-Lite0", [entry], self._outputs, self._constants)
        opset = self._onnx.make_opsetid("", OPSET)
        return self._onnx.make_model(graph, opset_imports=[opset], ir_version=IR).SerializeToString()


_FLOAT = 1  # onnx.TensorProto.FLOAT
