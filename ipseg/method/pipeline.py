"""The method (Fig. 3): an image prompt in, points and a mask out.

    prompt image --> features --\\
                   --> saliency ---> prototype --\\
                                                  similarity --> points --> refine --> mask
    input image  --> features -----------------/                          |
                   --> segmenter's own encoding ----------------------------/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, images
from ipseg.core.geometry import cells_inside
from ipseg.core.images import Source
from ipseg.core.result import Result
from ipseg.core.types import (
    Array,
    FeatureExtractor,
    FeatureMap,
    ImageError,
    Points,
    Prompt,
    Prototype,
    SaliencyMethod,
    Segmenter,
    Similarity,
    View,
)
from ipseg.method import instances, points, presence, prototype, refinement, similarity
from ipseg.method.encodings import Encodings, Named, log_odds, named

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done, in [0, 1], and what is being done now."""


@dataclass(frozen=True)
class Contrast:
    """Weights of the similarity as log odds: the object against the backgrounds of prompt and input."""

    prompt_ground: float = 0.5  # weight of the prompt's background in the mixture
    input_ground: float = 0.3  # weight of the input's own background; what is left goes to a ground nobody has seen
    gain: float = 1.5  # weight of the log ratio
    prior: float = 1.0  # weight of the log odds of the input's own saliency
    inside: float = 1.5  # worth of a candidate mask whose inside looks, as a whole, like the object
    outside: float = 1.0  # what it loses when its outside does


@dataclass(frozen=True)
class IPSegConfig:
    """The numbers of the method. The defaults are the paper's; every preset says where it differs."""

    weights: Mapping[str, float] = field(default_factory=dict)  # of each feature layer's cosine; empty: all alike
    k: int = 32  # TopK of Eq. 6, most and least similar alike
    clusters: int = 4  # c of section 3.4, positive and negative alike
    cell_threshold: float = 0.5  # a cell belongs to the prompt's object above this saliency
    erosion: int = 1  # rounds of 3x3 erosion of those cells
    smallest: int = 4  # erosion stops before fewer cells than this are left
    sampling: str = "area"  # how a cell gets its saliency: "area" or, as released, "nearest"
    refinement: str = "cascade"  # how points become a mask: a function of refinement.py
    threshold: float = 0.0  # least score at which the object counts as found
    seed: int = 0  # of k-means
    negative_prompt: float = 4.0  # by how much a cell sinks that a negative prompt explains better
    contrast: Contrast | None = None  # similarity as a log ratio to the backgrounds, for features that are densities
    settled: bool = False  # whether the segmenter's own candidates settle what the saliency map says


class IPSeg:
    """Segments what a prompt shows. Its parts come in through the constructor; :func:`ipseg.load` builds presets.

    An engine holds no state that changes an answer: it keeps what it computed from an image, named by the image's
    content, so that the next question about the same image is quick. It may be shared between threads.
    """

    reason: str = ""  # why this engine was taken, when :func:`ipseg.load` was not told which
    placement: Any = None  # where its models run; None without any
    record: Mapping[str, Any] = MappingProxyType({})  # parts, weights and placement, for the record of a run

    def __init__(
        self,
        features: FeatureExtractor,
        saliency: SaliencyMethod,
        segmenter: Segmenter,
        method: IPSegConfig | None = None,
        *,
        name: str = "custom",
        cache_bytes: int = 128 * 2**20,
    ) -> None:
        self.method = method or IPSegConfig()
        self.name = name
        self.encodings = Encodings(features, saliency, segmenter, settled=self.method.settled, cache_bytes=cache_bytes)

    label = "IPSeg"

    def prompt(
        self, pictures: Source | Sequence[Source], masks: Any = None, *, progress: Progress | None = None
    ) -> Prompt:
        """Make a prompt of one image of the object, or of several; each may carry a mask of its own.

        ``images``: anything that :func:`ipseg.core.images.open_image` opens, or a list of such. ``masks``: one
        mask, or a list as long as ``images`` with None where the saliency method shall decide.
        """
        sources: list[Any] = list(pictures) if isinstance(pictures, list | tuple) else [pictures]
        given = list(masks) if isinstance(masks, list | tuple) else [masks] * len(sources)
        if not sources or len(given) != len(sources):
            raise ImageError(f"Got {len(sources)} prompt images and {len(given)} masks; give as many of each.")
        if progress:
            progress(0.0, "prompt")
        views = tuple(self._view(source, mask) for source, mask in zip(sources, given, strict=True))
        # F_IP = Avgpool(F_IP * MS), Eq. 5, the mean over the images of the prompt
        seen = [self.encodings.features(named(view.picture)) for view in views]
        thing = _mean([prototype.average(layers, view.cells) for layers, view in zip(seen, views, strict=True)])
        ground = _mean([prototype.average(layers, _ground(view)) for layers, view in zip(seen, views, strict=True)])
        return Prompt(views, Prototype(thing, ground), tuple(notice for view in views for notice in _notices(view)))

    @staticmethod
    def check(k: int, clusters: int) -> None:
        """Raise :class:`~ipseg.core.types.SettingError` unless 1 <= K <= 256, 1 <= c <= 32 and c <= K."""
        points.check(k, clusters)

    def segment(
        self,
        prompt: Prompt,
        image: Source,
        *,
        k: int | None = None,
        clusters: int | None = None,
        threshold: float | None = None,
        negative_prompt: Prompt | None = None,
        clicks: Points | None = None,
        all_instances: bool = False,
        progress: Progress | None = None,
    ) -> Result:
        """Cut what ``prompt`` shows out of ``image``. The answer is in the pixels of the original image, upright.

        ``negative_prompt`` is a prompt that shows what is not meant, such as a look-alike. ``clicks`` are points of a
        person, (x, y) in pixels of the upright image, that correct the mask; a positive one says that the object is
        there. ``all_instances`` asks for all instances beside the single mask of the paper: ``Result.instances``.
        """
        method, seen, step = self.method, self.encodings, Steps(progress)
        k, clusters = method.k if k is None else k, method.clusters if clusters is None else clusters
        self.check(k, clusters)
        picture = named(image)
        points.check_inside(clicks, picture.pixels.shape[:2])
        with step("features", 0.05, seen.has("features", picture)):  # F_I, section 3.3
            features = seen.features(picture)
        with step("encoding", 0.2, seen.has("encoding", picture)):  # Enc_I(I), Eq. 1
            encoding = seen.encoding(picture)
        known = method.contrast is None or seen.has("belief", picture)
        with step("similarity", 0.5, known):  # S = F_IP (x) F_I, Eq. 6
            likeness = self._similarity(prompt, picture, features, negative_prompt)
        choose = partial(points.choose, k=k, clusters=clusters, seed=method.seed)
        with step("points", 0.8):  # P_coord = TopK(S), then k-means
            chosen = choose(likeness)
        worth = self._worth(prompt, features, negative_prompt)
        refined = partial(refinement.REFINEMENTS[method.refinement], seen.segmenter, encoding, worth=worth)
        with step("mask", 0.85):  # M = Dec_M(F_I, Concat(T_M, T_P)), Eq. 2
            answer = refined(chosen, likeness.values)
            if clicks is not None and len(clicks.positive) + len(clicks.negative):
                answer = refinement.corrected(seen.segmenter, encoding, answer, chosen, clicks)
        mask, limit = answer.masks[0], method.threshold if threshold is None else threshold
        certain = partial(presence.score, prompt, features, negative_prompt=negative_prompt)
        score, pointed = certain(mask), clicks is not None and len(clicks.positive) > 0
        found = bool(mask.any()) and (pointed or score >= limit)
        result = Result(picture.pixels, mask, found, score, limit, chosen, likeness, step.seconds)
        if not all_instances:
            return result
        with step("instances", 0.9):
            return replace(result, instances=instances.find(likeness, k, choose, refined, certain, limit))

    def choose_points(
        self, prompt: Prompt, image: Source, *, k: int | None = None, clusters: int | None = None
    ) -> tuple[Points, Similarity]:
        """The points and the similarity alone, without the segmenter; (x, y) in pixels of the original image."""
        method, picture = self.method, named(image)
        k, clusters = method.k if k is None else k, method.clusters if clusters is None else clusters
        likeness = self._similarity(prompt, picture, self.encodings.features(picture))
        return points.choose(likeness, k=k, clusters=clusters, seed=method.seed), likeness

    def _worth(
        self, prompt: Prompt, features: tuple[FeatureMap, ...], negative_prompt: Prompt | None = None
    ) -> refinement.Worth | None:
        """How well whole masks match the prompt: Eq. 6 for the prototypes of their inside and outside."""
        layer, contrast = features[0], self.method.contrast
        if contrast is None:
            return None
        thing = prompt.prototype.foreground[layer.name]

        def worth(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
            inside, outside = similarity.of_masks(thing, layer, masks)
            values = contrast.inside * inside - contrast.outside * outside
            if negative_prompt is None:
                return values
            other, _ = similarity.of_masks(negative_prompt.prototype.foreground[layer.name], layer, masks)
            return similarity.lowered(values, other - inside, self.method.negative_prompt)

        return worth

    def _similarity(
        self, prompt: Prompt, picture: Named, features: tuple[FeatureMap, ...], negative_prompt: Prompt | None = None
    ) -> Similarity:
        frame, contrast = features[0].frame, self.method.contrast
        other = negative_prompt and negative_prompt.prototype
        if contrast is None:
            weights = self.method.weights or {layer.name: 1.0 for layer in features}
            values = similarity.fuse(prompt.prototype.foreground, features, weights)
            if other:
                excess = similarity.fuse(other.foreground, features, weights) - values
                values = similarity.lowered(values, excess, self.method.negative_prompt)
        else:
            belief = geometry.to_cells(self.encodings.belief(picture), frame)
            own = prototype.average(features, belief < max(0.5, float(belief.min()) + 1e-6))
            values = contrast_odds(prompt.prototype, features[0], own, belief, contrast)
            if other:
                excess = rather(other, prompt.prototype, features[0])
                values = similarity.lowered(values, excess, self.method.negative_prompt)
        return Similarity(values, cells_inside(frame), frame)

    def _view(self, source: Source, mask: Any) -> View:
        picture, method = named(source), self.method
        size = picture.pixels.shape[:2]
        shown = self.encodings.belief(picture) if mask is None else images.open_mask(mask, size).astype(np.float32)
        layer = self.encodings.features(picture)[0]
        frame = layer.frame
        cells = prototype.object_cells(
            shown,
            frame,
            threshold=method.cell_threshold,
            erosion=method.erosion,
            smallest=method.smallest,
            sampling=method.sampling,
        )
        if not cells.any():
            cells = cells_inside(frame)
        return View(picture.pixels, shown, mask is not None, cells, frame, presence.look(layer, cells))


def contrast_odds(
    prompt: Prototype, layer: FeatureMap, own: Mapping[str, Array], belief: NDArray, weights: Contrast
) -> NDArray[np.float32]:
    """Eq. 6 as log odds: the object against its grounds, with the input's own saliency as a prior; (rows, columns)."""
    thing = prompt.foreground[layer.name]
    grounds = ((weights.prompt_ground, prompt.background[layer.name]), (weights.input_ground, own[layer.name]))
    maps = [(weight, similarity.to_numpy(layer.values @ vector)) for weight, vector in grounds]
    typical = float((thing * thing).sum())
    ratio = similarity.log_ratio(similarity.to_numpy(layer.values @ thing), maps, typical)
    return (weights.gain * ratio + weights.prior * log_odds(belief)).astype(np.float32)


def rather(other: Prototype, thing: Prototype, layer: FeatureMap) -> NDArray[np.float32]:
    """The log ratio of two objects for every cell, positive where it is rather the ``other``: (rows, columns)."""
    first, second = (each.foreground[layer.name] for each in (other, thing))
    maps = [similarity.to_numpy(layer.values @ vector) for vector in (first, second)]
    return similarity.log_ratio(maps[0], [(1.0, maps[1])], float((second * second).sum()))


def _mean(vectors: list[dict[str, Array]]) -> dict[str, Array]:
    return {layer: sum(vector[layer] for vector in vectors) / len(vectors) for layer in vectors[0]}


def _ground(view: View) -> NDArray[np.bool_]:
    """The cells of a prompt image that are not the object; all of them when the object is everything."""
    inside = cells_inside(view.frame)
    ground = inside & ~view.cells
    return ground if ground.any() else inside


def _notices(view: View) -> Iterator[str]:
    if view.cells.sum() == cells_inside(view.frame).sum():
        yield "Nothing stands out in the prompt image, so all of it was used; crop it to the object or give a mask."


class Steps:
    """Times the steps and reports their progress; a step whose result was kept is not timed."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress = progress
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str, share: float, kept: bool = False) -> Iterator[None]:
        if self.progress and not kept:
            self.progress(share, name)
        start = time.perf_counter()
        yield
        if not kept:
            self.seconds[name] = time.perf_counter() - start
