"""The paper's comparison: the cosine of every cell with the prototype of each layer (section 3.4, Eq. 5 and 6).

S = F_IP (x) F_I, the weighted sum over the layers
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ipseg.core.geometry import cells_inside
from ipseg.core.types import InputFeatures, PromptFeatures, Prototype, Similarity
from ipseg.method import prototype, similarity
from ipseg.method.presence import FirstLayer

DIFFUSION = ("s3", "s4", "s5")  # layers of Stable Diffusion, as its extractor names them


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    weights: Mapping[str, float] = field(default_factory=dict)  # of each feature layer's cosine; empty: all 1
    negative: float = 4.0  # weight of the excess by which a negative prompt explains a cell better


@dataclass(frozen=True)
class Cosine(FirstLayer):
    """Eq. 6 as an :class:`ipseg.core.types.Scorer`."""

    settings: Settings = field(default_factory=Settings)
    log_odds = False
    needs_density = False
    of_small_masks = None

    def model(self, images: Sequence[PromptFeatures]) -> Prototype:
        """Eq. 5: the mean over the object's cells, and over the prompt images."""
        return prototype.of_images(images)

    def similarity(self, model: Prototype, image: InputFeatures, negative: Prototype | None) -> Similarity:
        """Eq. 6, on the cells of the layers, which share one grid."""
        weights = self.layer_weights([layer.name for layer in image.features])
        values = similarity.fuse(model.foreground, image.features, weights)
        if negative is not None:
            excess = similarity.fuse(negative.foreground, image.features, weights) - values
            values = similarity.lowered(values, excess, self.settings.negative)
        frame = image.features[0].frame
        return Similarity(values, cells_inside(frame), frame)

    def mask_scores(
        self, model: Prototype, image: InputFeatures, negative: Prototype | None, masks: NDArray[np.bool_]
    ) -> None:
        """None: the paper takes the segmenter's own scores."""

    def layer_weights(self, layers: Sequence[str]) -> Mapping[str, float]:
        """The settings' own, or 1 for each layer where they name none."""
        weights = self.settings.weights or dict.fromkeys(layers, 1.0)
        return {name: weights[name] for name in layers if weights.get(name)}

    def variants(self, layers: Sequence[str]) -> Mapping[str, Cosine]:
        """All layers, with and without Stable Diffusion (Fig. 5, Table 3), and each of them alone."""
        used = self.layer_weights(layers)
        diffusion = {name: weight for name, weight in used.items() if name in DIFFUSION}
        others = {name: weight for name, weight in used.items() if name not in DIFFUSION}
        sets: dict[str, Mapping[str, float]] = {}
        if diffusion and others:
            sets = {"without sd": others, "with sd": used, "sd": diffusion}
        elif len(used) > 1:
            sets = {"fused": used}
        included = [set(each) for each in sets.values()]
        sets |= {name: {name: 1.0} for name in used if {name} not in included}
        return {name: Cosine(replace(self.settings, weights=chosen)) for name, chosen in sets.items()}


def build(settings: Settings) -> Cosine:
    """The plug-in."""
    return Cosine(settings)
