"""What the extractors with a network share: pixels in, cells out, and layers brought to one grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ipseg.core import geometry
from ipseg.core.pixels import IMAGENET_MEAN, IMAGENET_STD, Triple, normalise
from ipseg.core.types import FeatureMap, ImageArray, InputError, SettingError


def check_size(size: int, step: int) -> None:
    """Raise :class:`SettingError` unless ``size`` pixels are a whole number of cells of ``step`` pixels."""
    if isinstance(size, bool) or int(size) != size or size < step or size % step:
        raise SettingError(f"size is {size}; give a multiple of {step} pixels.")


def to_tensor(image: ImageArray, mean: Triple = IMAGENET_MEAN, std: Triple = IMAGENET_STD) -> Tensor:
    """(H, W, 3) uint8 to (1, 3, H, W) float32, as :func:`ipseg.core.pixels.normalise` makes it."""
    return torch.from_numpy(normalise(image, mean, std))


def patch_map(name: str, tokens: Tensor, image: ImageArray) -> FeatureMap:
    """The (cells * cells, C) tokens of a letterboxed square as features of ``image``, float32."""
    cells = round(len(tokens) ** 0.5)
    return square_map(name, tokens.reshape(cells, cells, -1), image)


def square_map(name: str, values: Tensor, image: ImageArray) -> FeatureMap:
    """(cells, cells, C) of a letterboxed square as features of ``image``, float32.

    Raises :class:`InputError` when a value left the range of half precision.
    """
    values = values.float()
    if not torch.isfinite(values).all():
        raise InputError(f"{name} overflowed in half precision; choose the dtype bfloat16 or float32.")
    return FeatureMap(name, values, geometry.letterbox_frame(image.shape[:2], len(values)))


def onto_image(layers: Sequence[FeatureMap], cells: int) -> tuple[FeatureMap, ...]:
    """Every layer on the same ``cells`` x ``cells`` grid over exactly the image, nearest: none is smoothed."""
    return tuple(_onto_image(layer, (cells, cells)) for layer in layers)


def _onto_image(layer: FeatureMap, grid: tuple[int, int]) -> FeatureMap:
    target = geometry.squash_frame(layer.frame.image_size, grid)
    if layer.frame.box != target.box:
        return FeatureMap(layer.name, geometry.crop_to_image(layer.values, layer.frame, grid), target)
    rows, columns = (_nearest(n, wanted) for n, wanted in zip(layer.frame.grid, grid, strict=True))
    return FeatureMap(layer.name, layer.values[rows][:, columns], target)


def _nearest(cells: int, wanted: int) -> NDArray[np.intp]:
    return np.arange(wanted) * cells // wanted
