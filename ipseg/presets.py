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
    features = registry.build("features", preset.features[0], **preset.features[1])
    saliency = registry.build("saliency", preset.saliency[0], **preset.saliency[1])
    segmenter = registry.build("segmenters", preset.segmenter[0], **preset.segmenter[1])
    return IPSeg(features, saliency, segmenter, preset.method, name=name)
