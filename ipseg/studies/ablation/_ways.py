"""One pair answered in many ways: other similarities, other numbers, other saliency; done where the networks are."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, plugins
from ipseg.core.store import Arrays
from ipseg.core.types import Mask, Picture, Prompt
from ipseg.method.encodings import Encodings, Named, named
from ipseg.method.pipeline import IPSeg, IPSegConfig, Progress
from ipseg.studies.ablation._answers import Answer, answer, packed

DIFFUSION = ("s3", "s4", "s5")  # layers of Stable Diffusion, as its extractor names them
KS = (8, 16, 32, 64)  # of Table 4
CLUSTERS = (2, 4, 8, 16)
COSINE = "cosine"  # Eq. 6 alone, of an engine that weighs the object against its grounds
TRUE = "true"  # the true mask of the prompt


@dataclass(frozen=True)
class Pair:
    """A prompt and an image to search, each with its true mask where that is known."""

    prompt: Picture
    image: Picture
    thing: Mask | None = None  # in the prompt
    truth: Mask | None = None  # in the image


def ways(method: IPSegConfig, names: Sequence[str]) -> dict[str, IPSegConfig]:
    """The method with its similarity made otherwise: {way: method}, the engine's own among them.

    ``names`` are the engine's feature layers. A way is a layer's name, "fused", "with sd", "without sd", "sd", or of an
    engine that weighs the object against its grounds COSINE, "grounds" and "prior", each with one object more.
    """
    if method.contrast is not None:
        plain = replace(method, contrast=None, weights={names[0]: 1.0})
        return {
            COSINE: plain,
            "grounds": replace(method, contrast=replace(method.contrast, prior=0.0)),
            "prior": method,
        }
    used = {name: method.weights.get(name, 0.0) if method.weights else 1.0 for name in names}
    used = {name: weight for name, weight in used.items() if weight}
    diffusion = {name: weight for name, weight in used.items() if name in DIFFUSION}
    others = {name: weight for name, weight in used.items() if name not in DIFFUSION}
    sets: dict[str, Mapping[str, float]] = {}
    if diffusion and others:
        sets = {"without sd": others, "with sd": used, "sd": diffusion}
    elif len(used) > 1:
        sets = {"fused": used}
    shown = [set(each) for each in sets.values()]
    sets |= {name: {name: 1.0} for name in used if {name} not in shown}
    return {name: replace(method, weights=chosen) for name, chosen in sets.items()}


def own_way(found: Mapping[str, Any]) -> str:
    """The way of :func:`ways` that is the engine's own."""
    return next((name for name in ("prior", "with sd", "fused") if name in found), next(iter(found)))


def settings(method: IPSegConfig) -> list[tuple[int, int]]:
    """The (K, c) of the grid, the method's own among them, K the slower."""
    ks, clusters = sorted({*KS, method.k}), sorted({*CLUSTERS, method.clusters})
    return [(k, c) for k in ks for c in clusters if c <= k]


def similarities(engine: IPSeg, pair: Pair) -> Arrays:
    """The answers by :func:`ways`, each with its similarity."""
    prompt = engine.prompt(pair.prompt)
    names = [layer.name for layer in engine.encodings.features(named(pair.image))]
    found = {}
    for name, method in ways(engine.method, names).items():
        other = _otherwise(engine, method=method)
        if name == COSINE:
            found[name] = _halved(other, prompt, pair.image)
            continue
        result = other.segment(prompt, pair.image)
        found[name] = answer(result, result.similarity_map())
    return packed(found)


def _halved(engine: IPSeg, prompt: Prompt, image: Picture) -> Answer:
    """A similarity that the engine's segmenter cannot take, cut in two by Otsu's threshold."""
    from skimage.filters import threshold_otsu

    points, likeness = engine.choose_points(prompt, image)
    shown = geometry.to_picture(likeness.values, likeness.frame)
    mask = shown > threshold_otsu(shown) if np.ptp(shown) > 0 else np.zeros(shown.shape, bool)
    return Answer(mask, bool(mask.any()), points, shown)


def grid(engine: IPSeg, pair: Pair, progress: Progress | None = None) -> Arrays:
    """The answers by K and c."""
    prompt, found, asked = engine.prompt(pair.prompt), {}, settings(engine.method)
    for done, (k, clusters) in enumerate(asked):
        if progress:
            progress(done / len(asked), "mask")
        found[f"{k} {clusters}"] = answer(engine.segment(prompt, pair.image, k=k, clusters=clusters))
    return packed(found)


def hidden(engine: IPSeg, pair: Pair, name: str) -> Arrays:
    """The answer when another saliency method, or the true mask, says what of the prompt is the object."""
    seen = named(pair.prompt)
    if name == TRUE and pair.thing is not None:
        shown = pair.thing.astype(np.float32)
    else:
        shown = engine.encodings.keep(f"saliency {name}", seen, lambda: _look(engine, name, seen))
    told = _otherwise(engine, encodings=_Told(engine.encodings, seen, shown))
    return packed({name: answer(engine.segment(told.prompt(pair.prompt), pair.image), shown)})


def _look(engine: IPSeg, name: str, picture: Named) -> NDArray[np.float32]:
    method = plugins.build("saliency", name, placement=engine.placement)
    other = Encodings(engine.encodings.extractor, method, engine.encodings.segmenter)
    other.cache = engine.encodings.cache  # its features are there already
    return other.saliency(picture)


class _Told:
    """What an engine sees, told where the object of one image is."""

    def __init__(self, seen: Encodings, picture: Named, shown: NDArray[np.float32]) -> None:
        self._seen, self._name, self._shown = seen, picture.name, shown

    def __getattr__(self, name: str) -> Any:
        return getattr(self._seen, name)

    def belief(self, picture: Named) -> NDArray[np.float32]:
        """As :meth:`ipseg.method.encodings.Encodings.belief`."""
        return self._shown if picture.name == self._name else self._seen.belief(picture)


def _otherwise(engine: IPSeg, **changes: Any) -> IPSeg:
    other = copy.copy(engine)
    for name, value in changes.items():
        setattr(other, name, value)
    return other
