"""The only place that builds an engine: :func:`build` from a specification, :func:`load` from a preset's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipseg import weights
from ipseg.core import packages, plugins
from ipseg.core.cache import Cache
from ipseg.core.types import Device, InputError
from ipseg.engine import hardware
from ipseg.engine.placement import Placement
from ipseg.engine.presets import BEST, BEST_ORDER, PRESETS, Preset
from ipseg.engine.spec import EngineSpec, spec_of
from ipseg.engine.zerogpu import Remote, RemoteFeatures, RemoteSaliency, RemoteSegmenter, Worker, ZeroGPUEngine
from ipseg.method.config import EngineInfo
from ipseg.method.encodings import Encodings
from ipseg.method.pipeline import IPSeg

KINDS = ("features", "saliency", "segmenters", "scorers")  # of the parts of an engine, in the order of its arguments


def load(name: str | None = None, *, placement: Device | None = None, **changes: Any) -> IPSeg:
    """Build the engine of a preset; without a name, of the default one, and with "best", of the best that can run here.

    Where the weights of the default preset are absent, the engine without weights takes its place, and
    ``engine.info.reason`` says so.

    ``changes`` are fields of :class:`ipseg.engine.spec.EngineSpec`: ``load("paper", segmenter="sam/vit_b")``.
    ``placement`` is an :class:`ipseg.engine.placement.Placement`; without one, a GPU where there is one, else the CPU.
    Nothing is ever downloaded: ``python -m ipseg weights fetch PRESET`` does that. ``engine.info.reason`` states why an
    engine was taken. Raises :class:`~ipseg.core.types.SettingError` for a name or change that is not known, parts that
    conflict, or packages that are not installed, and :class:`~ipseg.weights.WeightError` for weights that are missing
    or damaged.
    """
    if name == BEST:
        return _load_best(placement, changes)
    preset, reason = hardware.default() if name is None else (name, "")
    return build(spec_of(preset, changes), placement, reason=reason)


def build(spec: EngineSpec, placement: Device | None = None, *, reason: str = "") -> IPSeg:
    """Build the engine that a specification describes. Raises as :func:`load` does."""
    preset = spec.resolve()
    return assemble(preset, spec.name, placement, reason=reason)


def assemble(preset: Preset, name: str = "custom", placement: Device | None = None, *, reason: str = "") -> IPSeg:
    """Build the engine of a full description, under a name of your own. Raises as :func:`load` does."""
    weights.require(preset.weights)  # all of them before the first is read: some take a minute
    with packages.needed(f'"{name}"'):
        placed = any(plugins.wants_placement(kind, plugin) for kind, (plugin, _) in preset.parts)
        where = (placement or Placement()) if placed else None
        features, saliency, segmenter, scorer = parts_of(preset, where)
    # After the parts have read their weights: at a first use their hashes are recorded only then
    info = EngineInfo(name, reason, record(preset, name, where), where, stand_ins(preset))
    return IPSeg(features, saliency, segmenter, scorer, preset.config, info=info, cache_bytes=preset.cache)


def parts_of(preset: Preset, placement: Device | None) -> list[Any]:
    """The feature extractor, the saliency method, the segmenter and the scorer of an engine, built in this order."""
    described = zip(KINDS, (preset.features, preset.saliency, preset.segmenter, preset.scorer), strict=True)
    return [plugins.build(kind, name, placement=placement, **settings) for kind, (name, settings) in described]


def _load_best(placement: Device | None, changes: Mapping[str, Any]) -> IPSeg:
    failed: dict[str, str] = {}
    while True:
        preset, reason = hardware.best(placement, failed)
        spec = spec_of(preset, changes)
        try:
            return build(spec, placement or hardware.fitting(PRESETS[preset]), reason=reason)
        except InputError as error:  # damaged weights, a GPU that is too small after all
            if changes or preset == BEST_ORDER[-1]:
                raise
            failed[preset] = str(error)


def stand_ins(preset: Preset) -> str:
    """Which of its networks stand in for the paper's, and what they were trained on; "" when none does."""
    needed = [weights.get(name) for name in preset.weights]
    return "".join(f"{one.title}: {one.note}. " for one in needed if "stands in for" in one.note).rstrip()


def build_remote(spec: EngineSpec, worker: Worker) -> ZeroGPUEngine:
    """The engine whose networks are in a worker. Raises as :func:`load` does."""
    preset = spec.resolve()
    weights.require(preset.weights)
    info = EngineInfo(spec.name, record=record(preset, spec.name), about=stand_ins(preset))
    remote = Remote(spec, worker, Cache(preset.cache))
    segmenter = preset.segmenter[0]
    parts = (
        RemoteFeatures(remote, plugins.declares("features", preset.features[0], "density")),
        RemoteSaliency(remote),
        RemoteSegmenter(
            remote,
            plugins.declares("segmenters", segmenter, "accepts_prior"),
            plugins.declares("segmenters", segmenter, "is_sam"),
        ),
    )
    scorer = plugins.build("scorers", preset.scorer[0], **preset.scorer[1])
    encodings = Encodings(*parts, consensus=preset.config.consensus, cache=remote.cache)
    return ZeroGPUEngine(remote, IPSeg(*parts, scorer, preset.config, info=info, encodings=encodings))


def record(preset: Preset, name: str, placement: Device | None = None) -> dict[str, Any]:
    """Parts, weights and placement as plain data, for the record of a run."""
    return {
        "engine": name,
        "features": {source: dict(settings) for source, settings in preset.sources.items()},
        "saliency": list(preset.saliency),
        "segmenter": list(preset.segmenter),
        "scorer": list(preset.scorer),
        "weights": weights.describe(preset.weights),
        **({"placement": placement.describe()} if placement else {}),
    }
