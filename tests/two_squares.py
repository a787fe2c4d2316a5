"""An image of two squares, and masks of rectangles in it."""

from __future__ import annotations

import numpy as np

SIZE = (90, 160)  # height and width in pixels


def image() -> np.ndarray:
    """A red square on the left and a blue one on the right, on noisy grey: (90, 160, 3) uint8."""
    made = np.random.default_rng(0).integers(90, 130, (*SIZE, 3), dtype=np.uint8)
    made[20:70, 15:65] = (200, 30, 40)
    made[20:70, 95:145] = (40, 60, 210)
    return made


def square(left: int, right: int, top: int = 20, bottom: int = 70) -> np.ndarray:
    """The mask of a rectangle, right and bottom outside, by default as high as the squares: (90, 160) bool."""
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask
