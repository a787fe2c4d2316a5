"""Variants of the method on one pair: other scorers, K and c, saliency methods; run on the device of the networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, plugins
from ipseg.core.masks import iou
from ipseg.core.progress import part_of
from ipseg.core.status import Status
from ipseg.core.store import Arrays
from ipseg.core.types import ImageArray, Mask, Progress, SaliencyMethod
from ipseg.method import refinement, stages
from ipseg.method.config import IPSegConfig
from ipseg.method.encodings import Named, named
from ipseg.method.pipeline import IPSeg
from ipseg.method.prompt import Prompt
from ipseg.studies.ablation._results import AblationResult, packed, summarise

Key = TypeVar("Key")
KS = (8, 16, 32, 64)  # of Table 4
CLUSTERS = (2, 4, 8, 16)
TRUE = "true"  # the true mask of the prompt
SAME = 0.02  # masks whose IoU is above 1 less this are the same


@dataclass(frozen=True)
class Pair:
    """A prompt and an image to search, each with its true mask where that is known."""

    prompt: ImageArray
    image: ImageArray
    prompt_mask: Mask | None = None  # in the prompt
    truth: Mask | None = None  # in the image


def own_variant(found: Mapping[str, Any]) -> str:
    """The name of the engine's own scorer among its variants."""
    return next((name for name in ("prior", "with sd", "fused") if name in found), next(iter(found)))


def distinct(found: Mapping[Key, AblationResult], own: Key, most: int = 3) -> list[Key]:
    """The keys of the results to show: ``own``, then those whose masks differ most from all before, ``most`` in all.

    A mask that is the same as one before (``SAME``) is left out, and so is a result with an error.
    """
    shown = [own]
    nearest = {name: iou(one.mask, found[own].mask) for name, one in found.items() if name != own and not one.error}
    while nearest and len(shown) < most:
        name = min(nearest, key=lambda each: nearest[each])
        if nearest[name] >= 1 - SAME:
            break
        shown.append(name)
        nearest = {
            each: max(value, iou(found[each].mask, found[name].mask)) for each, value in nearest.items() if each != name
        }
    return shown


def settings(method: IPSegConfig) -> list[tuple[int, int]]:
    """The (K, c) of the grid, the configured pair among them; K varies slowest."""
    ks, clusters = sorted({*KS, method.k}), sorted({*CLUSTERS, method.clusters})
    return [(k, c) for k in ks for c in clusters if c <= k]


def similarities(engine: IPSeg, pair: Pair, progress: Progress | None = None) -> Arrays:
    """The result of each of the scorer's variants, with its similarity map."""
    names = [layer.name for layer in engine.encodings.features(named(pair.image))]
    needs_log_odds = refinement.named(engine.config.refinement).needs_prior
    found = {}
    variants = engine.scorer.variants(names)
    for done, (name, scorer) in enumerate(variants.items()):
        if progress:
            progress(done / len(variants), "similarity")
        other = replace(engine, scorer=scorer)
        within = part_of(progress, done, len(variants))
        prompt = other.prompt(pair.prompt, progress=within)
        if needs_log_odds and not scorer.log_odds:
            found[name] = _halved(other, prompt, pair.image)
            continue
        result = other.segment(prompt, pair.image, progress=within)
        found[name] = summarise(result, result.similarity_map())
    return packed(found)


def _halved(engine: IPSeg, prompt: Prompt, image: ImageArray) -> AblationResult:
    """A similarity that the engine's refinement cannot take, cut by Otsu's threshold."""
    from skimage.filters import threshold_otsu

    points, similarity = stages.choose_points(engine.encodings, engine.scorer, engine.config, prompt, image)
    shown = geometry.to_image(similarity.values, similarity.frame)
    mask = shown > threshold_otsu(shown) if np.ptp(shown) > 0 else np.zeros(shown.shape, bool)
    return AblationResult(mask, Status.DETECTED if mask.any() else Status.NOT_DETECTED, points, shown)


def grid(engine: IPSeg, pair: Pair, progress: Progress | None = None) -> Arrays:
    """The results by K and c."""
    prompt, found, asked = engine.prompt(pair.prompt), {}, settings(engine.config)
    for done, (k, clusters) in enumerate(asked):
        if progress:
            progress(done / len(asked), "mask")
        within = part_of(progress, done, len(asked))
        found[f"{k} {clusters}"] = summarise(
            engine.segment(prompt, pair.image, k=k, clusters=clusters, progress=within)
        )
    return packed(found)


def hidden(engine: IPSeg, pair: Pair, name: str, progress: Progress | None = None) -> Arrays:
    """The result with another saliency method, or the true mask, for the prompt's object."""
    seen = named(pair.prompt)
    if name == TRUE and pair.prompt_mask is not None:
        shown = pair.prompt_mask.astype(np.float32)
    else:
        shown = engine.encodings.compute_once(f"saliency {name}", seen, lambda: _saliency_map(engine, name, seen))
    prompt = engine.prompt_of([stages.view(engine.encodings, engine.config, seen, shown)])
    return packed({name: summarise(engine.segment(prompt, pair.image, progress=progress), shown)})


def _saliency_map(engine: IPSeg, name: str, image: Named) -> NDArray[np.float32]:
    method: SaliencyMethod = plugins.build("saliency", name, placement=engine.info.placement)
    return method(image.pixels, lambda: engine.encodings.features(image))
