"""Feature vectors, arrays and tensors alike: scaled to unit length, and brought to numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import Array


def unit(values: Array) -> Array:
    """Vectors along the last axis scaled to unit length; zero ones stay. Shape and dtype are those of ``values``."""
    lengths = (values * values).sum(-1) ** 0.5
    return values / (lengths + (lengths == 0))[..., None]


def to_numpy(values: Array) -> NDArray[np.float32]:
    """An array or a tensor on any device, of any float dtype, as a float32 numpy array of the same shape."""
    if hasattr(values, "detach"):
        values = values.detach().float().cpu().numpy()
    return np.asarray(values, dtype=np.float32)


def spread(rows: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """At most ``most`` of (n, C) rows, evenly spread over them."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.intp)] if len(rows) else rows
