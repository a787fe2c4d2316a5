"""Matcher's own steps: patches matched in both directions, and how well a mask agrees with the matches.

Pure functions of arrays. Features are (n, C) of unit length, one row a cell; a grid of cells is read row by row.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MANY = 40  # with more matches than this, only the better half remains
LITTLE = 1e-6  # added to purity and coverage, so that neither is ever nothing


@dataclass(frozen=True)
class Matches:
    """The cells of the target that match the object, and how far each of them is from each cell of the object."""

    cells: NDArray[np.intp]  # (k,) flat indices of target cells in reading order, none twice
    cost: NDArray[np.float32]  # (cells of the object, cells of the target) in [0, 1]: (1 - cosine) / 2


def match(reference: NDArray[np.float32], inside: NDArray[np.bool_], target: NDArray[np.float32]) -> Matches:
    """Bidirectional patch matching (Liu et al., section 3.1).

    ``reference`` (n, C) and ``target`` (m, C); ``inside`` (n,) marks the reference cells of the object, at least one.
    Each cell of the object is assigned its own target cell, for the largest total similarity (Hungarian assignment);
    those target cells are assigned back among all reference cells, and a match that does not come back into the object
    is dropped, unless all would be.
    """
    from scipy.optimize import linear_sum_assignment  # here, as the import takes a fifth of a second

    similarities = reference @ target.T
    forward = similarities[inside]
    rows, columns = linear_sum_assignment(forward, maximize=True)
    back = linear_sum_assignment(similarities.T[columns], maximize=True)[1]
    valid = inside[back]
    if valid.any():
        rows, columns = rows[valid], columns[valid]
    if len(columns) > MANY:
        order = np.argsort(-forward[rows, columns], kind="stable")
        columns = columns[order[: len(columns) // 2]]
    return Matches(np.unique(columns), (1 - forward) / np.float32(2))


def cells_of(mask: NDArray[np.bool_], grid: tuple[int, int]) -> NDArray[np.bool_]:
    """The cells that a mask (h, w), which spans the grid, touches: (rows * columns,) bool. All, for an empty mask."""
    touched = np.asarray(cv2.resize(mask.astype(np.float32), grid[::-1], interpolation=cv2.INTER_AREA)).ravel() > 0
    return touched if touched.any() else np.ones_like(touched)


def purity_and_coverage(mask: NDArray[np.bool_], cells: NDArray[np.bool_], points: NDArray) -> tuple[float, float]:
    """How densely matched points fill a mask, and how many of them it holds.

    ``points`` (k, 2) of (x, y) in the pixels of ``mask``. Purity: points inside per cell that the mask touches.
    Coverage: points inside per point.
    """
    height, width = mask.shape
    x, y = np.clip(np.floor(points).astype(np.intp), 0, (width - 1, height - 1)).T
    held = float(mask[y, x].sum())
    return held / max(float(cells.sum()), 1.0) + LITTLE, held / len(points) + LITTLE


def emd_score(cost: NDArray[np.float32], cells: NDArray[np.bool_]) -> float:
    """1 - the earth mover's distance from the object's cells to the mask's, both with uniform weights; in [0, 1]."""
    chosen = np.ascontiguousarray(cost[:, cells], dtype=np.float64)
    weights = [np.full(n, 1 / n) for n in chosen.shape]
    return 1 - float(_optimal_transport().emd2(*weights, chosen, numItermax=1_000_000))


def box_around(points: NDArray) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of (k, 2) points."""
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


@functools.cache
def _optimal_transport() -> Any:
    """POT without the frameworks that it imports where they are installed: torch alone takes 500 MB and seconds.

    What is imported already stays available to it.
    """
    switches = {"POT_BACKEND_DISABLE_PYTORCH": "torch", "POT_BACKEND_DISABLE_JAX": "jax"}
    switches |= {"POT_BACKEND_DISABLE_CUPY": "cupy", "POT_BACKEND_DISABLE_TENSORFLOW": "tensorflow"}
    chosen = [name for name, module in switches.items() if module not in sys.modules and name not in os.environ]
    os.environ.update(dict.fromkeys(chosen, "1"))
    try:
        return importlib.import_module("ot")
    finally:
        for name in chosen:
            del os.environ[name]
