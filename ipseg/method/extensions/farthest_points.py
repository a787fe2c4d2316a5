"""Points by similarity-weighted farthest-point sampling, after REBASE (arXiv 2607.09082), in place of TopK and k-means.

Positive points come from the cells whose similarity is at least its mean plus half its standard deviation, the first of
them the most similar; each further one maximises alpha d + (1 - alpha) s, where d is its distance to the nearest chosen
point over the largest such distance, and s its similarity, scaled to [0, 1] over those cells. Negative points come
from the negated similarity in the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.types import Points, SettingError, Similarity
from ipseg.method.extensions._scorer import extended
from ipseg.method.pipeline import IPSeg


@dataclass(frozen=True)
class Settings:
    """The numbers of REBASE."""

    points: int = 8  # of each kind, at most
    alpha: float = 0.5  # weight of the distance, in [0, 1]; the rest is that of the similarity
    deviations: float = 0.5  # cells at least so many standard deviations above the mean take part

    def __post_init__(self) -> None:
        if self.points < 1 or not 0 <= self.alpha <= 1:
            raise SettingError(f"There are {self.points} points with alpha {self.alpha:g}; give 1 or more, and 0 to 1.")


def build(settings: Settings) -> Callable[[IPSeg], IPSeg]:
    """The extension; K and c of the method have no effect then."""
    return lambda engine: extended(
        engine, "farthest_points", settings, choose_points=partial(choose, settings=settings)
    )


def choose(
    similarity: Similarity, *, k: int = 32, clusters: int = 4, seed: int = 0, settings: Settings | None = None
) -> Points:
    """Points in place of :func:`ipseg.method.points.choose`, the first the most and the least similar cell."""
    chosen = settings or Settings()
    cells = np.argwhere(similarity.inside)
    values = similarity.values[similarity.inside].astype(float)
    if len(cells) < 2 or np.ptp(values) <= 1e-6 * max(1.0, np.abs(values).max()):
        return Points(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32))
    sides = []
    for sign in (1, -1):
        usable = np.flatnonzero(sign * values >= (sign * values).mean() + chosen.deviations * values.std())
        usable = usable if len(usable) else np.array([np.argmax(sign * values)])
        picked = usable[select(cells[usable], sign * values[usable], chosen.points, chosen.alpha)]
        sides.append(geometry.cells_to_image(cells[picked][:, ::-1].astype(float), similarity.frame))
    return Points(*sides)


def select(positions: NDArray, weights: NDArray, count: int, alpha: float) -> list[int]:
    """Indices of at most ``count`` of (n, 2) ``positions``, the one with the highest weight first."""
    spread = np.ptp(weights)
    scaled = (weights - weights.min()) / spread if spread else np.zeros(len(weights))
    picked = [int(np.argmax(weights))]
    nearest = np.linalg.norm(positions - positions[picked[0]], axis=1)
    while len(picked) < min(count, len(positions)):
        value = alpha * nearest / max(nearest.max(), 1e-9) + (1 - alpha) * scaled
        value[picked] = -np.inf
        picked.append(int(np.argmax(value)))
        nearest = np.minimum(nearest, np.linalg.norm(positions - positions[picked[-1]], axis=1))
    return picked
