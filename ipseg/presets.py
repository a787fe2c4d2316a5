"""The only place with numbers: a preset names its parts and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ipseg import registry
from ipseg.pipeline import Contrast, IPSeg, Method
from ipseg.types import SettingError

Part = tuple[str, Mapping[str, Any]]
"""The name of a plug-in and its settings."""


@dataclass(frozen=True)
class Preset:
    """One named engine."""

    summary: str  # one line, as the page and the command line show it
    features: Part
    saliency: Part
    segmenter: Part
    method: Method = field(default_factory=Method)


PRESETS: Mapping[str, Preset] = {
    "offline": Preset(
        summary="No weights, no GPU, no network: colour and texture, boundary saliency, a graph cut.",
        features=("texture", {}),
        saliency=("boundary", {}),
        segmenter=("graphcut", {}),
        method=Method(refinement="ranked", erosion=0, contrast=Contrast(), threshold=0.16),
    ),
}


def load(name: str = "offline") -> IPSeg:
    """Build the engine of a preset. Raises :class:`~ipseg.types.SettingError` when there is none of that name."""
    if name not in PRESETS:
        raise SettingError(f'There is no preset "{name}"; choose one of: {", ".join(PRESETS)}.')
    preset = PRESETS[name]
    parts = (("features", preset.features), ("saliency", preset.saliency), ("segmenters", preset.segmenter))
    built = [registry.build(kind, plugin, **settings) for kind, (plugin, settings) in parts]
    return IPSeg(*built, method=preset.method, name=name)
