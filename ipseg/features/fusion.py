"""Several extractors as one (Eq. 4): every layer of each, brought to one grid over the image.

Layers are not concatenated: the cosine of concatenated layers and the weighted sum of their cosines carry the same
evidence, but the sum lets each layer have its weight (the setting ``weights`` of
:mod:`ipseg.method.scorers.cosine`), as the released script has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ipseg.core.types import Device, FeatureExtractor, FeatureMap, ImageArray, SettingError
from ipseg.features._dense import onto_image


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"dinov2": {}, "stable_diffusion": {}})
    # the extractors by name, each with its settings; the layers come in this order
    grid: int = 60  # cells along each side of the image


LayersOf = Callable[[ImageArray], tuple[FeatureMap, ...]]
"""The layers of one extractor for an image."""


class Fusion:
    """All layers of several extractors as a :class:`ipseg.core.types.FeatureExtractor`.

    An extractor whose layers have grids of their own offers them as ``native(image)``; they are then brought to the
    common grid once, not twice. ``device`` may run the extractors at once; by default they run one after another.
    """

    density = False

    def __init__(self, extractors: Sequence[FeatureExtractor], grid: int = 60, device: Device | None = None) -> None:
        self.extractors, self.grid, self.device = tuple(extractors), grid, device

    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """Each layer (grid, grid, C) over exactly the image. Raises ValueError when two have the same name."""
        calls = [partial(source, image) for source in self.sources]
        found = self.device.at_once(calls) if self.device else [call() for call in calls]
        return self.joined([layer for layers in found for layer in layers])

    @property
    def sources(self) -> tuple[LayersOf, ...]:
        """What gives the layers of each extractor, on grids of their own where it offers those."""
        return tuple(getattr(part, "native", part) for part in self.extractors)

    def joined(self, layers: Sequence[FeatureMap]) -> tuple[FeatureMap, ...]:
        """What :meth:`__call__` makes of the layers of all sources, in their order. Raises as it does."""
        names = [layer.name for layer in layers]
        if len(set(names)) < len(names):
            raise ValueError(f"expected layers of different names, got {names}")
        return onto_image(layers, self.grid)


def build(settings: Settings, placement: Device) -> Fusion:
    """Make every source, on one placement."""
    from ipseg.core import plugins

    if not settings.sources or "fusion" in settings.sources:
        raise SettingError("sources must name at least one extractor, and not fusion itself.")
    if settings.grid < 1:
        raise SettingError(f"grid is {settings.grid}; give at least 1 cell.")
    made = [plugins.build("features", name, placement=placement, **chosen) for name, chosen in settings.sources.items()]
    return Fusion(made, settings.grid, placement)
