"""Step 3: similarity becomes a handful of positive and negative points (section 3.4, Eq. 6).

P_coord = TopK(S), then k-means on the coordinates
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.threads import one_thread
from ipseg.core.types import Points, SettingError, Similarity

MAX_K, MAX_CLUSTERS = 256, 32


def check(k: int, clusters: int) -> None:
    """Raise :class:`SettingError` unless 1 <= K <= 256 and 1 <= c <= 32 and c <= K."""
    if not _whole(k, MAX_K):
        raise SettingError(f"K is {k}; give a whole number from 1 to {MAX_K}.")
    if not _whole(clusters, MAX_CLUSTERS):
        raise SettingError(f"c is {clusters}; give a whole number from 1 to {MAX_CLUSTERS}.")
    if clusters > k:
        raise SettingError(f"c is {clusters} but K is {k}; give at most K clusters.")


def check_inside(clicks: Points | None, size: tuple[int, int]) -> None:
    """Raise :class:`SettingError` where a click, (x, y) in pixels, is not on an image of ``size`` (height, width)."""
    for x, y in np.concatenate([clicks.positive, clicks.negative]) if clicks is not None else ():
        if not (0 <= x <= size[1] and 0 <= y <= size[0]):
            raise SettingError(f"There is a click at ({x:g}, {y:g}); the image is {size[1]} x {size[0]} pixels large.")


def choose(similarity: Similarity, *, k: int = 32, clusters: int = 4, seed: int = 0) -> Points:
    """The K most and the K least similar cells, each gathered into at most ``clusters`` points (K = 32, c = 4).

    Only cells on the image take part. With fewer than 2 K of them the two sets are cut to half each, so that no cell
    is both; a constant similarity gives no points. Ties go to the cell that comes first in
    reading order. Fewer distinct cells than ``clusters`` give one point each.

    ``k`` and ``clusters`` are such as :func:`check` lets pass. Returns points in image pixels, each set sorted by
    (y, x).
    """
    most, least = extremes(similarity, k)
    return Points(*(_to_points(cells, similarity, clusters, seed) for cells in (most, least)))


def extremes(similarity: Similarity, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """TopK of Eq. 6 and its opposite: two (n, 2) arrays of (column, row), n = K or less."""
    cells = np.flatnonzero(similarity.inside)
    values = similarity.values.ravel()[cells]
    if len(cells) < 2 or np.ptp(values) <= 1e-6 * max(1.0, np.abs(values).max()):
        return np.empty((0, 2)), np.empty((0, 2))
    n = min(k, len(cells) // 2)
    order = np.argsort(-values, kind="stable")
    rest = np.sort(order[n:])  # so that no cell is on both sides
    lowest = rest[np.argsort(values[rest], kind="stable")]
    columns = similarity.frame.grid[1]
    chosen = (cells[order[:n]], cells[lowest[:n]])
    most, least = (np.stack([each % columns, each // columns], axis=1) for each in chosen)
    return most.astype(np.float64), least.astype(np.float64)


def cluster(coordinates: NDArray, clusters: int, seed: int) -> NDArray[np.float64]:
    """Centres of ``clusters`` k-means clusters of (n, 2) coordinates, sorted by (y, x)."""
    from sklearn.cluster import KMeans  # here, as its import takes a second

    distinct = np.unique(coordinates, axis=0)
    if len(distinct) <= clusters:
        centres = distinct
    else:
        with one_thread():
            centres = KMeans(clusters, n_init=4, random_state=seed).fit(coordinates).cluster_centers_
    return centres[np.lexsort((centres[:, 0], centres[:, 1]))]


def _whole(value: object, top: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and 1 <= int(value) <= top


def _to_points(cells: NDArray, similarity: Similarity, clusters: int, seed: int) -> NDArray[np.float32]:
    return geometry.cells_to_image(cluster(cells, clusters, seed), similarity.frame)
