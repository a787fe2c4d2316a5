"""Texture as four numbers for each pixel. Shared by the parts of the offline engine."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def texture_energy(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Local standard deviations of a Lab image on a logarithmic scale, in about the units of Lab: (h, w, 4) float32.

    Lightness at two scales (1.5 and 4 pixels), then both colour axes (3 pixels).
    """
    scales = ((0, 1.5), (0, 4.0), (1, 3.0), (2, 3.0))
    spreads = [_spread(np.ascontiguousarray(lab[..., channel]), sigma) for channel, sigma in scales]
    return np.dstack([10 * np.log2(1 + spread / 2) for spread in spreads])


def _spread(channel: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    mean = cv2.GaussianBlur(channel, (0, 0), sigma)
    return np.sqrt(np.maximum(cv2.GaussianBlur(channel * channel, (0, 0), sigma) - mean * mean, 0))
