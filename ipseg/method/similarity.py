"""Step 2: the similarity of each cell of the input to the prompt (section 3.4, Eq. 6), from which scorers are made.

S = F_IP (x) F_I
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.types import Array, FeatureMap
from ipseg.core.vectors import to_numpy


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


def log_ratio(
    target: NDArray[np.float32],
    backgrounds: Sequence[tuple[float, NDArray[np.float32]]],
    typical: float,
    *,
    clip: float = 3.0,
) -> NDArray[np.float32]:
    """How much more likely each cell is under the object than under the backgrounds: (rows, columns) float32 log ratio.

    ``target`` and the maps of ``backgrounds``, each with its share, are products of cells with prototypes, for
    features whose product is a density (a kernel mean embedding). ``typical`` is the product of the object with
    itself: half of it, with the share that the backgrounds leave of 1, stands for an unseen background; a fiftieth is
    the floor. The result levels off towards +-``clip``.
    """
    floor, unseen = 0.02 * typical, 0.5 * typical
    background = np.full_like(target, (1 - sum(share for share, _ in backgrounds)) * unseen)
    for share, values in backgrounds:
        background += share * np.maximum(values, 0)
    ratio = np.log((np.maximum(target, 0) + floor) / (background + floor))
    return (clip * np.tanh(ratio / clip)).astype(np.float32)  # smooth, so that few cells tie


def log_odds(probability: NDArray) -> NDArray[np.float32]:
    """A foreground probability as log odds, clipped to 0.05 and 0.95 first: none of it is certain."""
    clipped = np.clip(probability, 0.05, 0.95)
    return np.log(clipped / (1 - clipped)).astype(np.float32)


def lowered(values: NDArray[np.float32], excess: NDArray[np.float32], weight: float) -> NDArray[np.float32]:
    """``values`` less ``weight`` times ``excess`` where it is positive: where a negative prompt explains better.

    Where the negative prompt is the worse explanation nothing changes, so one that shows something else does no harm.
    """
    return (values - weight * np.maximum(excess, 0)).astype(np.float32)


def best_of_groups(
    rows: NDArray[np.float32], groups: Sequence[NDArray[np.float32]], neighbours: int
) -> NDArray[np.float32]:
    """The mean of the ``neighbours`` best products of each row with the rows of each group: (groups, rows) float32.

    ``rows`` (m, C) and each group (n, C), with at least one row, of unit length; of a group with fewer rows all count.
    It is one matrix product, however many groups there are.
    """
    products = rows @ np.concatenate(groups).T
    ends = np.cumsum([len(group) for group in groups])[:-1]
    best = [
        np.partition(each, -min(neighbours, each.shape[1]), axis=1)[:, -min(neighbours, each.shape[1]) :].mean(axis=1)
        for each in np.split(products, ends, axis=1)
    ]
    return np.array(best, dtype=np.float32)


def of_masks(
    vector: Array, layer: FeatureMap, masks: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Eq. 5 and 6 once more, for whole masks: the cosine of ``vector`` with the prototype of each inside and outside.

    ``masks`` is (n, h, w), over the image, at any resolution; the frame of ``layer`` must span the image. Returns
    two (n,) float32 arrays in [-1, 1]; an empty side has the cosine 0.
    """
    rows, columns = layer.frame.grid
    share = geometry.to_cells(masks, geometry.squash_frame(masks.shape[1:], (rows, columns))).reshape(len(masks), -1)
    rest = np.maximum(1 - share - 1e-6, 0)  # so that what is left by rounding is nothing
    cells = to_numpy(layer.values).reshape(rows * columns, -1)
    inside, outside = (to_numpy(cosine(to_numpy(vector), side @ cells)) for side in (share, rest))
    return inside, outside
