"""Several prototypes of the object, and hard negatives, after FoRIS (arXiv 2609.03384), in place of one mean.

The object's cells of all prompt images are gathered into k-means centres; the cosines of a cell with these are joined
by a soft maximum. The background cells of the prompt that are most similar to the object's mean are negatives, joined
in the same way, and subtracted. Layers count by the weights of the engine's scorer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from ipseg.core.threads import one_thread
from ipseg.core.types import InputFeatures, PromptFeatures, SettingError, Similarity
from ipseg.core.vectors import unit
from ipseg.method.extensions._scorer import Around, directions, extended, onto
from ipseg.method.pipeline import IPSeg


@dataclass(frozen=True)
class Settings:
    """How many, and how they are joined."""

    prototypes: int = 4  # of the object, at most
    negatives: int = 16  # background cells, at most; 0: none
    sharpness: float = 10.0  # of the soft maximum: log(mean(exp(sharpness x))) / sharpness
    weight: float = 0.5  # of the negatives

    def __post_init__(self) -> None:
        if self.prototypes < 1 or self.negatives < 0 or self.sharpness <= 0:
            raise SettingError("There must be a prototype, no fewer than 0 negatives, and a sharpness above 0.")


@dataclass(frozen=True)
class SeveralPrototypes(Around):
    """The scorer with several prototypes."""

    settings: Settings = Settings()

    def learn(self, images: Sequence[PromptFeatures]) -> Mapping[str, tuple[NDArray, NDArray]]:
        """Of each layer the prototypes (m, C) and the negatives (h, C), unit vectors."""
        learnt = {}
        for at, layer in enumerate(images[0].features):
            cells = np.concatenate([directions(each.features[at]) for each in images])
            inside = np.concatenate([each.cells(each.features[at].frame).ravel() for each in images])
            learnt[layer.name] = gather(cells, inside, self.settings)
        return learnt

    def change(self, learnt: Any, image: InputFeatures, similarity: Similarity) -> NDArray[np.float32]:
        """The weighted sum over the layers, on the cells of the inner similarity."""
        weights = self.inner.layer_weights([layer.name for layer in image.features])
        total = np.zeros(similarity.frame.grid, np.float32)
        for layer in image.features:
            if weights.get(layer.name):
                values = compare(directions(layer), learnt[layer.name], self.settings)
                total += weights[layer.name] * onto(values, layer, similarity.frame)
        return total


def gather(cells: NDArray, inside: NDArray[np.bool_], settings: Settings) -> tuple[NDArray, NDArray]:
    """The prototypes and the negatives of (n, C) unit vectors, of which ``inside`` are the object's."""
    own, others = cells[inside], cells[~inside]
    distinct = np.unique(own, axis=0)
    if len(distinct) > settings.prototypes:
        with one_thread():
            distinct = KMeans(settings.prototypes, n_init=4, random_state=0).fit(own).cluster_centers_
    order = np.argsort(-(others @ unit(own.mean(0))), kind="stable")[: settings.negatives]
    return unit(distinct), others[order]


def compare(cells: NDArray, learnt: tuple[NDArray, NDArray], settings: Settings) -> NDArray:
    """The soft maximum of the cosines with the prototypes, less the weighted one of the negatives: (n,)."""
    prototypes, negatives = learnt
    values = soft_maximum(cells @ prototypes.T, settings.sharpness)
    if not len(negatives):
        return values
    return values - settings.weight * soft_maximum(cells @ negatives.T, settings.sharpness)


def soft_maximum(values: NDArray, sharpness: float) -> NDArray:
    """log(mean(exp(sharpness x))) / sharpness over the last axis."""
    top = values.max(-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(sharpness * (values - top)).mean(-1)) / sharpness


def build(settings: Settings) -> Callable[[IPSeg], IPSeg]:
    """The extension. Raises SettingError for an engine whose similarity is log odds, which these values are not."""

    def extend(engine: IPSeg) -> IPSeg:
        if engine.scorer.log_odds:
            raise SettingError(
                "several_prototypes gives cosines and this engine needs log odds; choose another preset."
            )
        scorer = SeveralPrototypes(engine.scorer, settings)
        return extended(engine, "several_prototypes", settings, scorer=scorer)

    return extend
