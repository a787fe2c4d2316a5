"""Which engine: a preset and what differs from it, and the full description that follows. Nothing is built here.

A part is named ``plug-in`` or ``plug-in/model``: ``"tsdn"``, ``"sam/vit_b"``. Features may be several, joined by a
plus: ``"dinov2/large+stable_diffusion"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ipseg import weights
from ipseg.core import plugins
from ipseg.core.choices import check_choice
from ipseg.core.types import SettingError
from ipseg.engine.presets import (
    BEST,
    DEFAULT,
    GRID,
    JOINED,
    PRESETS,
    SCORERS,
    SD_LAYERS,
    SD_WEIGHT,
    SOURCES,
    Part,
    Preset,
)
from ipseg.method.refinement import REFINEMENTS
from ipseg.method.refinement import named as refinement_named

DIFFUSION = "stable_diffusion"
PRESET_CHOICES = (*PRESETS, BEST)
"""What ``--preset`` takes."""


@dataclass(frozen=True)
class EngineSpec:
    """A preset and what differs from it; "" and None leave a part or number as the preset has it."""

    preset: str = DEFAULT
    features: str = ""  # "texture", "dinov2", "clip", "mae", "stable_diffusion", or several of them with a plus
    sd_weight: float | None = None  # of Stable Diffusion's cosines beside the others' 1; 0.1 as released
    timestep: int | None = None  # t of Eq. 3, 0 to 999
    saliency: str = ""  # "tsdn", "tokencut", "boundary" or "none"
    segmenter: str = ""  # "sam/vit_b", "sam2/tiny", "graphcut", ...
    refinement: str = ""  # "single", "cascade" or "ranked"

    @property
    def changes(self) -> dict[str, Any]:
        """What differs from the preset, by name."""
        chosen = {each: getattr(self, each) for each in FIELDS if each != "preset"}
        return {name: value for name, value in chosen.items() if value not in ("", None)}

    @property
    def name(self) -> str:
        """The preset's name and what differs: ``"paper, saliency=tokencut"``."""
        return ", ".join([self.preset, *(f"{name}={value}" for name, value in self.changes.items())])

    def resolve(self) -> Preset:
        """The full description of the engine. Raises SettingError for unknown names and for parts that conflict."""
        check_choice(self.preset, PRESETS, 'There is no preset "{}"')
        base = PRESETS[self.preset]
        if not self.changes:
            return base
        made = replace(
            base,
            features=_features(self, base),
            saliency=_part("saliency", self.saliency) or base.saliency,
            segmenter=_part("segmenters", self.segmenter) or base.segmenter,
        )
        return _with_scorer(self, base, made)


FIELDS = tuple(field.name for field in fields(EngineSpec))


def spec_of(preset: str, changes: Mapping[str, Any]) -> EngineSpec:
    """The specification of a preset with changes by name. Raises SettingError for a change that is not known."""
    unknown = sorted(set(changes) - set(FIELDS))
    if unknown:
        raise SettingError(f"There is no {', '.join(unknown)} to choose; there are: {', '.join(FIELDS)}.")
    return EngineSpec(preset, **changes)


def choices(kind: str) -> list[str]:
    """The parts of a kind (``"features"``, ...) as :class:`EngineSpec` names them, each model of each plug-in."""
    names = [name for name in plugins.names(kind) if name != "fusion"]
    return [f"{name}/{model}" if model else name for name in names for model in weights.models(name) or ("",)]


def _part(kind: str, text: str) -> Part | None:
    if not text:
        return None
    name, _, model = text.partition("/")
    known = choices(kind)
    several = weights.models(name)
    default = SOURCES.get(name, {}).get("model", several[0]) if several else ""
    if default and not model:
        return _part(kind, f"{name}/{default}")
    check_choice(text, known, f'There is no "{{}}" among the {kind}')
    return name, {"model": model} if model else {}


def _features(spec: EngineSpec, base: Preset) -> Part:
    asked: dict[str, Mapping[str, Any]] = {}
    for text in filter(None, spec.features.split("+")):
        name, chosen = _part("features", text.strip()) or ("", {})
        own = base.sources.get(name, SOURCES.get(name, {}))
        asked[name] = {**own, **(chosen if "/" in text else {})}
    if len(asked) > 1:  # each extractor then gives layers of the names that weights go by
        asked = {name: SOURCES[name] if name in JOINED else settings for name, settings in asked.items()}
    sources = _with_diffusion(spec, asked or dict(base.sources))
    alone = [name for name in plugins.declaring("features", "density") if name in sources]
    if alone and len(sources) > 1:
        raise SettingError(f'"{alone[0]}" cannot be joined with other features; choose it alone, or leave it out.')
    name, settings = base.features
    if len(sources) == 1 and (alone or name in sources):
        return next(iter(sources.items()))
    return "fusion", {"sources": sources, "grid": settings.get("grid", GRID)}


def _with_diffusion(spec: EngineSpec, sources: dict[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The sources with the chosen timestep, and without Stable Diffusion where its weight is 0."""
    if spec.sd_weight is not None and not 0 <= spec.sd_weight <= 100:
        raise SettingError(f"The weight of Stable Diffusion is {spec.sd_weight:g}; give a number from 0 to 100.")
    if spec.timestep is not None and not (isinstance(spec.timestep, int) and 0 <= spec.timestep <= 999):
        raise SettingError(f"The timestep is {spec.timestep}; give a whole number from 0 to 999.")
    if DIFFUSION not in sources:
        idle = [name for name in ("sd_weight", "timestep") if name in spec.changes]
        if idle:
            raise SettingError(
                f"{idle[0]} means nothing without Stable Diffusion; choose features with it, such as "
                f'"{"+".join(sources)}+{DIFFUSION}".'
            )
        return sources
    if spec.sd_weight == 0 and len(sources) > 1:
        return {name: settings for name, settings in sources.items() if name != DIFFUSION}
    if spec.timestep is not None:
        return {**sources, DIFFUSION: {**sources[DIFFUSION], "timestep": spec.timestep}}
    return sources


def _with_scorer(spec: EngineSpec, base: Preset, made: Preset) -> Preset:
    """The scorer, and the numbers of the method, that fit the parts: by what these declare."""
    if spec.refinement:
        refinement_named(spec.refinement)  # raises where there is none
    scorer, config = base.scorer, base.config
    if made.features != base.features:
        density = made.features[0] in plugins.declaring("features", "density")
        scorer = ("density", {}) if density else ("cosine", {"weights": _layer_weights(spec, made)})
        own = SCORERS[scorer[0]]
        limits = own.threshold, own.reject_threshold
        config = replace(config, erosion=own.erosion, threshold=limits[0], reject_threshold=limits[1])
    elif spec.sd_weight is not None:
        scorer = (scorer[0], {**scorer[1], "weights": _layer_weights(spec, made)})
    accepting, log_odds = plugins.declaring("segmenters", "accepts_prior"), plugins.declaring("scorers", "log_odds")
    prior = made.segmenter[0] in accepting and scorer[0] in log_odds
    fitting = config.refinement if not REFINEMENTS[config.refinement].needs_prior else "single"
    chosen = spec.refinement or ("ranked" if prior else fitting)
    if REFINEMENTS[chosen].needs_prior and not prior:
        raise SettingError(
            f'"{chosen}" needs {" or ".join(plugins.declaring("features", "density"))} features and the segmenter '
            f"{' or '.join(accepting)}; choose single or cascade."
        )
    config = replace(config, refinement=chosen, consensus=prior and SCORERS[scorer[0]].consensus)
    return replace(made, scorer=scorer, config=config)


def _layer_weights(spec: EngineSpec, made: Preset) -> dict[str, float]:
    """Weights of the cosines of the feature layers."""
    share = SD_WEIGHT if spec.sd_weight is None else spec.sd_weight
    layers = {name: 1.0 for name in made.sources if name != DIFFUSION}
    if DIFFUSION in made.sources:
        layers |= {layer: part * (share if layers else 1.0) for layer, part in SD_LAYERS.items()}
    return layers
