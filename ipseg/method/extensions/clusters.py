"""Clusters of input cells, after INSID3 (arXiv 2603.28480): cells of one region get one similarity.

The cells are joined by average linkage of their cosine distance until it is above 1 - tau. The seed is the cluster with
the highest mean similarity. Each cell gets the mean similarity of its cluster above the lowest of all cells, times the
cosine of its cluster's mean with the seed's, times the share of its cluster above the mean similarity (1 for the
seed). Within a cluster the order of the cells stays, at a thousandth of the scale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

from ipseg.core import geometry
from ipseg.core.types import InputFeatures, SettingError, Similarity
from ipseg.core.vectors import unit
from ipseg.method.extensions._scorer import Around, directions, extended, onto
from ipseg.method.pipeline import IPSeg

ORDER = 1e-3  # of the similarity within a cluster


@dataclass(frozen=True)
class Settings:
    """The numbers of INSID3."""

    tau: float = 0.6  # clusters are joined down to this cosine, in (-1, 1)

    def __post_init__(self) -> None:
        if not -1 < self.tau < 1:
            raise SettingError(f"tau is {self.tau:g}; give a number between -1 and 1.")


@dataclass(frozen=True)
class Clusters(Around):
    """The scorer with clusters of the first feature layer."""

    tau: float = 0.6

    def change(self, learnt: Any, image: InputFeatures, similarity: Similarity) -> NDArray[np.float32]:
        """One value for each cluster, on the scale of the similarity from its lowest value on."""
        layer = image.features[0]
        values = similarity.values
        if layer.frame != similarity.frame:
            values = geometry.resample(values, similarity.frame, layer.frame)
        inside = geometry.cells_inside(layer.frame).ravel()
        flat = values.ravel().astype(float)
        lowest = flat[inside].min()
        scored = np.full(len(flat), lowest)
        cells = directions(layer)[inside]
        scored[inside] += clustered(cells, join(cells, self.tau), flat[inside] - lowest)
        return onto(scored, layer, similarity.frame)


def join(cells: NDArray, tau: float) -> NDArray[np.intp]:
    """The cluster of each of (n, C) unit vectors: (n,) from 0 on."""
    if len(cells) < 2:
        return np.zeros(len(cells), np.intp)
    distance = np.clip(1 - cells @ cells.T, 0, 2)
    joined = AgglomerativeClustering(None, metric="precomputed", linkage="average", distance_threshold=1 - tau)
    return joined.fit_predict(distance)


def clustered(cells: NDArray, labels: NDArray[np.intp], values: NDArray) -> NDArray[np.float64]:
    """The value of each cell by its cluster: (n,), of values from 0 on."""
    number = int(labels.max()) + 1
    sizes = np.bincount(labels, minlength=number)
    mean = np.bincount(labels, values, number) / sizes
    above = np.bincount(labels, values > values.mean(), number) / sizes
    centres = unit(np.stack([cells[labels == each].mean(0) for each in range(number)]))
    seed = int(np.argmax(mean))
    above[seed] = 1.0
    score = mean * np.maximum(centres @ centres[seed], 0) * above
    return score[labels] * (1 - ORDER) + ORDER * values


def build(settings: Settings) -> Callable[[IPSeg], IPSeg]:
    """The extension."""
    return lambda engine: extended(engine, "clusters", settings, scorer=Clusters(engine.scorer, settings.tau))
