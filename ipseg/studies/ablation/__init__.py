"""An ablation of the method on one pair of images: features, similarity, saliency, K and c.

After Fig. 4 (features as colours), Fig. 5 and 8 with Table 3 (similarity with and without Stable Diffusion), Table 6
(saliency methods, which mask the background of the prompt) and Table 4 (K and c). Each image is encoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ipseg import weights
from ipseg.core import images, packages, plugins
from ipseg.core.progress import between, part
from ipseg.core.store import ARRAYS, Arrays, ResultStore, run_key
from ipseg.core.types import InputError, Mask, Progress
from ipseg.engine.protocol import Engine
from ipseg.method.encodings import named
from ipseg.studies.ablation import _layers, _variants
from ipseg.studies.ablation._layers import FUSED, Colours, separation
from ipseg.studies.ablation._patch import PatchSimilarity, patch_similarity
from ipseg.studies.ablation._results import AblationResult, none, packed, summarise, unpacked
from ipseg.studies.ablation._variants import CLUSTERS, KS, SAME, TRUE, Pair, distinct, own_variant, settings

__all__ = [
    "CLUSTERS",
    "FUSED",
    "KS",
    "OWN",
    "SAME",
    "TRUE",
    "Ablation",
    "AblationResult",
    "Colours",
    "Pair",
    "PatchSimilarity",
    "compute",
    "distinct",
    "own_variant",
    "patch_similarity",
    "separation",
    "settings",
]  # fmt: skip

OWN = "own"  # the engine's own saliency
Cached = Callable[..., Arrays]
"""``cached(part, compute, weights=())``: a named part, computed with these weights beside the engine's."""


@dataclass(frozen=True)
class Ablation:
    """The results of each step's variants for one pair."""

    own: AblationResult  # with the engine's own settings
    colours: tuple[Colours, ...]  # of each feature layer, and of all fused where there are several
    similarities: Mapping[str, AblationResult]  # by scorer variant; :func:`own_variant` names the engine's
    saliencies: Mapping[str, AblationResult]  # OWN first, then by the methods' names, then TRUE where that is known
    grid: Mapping[tuple[int, int], AblationResult]  # by (K, c)
    setting: tuple[int, int]  # the engine's own K and c
    detector: str  # the engine's own saliency method


def compute(engine: Engine, pair: Pair, *, folder: Path | None = None, progress: Progress | None = None) -> Ablation:
    """Compute every variant for one pair, or read it from the cache in ``folder``; None for no cache.

    Raises what ``engine.prompt`` and ``engine.segment`` raise.
    """
    for image in (pair.prompt, pair.image):
        images.check_whole(image, "the ablation", engine.config.thin)
    report, cached = progress or (lambda share, step: None), _cached(engine, pair, folder)

    report(0.02, "prompt")
    own = unpacked(cached("own", lambda: _segmented(engine, pair, between(report, 0.02, 0.2))))[OWN]
    report(0.2, "features")
    colours = _layers.unpacked(cached("features", lambda: _colours(engine, pair, own.mask)))
    report(0.25, "similarity")
    alike = unpacked(
        cached("similarity", lambda: _apply(engine, pair, _variants.similarities, progress=between(report, 0.25, 0.35)))
    )
    saw = {OWN: own, **dict(_saliencies(engine, pair, cached, between(report, 0.35, 0.5)))}
    grid = _grid(cached("grid", lambda: _apply(engine, pair, _variants.grid, progress=between(report, 0.5, 1.0))))
    return Ablation(own, colours, alike, saw, grid, (engine.config.k, engine.config.clusters), _detector(engine))


def _grid(arrays: Arrays) -> dict[tuple[int, int], AblationResult]:
    found = {tuple(map(int, name.split())): each for name, each in unpacked(arrays).items()}
    return {(k, clusters): each for (k, clusters), each in found.items()}


def _segmented(engine: Engine, pair: Pair, report: Progress) -> Arrays:
    prompt = engine.prompt(pair.prompt, progress=report)
    return packed({OWN: summarise(engine.segment(prompt, pair.image, progress=report), prompt.views[0].saliency)})


def _colours(engine: Engine, pair: Pair, found: Mask) -> Arrays:
    one, other = (engine.encodings.features(named(image)) for image in (pair.prompt, pair.image))
    shares = engine.scorer.layer_weights([layer.name for layer in one])
    seen = [both for both in zip(one, other, strict=True) if both[0].name in shares]
    if len(seen) > 1:
        seen.insert(0, (_layers.fused(one, shares), _layers.fused(other, shares)))
    view = engine.prompt(pair.prompt, pair.prompt_mask).views[0]
    where = found if pair.truth is None else pair.truth
    return _layers.packed([_layers.coloured(*both, _layers.cells_of(view, both[0].frame), where) for both in seen])


def _apply(
    engine: Engine, pair: Pair, step: Callable[..., Arrays], *given: Any, progress: Progress | None = None
) -> Arrays:
    """``step(engine, pair, *given, progress)`` where the networks of the engine are."""
    return engine.apply([named(pair.prompt), named(pair.image)], step, pair, *given, progress=progress)


def _saliencies(engine: Engine, pair: Pair, cached: Cached, report: Progress) -> Iterator[tuple[str, AblationResult]]:
    """The results by every other saliency method; a method that fails gives its error message."""
    names = [name for name in plugins.names("saliency") if engine.config.consensus or name != _detector(engine)]
    names += [TRUE] if pair.prompt_mask is not None else []
    for number, name in enumerate(names):
        report(number / len(names), "saliency")
        try:
            needed = weights.serving(name)
            weights.require(needed)
            within = part(report, number, len(names))
            compute = partial(_apply, engine, pair, _variants.hidden, name, progress=within)
            with packages.needed(name):
                found = cached(f"saliency-{name}", compute, needed)
            yield name, unpacked(found)[name]
        except InputError as error:
            yield name, none(str(error))


def _detector(engine: Engine) -> str:
    return str(next(iter(engine.info.record.get("saliency", ())), ""))


def _cached(engine: Engine, pair: Pair, folder: Path | None) -> Cached:
    """A function that computes a named part of the ablation, or reads it from the cache in ``folder``."""
    results = ResultStore(folder, ARRAYS)
    content = [images.fingerprint(pair.prompt, pair.image, pair.prompt_mask, pair.truth)]

    def cached(part: str, compute: Callable[[], Arrays], needed: Sequence[str] = ()) -> Arrays:
        if folder is None:
            return compute()
        key = run_key(engine, content, {"weights": weights.describe(needed)})
        return results.get_or_compute(f"{key}-{part}", compute, bool)

    return cached
