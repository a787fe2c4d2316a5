"""The presets: the only place with the numbers of an engine. A preset names its parts and their settings.

A new preset is one entry of :data:`PRESETS`; :data:`DEFAULT` and :data:`BEST_ORDER` state where it is the default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ipseg import weights
from ipseg.core.images import WHOLE_ASPECT
from ipseg.method.config import IPSegConfig

DEFAULT = "compact"
"""The preset of the command line, the page, the API and :func:`ipseg.load` where none is named."""

FALLBACK = "offline"
"""Takes its place where its weights are absent; it needs none."""

BEST = "best"
"""Stands for the first preset of :data:`BEST_ORDER` that this machine can run with the weights it has."""

BEST_ORDER = ("paper", "light", "compact", "offline")
"""Best first. ``released`` is not among them: it repeats a script, for those who ask for it."""

Part = tuple[str, Mapping[str, Any]]
"""The name of a plug-in and its settings."""


@dataclass(frozen=True)
class Preset:
    """The full description of an engine: its parts with their settings, the numbers of the method, what it needs."""

    summary: str  # one line, as the page and the command line show it
    features: Part
    saliency: Part
    segmenter: Part
    scorer: Part = ("cosine", {})
    config: IPSegConfig = field(default_factory=IPSegConfig)
    gpu: float = 0.0  # GB of GPU memory without which it is too slow to be taken unasked; 0: it runs on a CPU
    resident: float = 0.0  # GB of GPU memory, about, from which all its models fit at once
    memory: float = 0.0  # GB of main memory, about
    gpu_seconds: float = 2.0  # of a lent GPU for each image that is encoded: an estimate with a margin
    cache: int = 128 * 2**20  # bytes of the cache of image encodings

    @property
    def sources(self) -> Mapping[str, Mapping[str, Any]]:
        """The feature extractors with their settings, those of a fusion one by one."""
        name, settings = self.features
        return settings["sources"] if name == "fusion" else {name: settings}

    @property
    def parts(self) -> tuple[tuple[str, Part], ...]:
        """(kind, part) of each plug-in that reads images, the sources of a fusion one by one."""
        sources = (("features", source) for source in self.sources.items())
        return *sources, ("saliency", self.saliency), ("segmenters", self.segmenter)

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of what it needs of :mod:`ipseg.weights`."""
        parts = (part for _, part in self.parts)
        needed = (one for name, settings in parts for one in weights.serving(name, settings.get("model", "")))
        return tuple(dict.fromkeys(needed))


# Weights of the layers' cosines: the released script's, dino + 0.1 (0.3 s3 + 0.2 s4 + 0.1 s5). The paper names none.
FUSED = {"dinov2": 1.0, "s3": 0.03, "s4": 0.02, "s5": 0.01}
SD_LAYERS = {"s3": 0.3, "s4": 0.2, "s5": 0.1}  # the layers' shares of the weight of Stable Diffusion, as released
SD_WEIGHT = 0.1  # of Stable Diffusion beside the others' 1, as released
# An extractor's own settings where a preset does not name it.
SOURCES: Mapping[str, Mapping[str, Any]] = {
    "dinov2": {"model": "base", "size": 840},
    "stable_diffusion": {"timestep": 50, "size": 960, "window": 0},
    "clip": {"size": 960},
    "mae": {"size": 960},
    "efficientnet": {},
}
JOINED = ("efficientnet",)  # extractors that in a fusion have these settings, whatever the preset
GRID = 60  # cells along each side of an image on which layers are fused
# The numbers that go with a scorer, whatever the preset.
SCORERS: Mapping[str, IPSegConfig] = {
    "cosine": IPSegConfig(),
    "density": IPSegConfig(refinement="ranked", erosion=0, consensus=True, threshold=0.16, reject_threshold=0.12),
    # The score is a probability: refused where another object is more likely than the prompt's, detected where the
    # prompt's is four times as likely.
    "nearest": IPSegConfig(refinement="ranked", erosion=0, threshold=0.8, reject_threshold=0.5),
}

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
        config=IPSegConfig(k=32, clusters=4, refinement="single", thin=WHOLE_ASPECT),
        gpu=6,
        gpu_seconds=4,
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
        config=IPSegConfig(
            k=32,
            clusters=4,
            cell_threshold=0.5,
            erosion=1,
            smallest=1,
            sampling="nearest",
            refinement="cascade",
            thin=WHOLE_ASPECT,
        ),
        gpu=6,
        gpu_seconds=8,
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
    "compact": Preset(
        summary="Two small supervised networks, 23 MB, run on any CPU. Features of EfficientNet-Lite0 (ImageNet) "
        "stand in for DINOv2, U2-Net-p (salient objects, DUTS) for TSDN. You train nothing.",
        features=(
            "efficientnet",
            {"scales": (), "side": 960, "also": (480,), "own_cells": True, "unit": False},
        ),
        saliency=("u2net", {"brightness": 0.45}),
        segmenter=("candidates", {"brightness": 0.45}),
        scorer=("nearest", {}),
        config=SCORERS["nearest"],
    ),
    "offline": Preset(
        summary="No weights, no GPU, no network: colour and texture, boundary saliency, a graph cut.",
        features=("texture", {}),
        saliency=("boundary", {}),
        segmenter=("graphcut", {}),
        scorer=("density", {}),
        config=SCORERS["density"],
    ),
}
