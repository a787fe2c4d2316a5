"""The guided filter: a map whose edges follow those of an image (He et al., "Guided Image Filtering", ECCV 2010)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def guided_filter(
    guide: NDArray[np.float32], values: NDArray[np.float32], window: tuple[int, int], smoothness: float
) -> NDArray[np.float32]:
    """``values`` (H, W) as a locally linear function of ``guide`` (H, W), its lightness in [0, 1]: (H, W) float32.

    ``window`` is the (width, height) of the neighbourhood in pixels; where the variance of the guide in it is well
    below ``smoothness`` (epsilon of the paper), the values are averaged.
    """

    def mean(layer: NDArray) -> NDArray:
        return cv2.blur(layer, window)

    centre, level = mean(guide), mean(values)
    slope = (mean(guide * values) - centre * level) / (mean(guide * guide) - centre * centre + smoothness)
    return mean(slope) * guide + mean(level - slope * centre)
