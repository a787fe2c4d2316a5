"""The only place with numbers: a preset names its parts and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ipseg.core import plugins
from ipseg.core.types import SettingError
from ipseg.method.config import EngineInfo, IPSegConfig
from ipseg.method.pipeline import IPSeg

Part = tuple[str, Mapping[str, Any]]
"""The name of a plug-in and its settings."""


@dataclass(frozen=True)
class Preset:
    """One named engine."""

    summary: str  # one line, as the page and the command line show it
    features: Part
    saliency: Part
    segmenter: Part
    scorer: Part = ("cosine", {})
    method: IPSegConfig = field(default_factory=IPSegConfig)
    gpu: float = 0.0  # GB of a GPU's memory without which it is too slow to be taken unasked; 0: a CPU will do
    resident: float = 0.0  # GB of a GPU's memory, about, from which its models need not take turns
    memory: float = 0.0  # GB of the computer's memory, about
    cache: int = 128 * 2**20  # bytes of what was computed from images that are kept

    @property
    def sources(self) -> Mapping[str, Mapping[str, Any]]:
        """The feature extractors with their settings, those of a fusion one by one."""
        name, settings = self.features
        return settings["sources"] if name == "fusion" else {name: settings}

    @property
    def weights(self) -> tuple[str, ...]:
        """What it needs of :mod:`ipseg.weights`."""
        from ipseg import weights

        parts = [*self.sources.items(), self.saliency, self.segmenter]
        return tuple(one for name, settings in parts for one in weights.serving(name, settings.get("model", "")))


# Weights of the layers' cosines: the released script's, dino + 0.1 (0.3 s3 + 0.2 s4 + 0.1 s5). The paper names none.
FUSED = {"dinov2": 1.0, "s3": 0.03, "s4": 0.02, "s5": 0.01}
# An extractor's own settings where a preset does not name it.
SOURCES: Mapping[str, Mapping[str, Any]] = {
    "dinov2": {"model": "base", "size": 840},
    "stable_diffusion": {"timestep": 50, "size": 960, "window": 0},
    "clip": {"size": 960},
    "mae": {"size": 960},
}
GRID = 60  # cells along each side of an image on which layers are fused

PRESETS: Mapping[str, Preset] = {
    "paper": Preset(
        summary="The paper's models and settings: DINOv2-B and Stable Diffusion 1.5, TSDN, SAM ViT-H. Wants a GPU.",
        features=(
            "fusion",
            {
                "sources": {
                    "dinov2": SOURCES["dinov2"],
                    "stable_diffusion": SOURCES["stable_diffusion"],
                },
                "grid": GRID,
            },
        ),
        saliency=("tsdn", {}),
        segmenter=("sam", {"model": "vit_h"}),
        scorer=("cosine", {"weights": FUSED}),
        method=IPSegConfig(k=32, clusters=4, refinement="single"),
        gpu=6,
        resident=12,
        memory=12,
        cache=512 * 2**20,
    ),
    "released": Preset(
        summary="Every setting as in the released script: four windows, timestep 100, three passes. Wants a GPU.",
        features=(
            "fusion",
            {
                "sources": {
                    "dinov2": {"model": "base", "size": 840},
                    "stable_diffusion": {"timestep": 100, "size": 960, "window": 512},
                },
                "grid": GRID,
            },
        ),
        saliency=("tsdn", {}),
        segmenter=("sam", {"model": "vit_h", "squash": True}),
        scorer=("cosine", {"weights": FUSED}),
        method=IPSegConfig(
            k=32,
            clusters=4,
            cell_threshold=0.5,
            erosion=1,
            smallest=1,
            sampling="nearest",
            refinement="cascade",
        ),
        gpu=6,
        resident=12,
        memory=12,
        cache=512 * 2**20,
    ),
    "light": Preset(
        summary="DINOv2-S, TokenCut and SAM 2.1 tiny: a laptop, or a server without a GPU.",
        features=("dinov2", {"model": "small", "size": 518}),  # 37 cells a side: the size it was trained at
        saliency=("tokencut", {}),
        segmenter=("sam2", {"model": "tiny"}),
        scorer=("cosine", {"weights": {"dinov2": 1.0}}),
        memory=3,
    ),
    "offline": Preset(
        summary="No weights, no GPU, no network: colour and texture, boundary saliency, a graph cut.",
        features=("texture", {}),
        saliency=("boundary", {}),
        segmenter=("graphcut", {}),
        scorer=("density", {}),
        method=IPSegConfig(refinement="ranked", erosion=0, consensus=True, threshold=0.16),
    ),
}


def load(name: str, *, placement: Any = None, reason: str = "") -> IPSeg:
    """Build the engine of the preset of that name; :func:`ipseg.load` does so too, and finds one without a name.

    ``placement`` is an :class:`ipseg.engine.placement.Placement`; without one, a GPU where there is one, else the CPU.
    Raises :class:`~ipseg.core.types.SettingError` when there is no preset of that name or the packages of its models
    are not installed, :class:`~ipseg.weights.WeightError` when weights are missing or damaged.
    """
    if name not in PRESETS:
        raise SettingError(f'There is no preset "{name}"; choose one of: {", ".join(PRESETS)}.')
    return assemble(PRESETS[name], name, placement, reason)


def assemble(preset: Preset, name: str = "custom", placement: Any = None, reason: str = "") -> IPSeg:
    """Build the engine of a preset, a named one or one of your own. Raises as :func:`load` does."""
    from ipseg import weights

    for needed in preset.weights:  # all of them before the first is read: some take a minute
        weights.locate(needed)
    if placement is None and preset.weights:
        from ipseg.engine.placement import Placement

        placement = Placement()
    parts = (("features", preset.features), ("saliency", preset.saliency), ("segmenters", preset.segmenter))
    try:
        features, saliency, segmenter, scorer = (
            plugins.build(kind, plugin, placement=placement, **settings)
            for kind, (plugin, settings) in (*parts, ("scorers", preset.scorer))
        )
    except ImportError as error:
        raise SettingError(
            f'"{name}" needs {error.name}, which is missing; run pip install "ipseg[models]".'
        ) from error
    record = {
        "engine": name,
        "features": {source: dict(settings) for source, settings in preset.sources.items()},
        "saliency": list(preset.saliency),
        "segmenter": list(preset.segmenter),
        "scorer": list(preset.scorer),
        "weights": weights.describe(preset.weights),
        **({"placement": placement.describe()} if placement else {}),
    }
    info = EngineInfo(name, reason, record, placement)
    return IPSeg(features, saliency, segmenter, scorer, preset.method, info=info, cache_bytes=preset.cache)
