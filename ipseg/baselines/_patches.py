"""Where Matcher's cells come from: DINOv2-L on the squashed image, or the engine's own first layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg.baselines import _networks
from ipseg.core import geometry, plugins
from ipseg.core.types import FeatureMap, Frame, Mask
from ipseg.core.vectors import to_numpy, unit
from ipseg.method.encodings import Named
from ipseg.method.pipeline import IPSeg

WEIGHTS, SIZE = "dinov2_large", 518  # Matcher's feature extractor, and the pixels along a side of its square input
PATCH = 14  # pixels of that square along a side of a cell
CELLS = 37  # cells along the longer side of the engine's own features, at most: as many as Matcher has


@dataclass(frozen=True)
class Patches:
    """The cells of an image."""

    values: NDArray[np.float32]  # (rows * columns, C), each of unit length
    frame: Frame  # exactly over the image
    patch: int = 1  # pixels of a cell's side on the square on which the mask is laid; 1: no such square


Source = Callable[[Named], Patches]


def of_dinov2(engine: IPSeg) -> Source:
    """DINOv2 ViT-L/14's cells of the squashed image, cached by the engine; the network is read on first use.

    Raises :class:`~ipseg.weights.WeightError` when its weights are missing.
    """
    encodings = engine.encodings

    def read():
        model = WEIGHTS.removeprefix("dinov2_")
        return plugins.build("features", "dinov2", model=model, size=SIZE, placement=engine.info.placement)

    network = _networks.lazily(engine, WEIGHTS, read)

    def compute(image: Named) -> Patches:
        (layer,) = network()(geometry.squash(image.pixels, (SIZE, SIZE), Image.Resampling.BILINEAR))
        frame = geometry.squash_frame(image.pixels.shape[:2], layer.frame.grid)
        return Patches(_rows(to_numpy(layer.values)), frame, PATCH)

    return lambda image: encodings.compute_once(f"{WEIGHTS} {SIZE}", image, lambda: compute(image))


def of_engine(engine: IPSeg) -> Source:
    """The engine's own first layer, over exactly the image, at most :data:`CELLS` cells along the longer side."""
    return lambda image: _laid(engine.encodings.features(image)[0])


def inside(mask: Mask, patches: Patches) -> NDArray[np.bool_]:
    """The cells that are the object: (rows * columns,) bool, at least one.

    A cell with any pixel of the mask counts. As released, the mask is first laid on the square of which the cells are
    made, nearest; where an object is so small that it falls through, and without such a square, it is taken as it is.
    """
    rows, columns = patches.frame.grid
    if patches.patch > 1:
        square = geometry.squash_frame(mask.shape, (rows * patches.patch, columns * patches.patch))
        fine = geometry.sample_cells(mask, square) > 0
        chosen = fine.reshape(rows, patches.patch, columns, patches.patch).any(axis=(1, 3))
        if chosen.any():
            return chosen.ravel()
    return geometry.to_cells(mask, patches.frame).ravel() > 1e-6


def centres(cells: NDArray[np.intp], frame: Frame) -> NDArray[np.float32]:
    """Centres of cells given by flat index: (k, 2) of (x, y) in image pixels."""
    rows, columns = np.divmod(cells, frame.grid[1])
    return geometry.cells_to_image(np.stack([columns, rows], axis=1), frame)


def _laid(layer: FeatureMap) -> Patches:
    height, width = layer.frame.image_size
    longest = round(max(height / layer.frame.cell[1], width / layer.frame.cell[0]))
    frame = geometry.aspect_frame((height, width), min(CELLS, longest))
    here = geometry.image_to_cells(centres(np.arange(frame.grid[0] * frame.grid[1]), frame), layer.frame)
    columns, rows = np.clip(np.rint(here).astype(np.intp), 0, np.array(layer.frame.grid[::-1]) - 1).T
    return Patches(_rows(to_numpy(layer.values)[rows, columns]), frame)


def _rows(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., C) cells as rows of unit length in reading order: (n, C)."""
    return unit(values.reshape(-1, values.shape[-1]))
