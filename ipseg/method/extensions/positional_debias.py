"""Features without what depends on the position alone, after INSID3 (arXiv 2603.28480).

The features of a blank image of the same size show nothing but positions. Their main directions, of the unit vectors
less their mean, span a subspace; every cell is projected onto its orthogonal complement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import FeatureExtractor, FeatureMap, ImageArray, Mask, ObjectVectors, SettingError
from ipseg.core.vectors import to_numpy
from ipseg.method.extensions._scorer import directions, extended
from ipseg.method.pipeline import IPSeg

BLANK = (124, 116, 104)  # the mean colour of ImageNet, which the networks see as zeros


@dataclass(frozen=True)
class Settings:
    """How much is removed."""

    share: float = 0.5  # of the channels, at most: 500 of 1024 where published
    energy: float = 1e-6  # directions with less than this share of the variance stay

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise SettingError(f"The share of the channels is {self.share:g}; give a number from 0 to below 1.")


class Debiased:
    """An extractor whose features lack the positions; the blank image of a size is computed once."""

    def __init__(self, inner: FeatureExtractor, settings: Settings) -> None:
        self.inner, self.settings = inner, settings
        self._known: dict[str, tuple[tuple[int, int], list[NDArray[np.float32]]]] = {}  # by method, of the last size

    @property
    def density(self) -> bool:
        """Projected features are no density."""
        return False

    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """The features, (rows, columns, C) float32 numpy in each layer."""
        return self._projected("features", self.inner, image)

    def prompt_layers(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """The layers that the inner extractor has for prompt images alone, likewise; () where it has none."""
        inner = getattr(self.inner, "prompt_layers", None)
        return () if inner is None else self._projected("prompt layers", inner, image)

    def whole(self, image: ImageArray, mask: Mask) -> ObjectVectors:
        """The inner extractor's own vectors of what a mask holds; () where it has none."""
        return getattr(self.inner, "whole", lambda *_: ())(image, mask)

    def _projected(
        self, name: str, compute: Callable[[ImageArray], tuple[FeatureMap, ...]], image: ImageArray
    ) -> tuple[FeatureMap, ...]:
        size = (image.shape[0], image.shape[1])
        known = self._known.get(name)
        if known is None or known[0] != size:
            blank = np.full((*size, 3), BLANK, np.uint8)
            known = self._known[name] = size, [basis(layer, self.settings) for layer in compute(blank)]
        return tuple(project(layer, positions) for layer, positions in zip(compute(image), known[1], strict=True))


def basis(blank: FeatureMap, settings: Settings) -> NDArray[np.float32]:
    """The directions of position in the features of a blank image: (C, r) orthonormal."""
    cells = directions(blank)
    cells = cells - cells.mean(0)
    _, sizes, rows = np.linalg.svd(cells, full_matrices=False)
    total = float((sizes**2).sum())
    if total < 1e-9 * len(cells):
        return np.zeros((cells.shape[1], 0), np.float32)
    strong = int(np.count_nonzero(sizes**2 >= settings.energy * total))
    return rows[: min(strong, int(settings.share * cells.shape[1]))].T.astype(np.float32)


def project(layer: FeatureMap, positions: NDArray[np.float32]) -> FeatureMap:
    """The layer without its part along the columns of ``positions``, (C, r)."""
    values = to_numpy(layer.values)
    return replace(layer, values=values - (values @ positions) @ positions.T)


def build(settings: Settings) -> Callable[[IPSeg], IPSeg]:
    """The extension. Raises SettingError for an engine whose scorer needs a density."""

    def extend(engine: IPSeg) -> IPSeg:
        if engine.scorer.needs_density:
            raise SettingError("positional_debias changes what the scorer of this engine needs; choose another preset.")
        features: Any = Debiased(engine.features, settings)
        return extended(engine, "positional_debias", settings, features=features)

    return extend
