"""Step 2: how alike each cell of the input is to the prompt (section 3.4, Eq. 6).

S = F_IP (x) F_I
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ipseg.types import Array, FeatureMap


def cosine(vector: Array, values: Array) -> Array:
    """Cosine of a (C,) vector with every cell of (rows, columns, C) features: (rows, columns) in [-1, 1].

    A zero vector or a zero cell has the cosine 0.
    """
    lengths = ((values * values).sum(-1) * (vector * vector).sum()) ** 0.5
    return values @ vector / (lengths + (lengths == 0))


def fuse(
    vectors: Mapping[str, Array], features: Sequence[FeatureMap], weights: Mapping[str, float]
) -> NDArray[np.float32]:
    """Eq. 6 over several layers: the weighted sum of their cosines, (rows, columns) float32 numpy.

    A layer without a weight takes no part. The layers that do must share one grid.
    """
    used = [layer for layer in features if weights.get(layer.name)]
    if not used:
        raise ValueError(f"expected a weight for one of {[layer.name for layer in features]}, got {dict(weights)}")
    total = sum(weights[layer.name] * cosine(vectors[layer.name], layer.values) for layer in used)
    return to_numpy(total)


def to_numpy(values: Array) -> NDArray[np.float32]:
    """An array or a tensor on any device as float32 numpy: the border where frameworks end."""
    if hasattr(values, "detach"):
        values = values.detach().float().cpu().numpy()
    return np.asarray(values, dtype=np.float32)
