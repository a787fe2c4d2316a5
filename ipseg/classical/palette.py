"""The colours of an object as a smoothed histogram, and how they compare with those of its surroundings."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ipseg.classical.regions import to_lab
from ipseg.core import geometry
from ipseg.core.types import Frame, ImageArray

Histogram = NDArray[np.float32]
"""(BINS,) float32: the shares of the bins, which sum to 1."""

CELLS = 120  # along the longer side of an image, each with its mean colour
WIDTH = 8.0  # of a bin, in the units of Lab
GRID = (13, 32, 32)  # bins of L from 0, of a and of b from -128
BINS = 13 * 32 * 32
SMOOTH = 1.0  # standard deviation of the smoothing, in bins
FEWEST = 20  # cells


def of_image(image: ImageArray) -> tuple[NDArray[np.float32], Frame]:
    """The mean colours of the cells of an image: (rows, columns, 3) float32 CIE Lab, and the frame of the cells."""
    frame = geometry.aspect_frame(image.shape[:2], CELLS)
    how = cv2.INTER_AREA if max(image.shape[:2]) >= CELLS else cv2.INTER_LINEAR
    return to_lab(cv2.resize(image, frame.grid[::-1], interpolation=how)), frame


def bins(lab: NDArray[np.float32]) -> NDArray[np.intp]:
    """The numbers, from 0, of the bins of (..., 3) colours: (...)."""
    places = np.floor((lab + np.array((0, 128, 128), np.float32)) / WIDTH).astype(np.intp)
    places = np.clip(places, 0, np.array(GRID) - 1)
    return np.ravel_multi_index(tuple(np.moveaxis(places, -1, 0)), GRID)


def histogram(lab: NDArray[np.float32]) -> Histogram:
    """How frequent each bin is among (n, 3) colours, smoothed; all 0 without a colour."""
    counts = np.bincount(bins(lab.reshape(-1, 3)), minlength=BINS).reshape(GRID).astype(np.float32)
    smooth = gaussian_filter(counts, SMOOTH, mode="nearest")
    return (smooth / max(float(smooth.sum()), 1e-9)).ravel()


def inside_and_beyond(
    lab: NDArray[np.float32], cells: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The colours of an object and of what lies beyond it: (n, 3) and (m, 3).

    ``cells`` (rows, columns): the object's. Cells at its outline, where colours mix, are left out of both, unless fewer
    than ``FEWEST`` are left.
    """
    object_cells = cells.astype(np.uint8)
    inside = cv2.erode(object_cells, np.ones((3, 3), np.uint8)) > 0
    beyond = cv2.dilate(object_cells, np.ones((5, 5), np.uint8)) == 0
    return _enough(inside, cells, lab), _enough(beyond, ~cells, lab)


def together(views: Sequence[NDArray[np.float32]]) -> Histogram:
    """The histogram of the colours of several images, each (n, 3)."""
    return histogram(np.concatenate(views))


def _enough(strict: NDArray[np.bool_], loose: NDArray[np.bool_], lab: NDArray[np.float32]) -> NDArray[np.float32]:
    return lab[strict if strict.sum() >= FEWEST else loose]
