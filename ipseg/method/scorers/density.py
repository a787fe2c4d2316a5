"""The comparison as log odds, for features whose products are densities: the object against its backgrounds.

The mean of the object's cells is then a kernel mean embedding, its product with a cell the density of the object's
descriptors there; the same holds for the background. The log ratio of the two, with the input's own foreground
probability as a prior, is the log odds of the object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, plugins
from ipseg.core.types import (
    Array,
    FeatureMap,
    InputFeatures,
    PromptFeatures,
    Prototype,
    Scorer,
    Similarity,
)
from ipseg.core.vectors import to_numpy
from ipseg.method import prototype, similarity
from ipseg.method.presence import FirstLayer


@dataclass(frozen=True)
class Settings:
    """Weights of the terms."""

    prompt_background: float = 0.5  # share of the prompt's background in the mixture of backgrounds
    input_background: float = 0.3  # share of the input's own; what is left goes to an unseen background
    gain: float = 1.5  # weight of the log ratio
    prior: float = 1.0  # weight of the log odds of the input's own foreground probability
    inside: float = 1.5  # weight of the cosine of the object and the inside of a candidate mask
    outside: float = 1.0  # weight of the cosine of the object and its outside, which is subtracted
    negative: float = 4.0  # weight of the excess by which a negative prompt explains a cell better


@dataclass(frozen=True)
class Density(FirstLayer):
    """The log odds as an :class:`ipseg.core.types.Scorer`; it compares the first feature layer."""

    settings: Settings = field(default_factory=Settings)
    log_odds = True
    needs_density = True
    of_small_masks = None

    def model(self, images: Sequence[PromptFeatures]) -> Prototype:
        """Eq. 5 for the object and for its background."""
        return prototype.of_images(images)

    def similarity(self, model: Prototype, image: InputFeatures, negative: Prototype | None) -> Similarity:
        """:func:`log_odds`, on the cells of the first layer."""
        layer = image.features[0]
        foreground = geometry.to_cells(image.foreground(), layer.frame)
        own = prototype.average([layer], foreground < max(0.5, float(foreground.min()) + 1e-6))
        values = log_odds(model, layer, own, foreground, self.settings)
        if negative is not None:
            values = similarity.lowered(values, excess(negative, model, layer), self.settings.negative)
        return Similarity(values, geometry.cells_inside(layer.frame), layer.frame)

    def mask_scores(
        self, model: Prototype, image: InputFeatures, negative: Prototype | None, masks: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Eq. 6 between the object's prototype and those of the inside and the outside of each mask: (n,) float32.

        ``masks`` (n, h, w) bool over the image. The weighted cosine of the inside less that of the outside; not in the
        paper.
        """
        layer = image.features[0]
        inside, outside = similarity.of_masks(model.foreground[layer.name], layer, masks)
        values = self.settings.inside * inside - self.settings.outside * outside
        if negative is None:
            return values
        other, _ = similarity.of_masks(negative.foreground[layer.name], layer, masks)
        return similarity.lowered(values, other - inside, self.settings.negative)

    def layer_weights(self, layers: Sequence[str]) -> Mapping[str, float]:
        """The first layer alone."""
        return {layers[0]: 1.0}

    def variants(self, layers: Sequence[str]) -> Mapping[str, Scorer]:
        """Eq. 6 alone, then with the backgrounds, then with the prior: itself."""
        cosine: Scorer = plugins.build("scorers", "cosine", weights={layers[0]: 1.0}, negative=self.settings.negative)
        return {"cosine": cosine, "backgrounds": Density(replace(self.settings, prior=0.0)), "prior": self}


def log_odds(
    prompt: Prototype, layer: FeatureMap, own: Mapping[str, Array], foreground: NDArray, weights: Settings
) -> NDArray[np.float32]:
    """Log odds of the object for every cell of ``layer``: (rows, columns) float32.

    ``own`` {layer: (C,)} is the mean of the input's own background, ``foreground`` (rows, columns) in [0, 1] the
    input's foreground probability.
    """
    target = prompt.foreground[layer.name]
    shares = (
        (weights.prompt_background, prompt.background[layer.name]),
        (weights.input_background, own[layer.name]),
    )
    maps = [(share, to_numpy(layer.values @ vector)) for share, vector in shares]
    typical = float((target * target).sum())
    ratio = similarity.log_ratio(to_numpy(layer.values @ target), maps, typical)
    return (weights.gain * ratio + weights.prior * similarity.log_odds(foreground)).astype(np.float32)


def excess(other: Prototype, target: Prototype, layer: FeatureMap) -> NDArray[np.float32]:
    """The log ratio of two objects for every cell, positive where it is rather the ``other``: (rows, columns)."""
    first, second = (each.foreground[layer.name] for each in (other, target))
    maps = [to_numpy(layer.values @ vector) for vector in (first, second)]
    return similarity.log_ratio(maps[0], [(1.0, maps[1])], float((second * second).sum()))


def build(settings: Settings) -> Density:
    """The plug-in."""
    return Density(settings)
