"""Step 5: is the object there at all? The paper does not ask; who searches a thousand images must know."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.types import FeatureMap, Mask, Prompt
from ipseg.method.similarity import to_numpy

SAMPLE = 256  # cells of each side that are compared, at most


def score(prompt: Prompt, features: Sequence[FeatureMap], mask: Mask, negative_prompt: Prompt | None = None) -> float:
    """How well the prompt explains what is inside the mask, in [0, 1].

    Each cell of the mask looks for the cell of the prompt's object that is most like it; the score is the mean of the
    squares of these best cosines (negative ones count 0). ``features`` are the input image's, of which the first
    layer is compared; ``mask`` is (H, W) bool in its pixels. What ``negative_prompt``, a negative prompt, explains of
    a cell is taken from what it counts. An empty mask scores 0.
    """
    share = geometry.to_cells(mask, features[0].frame)
    if not share.any():
        return 0.0
    inside = look(features[0], share >= min(0.5, float(share.max())))
    value = _likeness(inside, prompt)
    if negative_prompt is not None:
        value = np.maximum(value - _likeness(inside, negative_prompt), 0)
    return float(np.clip(np.mean(value), 0, 1))


def _likeness(cells: NDArray[np.float32], prompt: Prompt) -> NDArray[np.float32]:
    """The square of the best cosine of each of (n, C) unit vectors with what the prompt shows, or 0: (n,)."""
    best = np.max([(cells @ view.look.T).max(axis=1) for view in prompt.views], axis=0)
    return np.maximum(best, 0) ** 2


def look(layer: FeatureMap, cells: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Features of at most ``SAMPLE`` of ``cells`` (rows, columns), evenly spread, of unit length: (n, C) float32."""
    rows, columns = np.nonzero(cells)
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).round().astype(np.intp))
    values = to_numpy(layer.values[rows[chosen], columns[chosen]])
    return values / (np.linalg.norm(values, axis=1, keepdims=True) + 1e-12)
