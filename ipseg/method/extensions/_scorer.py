"""What the extensions share: a scorer around another one, and the record of an engine that was extended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.types import FeatureMap, Frame, InputFeatures, Mask, PromptFeatures, Scorer, Similarity
from ipseg.core.vectors import to_numpy, unit
from ipseg.method.pipeline import IPSeg


@dataclass(frozen=True)
class Around:
    """A scorer whose similarity is another one's, changed; masks and presence are scored by the other one."""

    inner: Scorer

    @property
    def log_odds(self) -> bool:
        """That of the inner scorer."""
        return self.inner.log_odds

    @property
    def needs_density(self) -> bool:
        """That of the inner scorer."""
        return self.inner.needs_density

    @property
    def of_small_masks(self) -> Scorer | None:
        """That of the inner scorer, which gets the inner model."""
        inner = self.inner.of_small_masks
        return None if inner is None else replace(self, inner=inner)

    @property
    def presence_without(self) -> Mapping[str, Scorer]:
        """That of the inner scorer, which gets the inner model."""
        return {name: replace(self, inner=inner) for name, inner in self.inner.presence_without.items()}

    def learn(self, images: Sequence[PromptFeatures]) -> Any:
        """What the change needs of the prompt; plain data."""

    def change(self, learnt: Any, image: InputFeatures, similarity: Similarity) -> NDArray[np.float32]:
        """The changed values of a similarity, (rows, columns)."""
        raise NotImplementedError

    def model(self, images: Sequence[PromptFeatures]) -> tuple[Any, Any]:
        """The inner model, and what the change needs."""
        return self.inner.model(images), self.learn(images)

    def similarity(self, model: tuple[Any, Any], image: InputFeatures, negative: Any) -> Similarity:
        """The inner similarity, changed."""
        found = self.inner.similarity(model[0], image, negative and negative[0])
        return replace(found, values=np.asarray(self.change(model[1], image, found), np.float32))

    def mask_scores(
        self, model: tuple[Any, Any], image: InputFeatures, negative: Any, masks: NDArray[np.bool_]
    ) -> NDArray[np.float32] | None:
        """Those of the inner scorer."""
        return self.inner.mask_scores(model[0], image, negative and negative[0], masks)

    def presence(self, model: tuple[Any, Any], image: InputFeatures, negative: Any, mask: Mask) -> float:
        """That of the inner scorer."""
        return self.inner.presence(model[0], image, negative and negative[0], mask)

    def cell_scores(self, models: Sequence[tuple[Any, Any]], image: InputFeatures) -> tuple[NDArray[np.float32], Frame]:
        """Those of the inner scorer."""
        return self.inner.cell_scores([inner for inner, _ in models], image)

    def region_scores(
        self,
        models: Sequence[tuple[Any, Any]],
        image: InputFeatures,
        cells: NDArray[np.float32],
        regions: NDArray[np.bool_],
        frame: Frame,
    ) -> NDArray[np.float32]:
        """Those of the inner scorer."""
        return self.inner.region_scores([inner for inner, _ in models], image, cells, regions, frame)

    def layer_weights(self, layers: Sequence[str]) -> Mapping[str, float]:
        """Those of the inner scorer."""
        return self.inner.layer_weights(layers)

    def variants(self, layers: Sequence[str]) -> Mapping[str, Scorer]:
        """Itself alone: the terms of the inner scorer are not taken apart here."""
        return {"extended": self}


def extended(engine: IPSeg, name: str, settings: Any, **parts: Any) -> IPSeg:
    """The engine with other ``parts``, and with the extension in its name and its record."""
    record = dict(engine.info.record)
    record["extensions"] = {**record.get("extensions", {}), name: asdict(settings)}
    if "features" in parts:  # the record of the extractors names what was done to their features
        record["features"] = {**record.get("features", {}), name: asdict(settings)}
    info = replace(engine.info, name=f"{engine.info.name} + {name}", record=record)
    return replace(engine, info=info, **parts)


def directions(layer: FeatureMap) -> NDArray[np.float32]:
    """The cells of a layer as unit vectors in reading order: (rows * columns, C) float32."""
    return unit(to_numpy(layer.values).reshape(-1, layer.values.shape[-1]))


def onto(values: NDArray, layer: FeatureMap, frame: Frame) -> NDArray[np.float32]:
    """Values of the cells of a layer in reading order, brought to the cells of ``frame``, bilinear."""
    grid = np.asarray(values, np.float32).reshape(layer.frame.grid)
    return grid if layer.frame == frame else geometry.resample(grid, layer.frame, frame)
