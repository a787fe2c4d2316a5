"""What may be chosen beside a preset, and the engine that comes of it.

A part is named ``plug-in`` or ``plug-in/model``: ``"tsdn"``, ``"sam/vit_b"``. Features may be several, joined by a
plus: ``"dinov2/large+stable_diffusion"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ipseg import weights
from ipseg.core import plugins
from ipseg.core.types import SettingError
from ipseg.engine import presets
from ipseg.engine.presets import GRID, PRESETS, SOURCES, Part, Preset
from ipseg.method import refinement
from ipseg.method.config import IPSegConfig
from ipseg.method.pipeline import IPSeg

SD_LAYERS = {"s3": 0.3, "s4": 0.2, "s5": 0.1}  # shares of the weight of Stable Diffusion, as released
DENSITY = "texture"  # the features whose product is a density, which the contrast of the offline engine needs
REFINEMENTS = refinement.REFINEMENTS
CUTS = "graphcut"  # the segmenter that takes a similarity as log odds


@dataclass(frozen=True)
class Options:
    """A preset and what is to be otherwise; "" and None leave an object as the preset has it."""

    preset: str = "offline"
    features: str = ""  # "texture", "dinov2", "clip", "mae", "stable_diffusion", or several of them with a plus
    sd_weight: float | None = None  # of Stable Diffusion's cosines beside the others' 1; 0.1 as released
    timestep: int | None = None  # t of Eq. 3, 0 to 999
    saliency: str = ""  # "tsdn", "tokencut", "boundary" or "none"
    segmenter: str = ""  # "sam/vit_b", "sam2/tiny", "graphcut", ...
    refinement: str = ""  # "single", "cascade" or "ranked"

    @property
    def changes(self) -> dict[str, Any]:
        """What differs from the preset, by name."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "preset"}
        return {name: value for name, value in chosen.items() if value not in ("", None)}

    @property
    def name(self) -> str:
        """The preset's, with what is otherwise: ``"paper, saliency=tokencut"``."""
        return ", ".join([self.preset, *(f"{name}={value}" for name, value in self.changes.items())])


def load(options: Options, *, placement: Any = None) -> IPSeg:
    """Build the engine. Raises as :func:`ipseg.engine.presets.load`, and SettingError for parts that do not fit."""
    return presets.assemble(resolve(options), options.name, placement)


def resolve(options: Options) -> Preset:
    """The preset that the options describe; nothing is built. Raises SettingError for what does not go together."""
    if options.preset not in PRESETS:
        raise SettingError(f'There is no preset "{options.preset}"; choose one of: {", ".join(PRESETS)}.')
    base = PRESETS[options.preset]
    if not options.changes:
        return base
    features = _features(options, base)
    segmenter = _part("segmenters", options.segmenter) or base.segmenter
    saliency = _part("saliency", options.saliency) or base.saliency
    made = replace(base, features=features, saliency=saliency, segmenter=segmenter)
    return _method(options, base, made)


def choices(kind: str) -> list[str]:
    """The parts of a kind as :class:`Options` names them, each model of each plug-in."""
    names = [name for name in plugins.names(kind) if name != "fusion"]
    return [f"{name}/{model}" if model else name for name in names for model in weights.models(name) or ("",)]


def _part(kind: str, text: str) -> Part | None:
    if not text:
        return None
    name, _, model = text.partition("/")
    known = choices(kind)
    if not model and (several := weights.models(name)):
        default = SOURCES.get(name, {}).get("model", several[0])
        return _part(kind, f"{name}/{default}")
    if text not in known:
        raise SettingError(f'There is no "{text}" among the {kind}; choose one of: {", ".join(known)}.')
    return name, {"model": model} if model else {}


def _features(options: Options, base: Preset) -> Part:
    asked: dict[str, Mapping[str, Any]] = {}
    for text in filter(None, options.features.split("+")):
        name, chosen = _part("features", text.strip()) or ("", {})
        own = base.sources.get(name, SOURCES.get(name, {}))
        asked[name] = {**own, **(chosen if "/" in text else {})}
    sources = asked or dict(base.sources)
    sources = _with_diffusion(options, sources)
    if DENSITY in sources and len(sources) > 1:
        raise SettingError(f'"{DENSITY}" cannot be joined with other features; choose it alone, or leave it out.')
    name, settings = base.features
    if len(sources) == 1 and (DENSITY in sources or name in sources):
        return next(iter(sources.items()))
    return "fusion", {"sources": sources, "grid": settings.get("grid", GRID)}


def _with_diffusion(options: Options, sources: dict[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The sources with the chosen timestep, and without Stable Diffusion where its weight is nothing."""
    diffusion = "stable_diffusion"
    if options.sd_weight is not None and not 0 <= options.sd_weight <= 100:
        raise SettingError(f"The weight of Stable Diffusion is {options.sd_weight:g}; give a number from 0 to 100.")
    if diffusion not in sources:
        idle = [name for name in ("sd_weight", "timestep") if name in options.changes]
        if idle:
            raise SettingError(
                f"{idle[0]} means nothing without Stable Diffusion; choose features with it, such as "
                f'"{"+".join(sources)}+{diffusion}".'
            )
        return sources
    if options.sd_weight == 0 and len(sources) > 1:
        return {name: settings for name, settings in sources.items() if name != diffusion}
    if options.timestep is not None:
        return {**sources, diffusion: {**sources[diffusion], "timestep": options.timestep}}
    return sources


def _method(options: Options, base: Preset, made: Preset) -> Preset:
    """The scorer, and the method's numbers, that fit the parts: by what these declare."""
    if options.refinement:
        refinement.named(options.refinement)
    density = plugins.declares("features", made.features[0], "density")
    scorer, method = base.scorer, base.method
    if made.features != base.features:
        own = PRESETS["offline"].method if density else IPSegConfig()
        method = replace(method, threshold=own.threshold, erosion=own.erosion)
        scorer = ("density", {}) if density else ("cosine", {"weights": _weights(options, made)})
    elif options.sd_weight is not None:
        scorer = (scorer[0], {**scorer[1], "weights": _weights(options, made)})
    accepts = plugins.declares("segmenters", made.segmenter[0], "accepts_prior")
    ranks = accepts and plugins.declares("scorers", scorer[0], "log_odds")
    usual = "ranked" if ranks else ("single" if REFINEMENTS[method.refinement].needs_prior else method.refinement)
    chosen = options.refinement or usual
    if REFINEMENTS[chosen].needs_prior and not ranks:
        raise SettingError(f'"{chosen}" needs {DENSITY} features and the segmenter {CUTS}; choose single or cascade.')
    return replace(made, scorer=scorer, method=replace(method, refinement=chosen, consensus=ranks))


def _weights(options: Options, made: Preset) -> dict[str, float]:
    share = 0.1 if options.sd_weight is None else options.sd_weight
    alone = set(made.sources) == {"stable_diffusion"}
    layers = {name: 1.0 for name in made.sources if name != "stable_diffusion"}
    if "stable_diffusion" in made.sources:
        layers |= {layer: part * (1.0 if alone else share) for layer, part in SD_LAYERS.items()}
    return layers
