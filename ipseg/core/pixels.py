"""Pixels as networks take them: normalised by the mean and the standard deviation of a training set."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import ImageArray

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)
"""Of the RGB values of ImageNet, in [0, 1]."""


def normalise(
    image: ImageArray, mean: Triple = IMAGENET_MEAN, std: Triple = IMAGENET_STD, *, white: int = 255
) -> NDArray[np.float32]:
    """(H, W, 3) uint8 as shares of ``white``, less ``mean``, over ``std``: (1, 3, H, W) float32, contiguous."""
    values = image.transpose(2, 0, 1)[None].astype(np.float32, order="C")
    shift, scale = (np.array(three, dtype=np.float32)[:, None, None] for three in (mean, std))
    values /= np.float32(white)
    values -= shift
    values /= scale
    return values


def denormalise(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of :func:`normalise` with ImageNet's numbers: (3, H, W) to (H, W, 3) float32, 1 for white."""
    return values.transpose(1, 2, 0) * np.array(IMAGENET_STD, np.float32) + np.array(IMAGENET_MEAN, np.float32)
