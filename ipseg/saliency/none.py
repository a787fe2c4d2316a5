"""No saliency at all: every pixel of the prompt image counts (Table 6, "without")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import ImageArray, LazyFeatures


@dataclass(frozen=True)
class Settings:
    """There is nothing to choose."""


class Everything:
    """Ones, as a :class:`ipseg.core.types.SaliencyMethod`."""

    reads_features = False

    def __call__(self, image: ImageArray, features: LazyFeatures | None = None) -> NDArray[np.float32]:
        """(H, W) float32 of ones."""
        return np.ones(image.shape[:2], dtype=np.float32)


def build(settings: Settings) -> Everything:
    """Make the part; it needs nothing."""
    return Everything()
