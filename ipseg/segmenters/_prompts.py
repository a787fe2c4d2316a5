"""What the promptable networks share: prompts as arrays, and the answer when nothing was asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import Candidates, Points

NEVER = -32.0  # a logit that no later pass reads as anything but "not here"


def labelled(points: Points) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All points as (n, 2) float64 (x, y), positive ones first, and their labels (n,) int64, 1 or 0."""
    xy = np.concatenate([points.positive, points.negative]).astype(np.float64)
    return xy, np.repeat([1, 0], [len(points.positive), len(points.negative)])


def nothing(size: tuple[int, int], grid: tuple[int, int], *, several: bool) -> Candidates:
    """Empty masks of ``size`` (height, width) with the score 0, for prompts that point at nothing."""
    n = 3 if several else 1
    logits = np.full((n, *grid), NEVER, dtype=np.float32)
    return Candidates(np.zeros((n, *size), dtype=bool), np.zeros(n, dtype=np.float32), logits)
