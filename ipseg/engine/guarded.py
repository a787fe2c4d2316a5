"""Plug-ins whose calls go through :meth:`ipseg.core.types.Device.run`, those of encoders through ``run_alone``.

One class for each kind of plug-in that may have a network on the device. Each has the methods and capabilities of the
protocol in :mod:`ipseg.core.types`, the optional ones included; ``part`` is the plug-in itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import (
    Candidates,
    Device,
    FeatureExtractor,
    FeatureMap,
    ImageArray,
    LazyFeatures,
    Mask,
    ObjectVectors,
    Points,
    Proposal,
    SaliencyMethod,
    SAMSegmenter,
    Segmenter,
)


@dataclass(frozen=True)
class GuardedFeatures:
    """A :class:`ipseg.core.types.FeatureExtractor`."""

    part: FeatureExtractor
    placement: Device

    @property
    def density(self) -> bool:
        """As the extractor's own."""
        return self.part.density

    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """As the extractor's own."""
        return self.placement.run_alone(self.part, image)

    def prompt_layers(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """The extractor's own layers for prompt images alone; () where it has none."""
        return self.placement.run_alone(getattr(self.part, "prompt_layers", lambda _: ()), image)

    def whole(self, image: ImageArray, mask: Mask) -> ObjectVectors:
        """The extractor's own vectors of what a mask holds; () where it has none."""
        return self.placement.run(getattr(self.part, "whole", lambda *_: ()), image, mask)

    @property
    def sources(self) -> tuple[Any, ...]:
        """What gives the layers of each of several extractors, each guarded already; () where it is one."""
        return getattr(self.part, "sources", ())

    def joined(self, layers: Sequence[FeatureMap]) -> tuple[FeatureMap, ...]:
        """The layers of several extractors as one's, see :mod:`ipseg.features.fusion`."""
        return self.placement.run(getattr(self.part, "joined", tuple), layers)

    def native(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """The layers on grids of their own, see :mod:`ipseg.features.fusion`; those of a call where there are none."""
        return self.placement.run_alone(getattr(self.part, "native", self.part), image)


@dataclass(frozen=True)
class GuardedSaliency:
    """A :class:`ipseg.core.types.SaliencyMethod`."""

    part: SaliencyMethod
    placement: Device

    @property
    def reads_features(self) -> bool:
        """As the method's own."""
        return getattr(self.part, "reads_features", False)

    def __call__(self, image: ImageArray, features: LazyFeatures) -> NDArray[np.float32]:
        """As the method's own."""
        return self.placement.run_alone(self.part, image, features)


@dataclass(frozen=True)
class GuardedSegmenter:
    """A :class:`ipseg.core.types.Segmenter`."""

    part: Segmenter
    placement: Device

    @property
    def accepts_prior(self) -> bool:
        """As the segmenter's own."""
        return self.part.accepts_prior

    @property
    def is_sam(self) -> bool:
        """As the segmenter's own."""
        return self.part.is_sam

    def encode(self, image: ImageArray) -> Any:
        """As the segmenter's own."""
        return self.placement.run_alone(self.part.encode, image)

    def predict(self, encoding: Any, points: Points, **request: Any) -> Candidates:
        """As the segmenter's own; ``request`` are its arguments by name."""
        return self.placement.run(self.part.predict, encoding, points, **request)

    def proposals(self, encoding: Any) -> tuple[Proposal, ...]:
        """As the segmenter's own; () where it has none."""
        return self.placement.run(getattr(self.part, "proposals", lambda _: ()), encoding)


@dataclass(frozen=True)
class GuardedSAM(GuardedSegmenter):
    """A :class:`ipseg.core.types.SAMSegmenter`."""

    part: SAMSegmenter

    @property
    def sam(self) -> Any:
        """The module."""
        return self.part.sam

    @property
    def device(self) -> Any:
        """``torch.device`` of its inputs."""
        return self.part.device

    @property
    def squash(self) -> bool:
        """As the segmenter's own."""
        return self.part.squash

    def unsquashed(self) -> SAMSegmenter:
        """The same network on images that are scaled and padded, guarded as this one."""
        return GuardedSAM(self.part.unsquashed(), self.placement)

    def enlarge(
        self, encoding: Any, logits: NDArray[np.float32], size: tuple[int, int] | None = None
    ) -> NDArray[np.float32]:
        """As the segmenter's own."""
        return self.placement.run(self.part.enlarge, encoding, logits, size)


def guarded(kind: str, part: Any, placement: Device) -> Any:
    """A plug-in of ``kind``, a package's name as ``"features"``, with its calls through ``placement.run``."""
    if kind == "segmenters":
        return GuardedSAM(part, placement) if part.is_sam else GuardedSegmenter(part, placement)
    return {"features": GuardedFeatures, "saliency": GuardedSaliency}[kind](part, placement)
