"""Matcher (Liu et al., 2024): patches matched in both directions, groups of them as prompts, masks scored and merged.

With a segment-anything SAM the features are DINOv2 ViT-L/14's at 518 pixels: both images are squashed to a square of
37 x 37 cells, as released. Masks are SAM's for the image as the engine has encoded it, once for all methods; the
released script encodes the squashed square. They are scored on SAM's low resolution and merged in image pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipseg.baselines import _candidates, _matching, _patches
from ipseg.baselines._baseline import ON_PARTS, Baseline, Prediction, Reference
from ipseg.baselines._candidates import Box, Pool
from ipseg.baselines._matching import Matches
from ipseg.baselines._patches import Patches
from ipseg.baselines._protocols import Protocol, protocol_of, select
from ipseg.core import geometry, packages
from ipseg.core.types import Candidates, Mask, Similarity
from ipseg.method import points
from ipseg.method.encodings import Named
from ipseg.method.pipeline import IPSeg
from ipseg.method.steps import Steps

ELSEWHERE = (
    "Matcher's matching, groups and scores on the engine's own features and segmenter, without DINOv2-L and SAM."
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    protocol: str = "coco20i"  # whose numbers: coco20i, lvis92i, fss1000, paco_part or pascal_part
    draws: int | None = None  # groups of each size; None: as the protocol has it
    dense: int | None = None  # points along a side of the grid over the whole image, 0: none; None: as it has it
    seed: int = 0  # of the draws and of k-means


class Batch(NamedTuple):
    """Groups of points with the same request to the segmenter."""

    groups: NDArray[np.float32]  # (b, k, 2) of (x, y) in image pixels
    box: Box | None
    several: bool
    iou: float  # least score of the segmenter
    stability: float  # least stability


class Matcher(Baseline):
    """Matcher on the parts of an engine; ``patches`` gives the cells of an image."""

    title = "Matcher"

    def __init__(self, engine: IPSeg, protocol: Protocol, seed: int) -> None:
        super().__init__(engine.encodings)
        self.protocol, self.seed = protocol, seed
        self.published = engine.segmenter.is_sam
        self.run: Callable[..., Any] = engine.info.placement.run if engine.info.placement is not None else _directly
        self.patches = _patches.of_dinov2(engine) if self.published else _patches.of_engine(engine)
        if not self.published:
            self.variant, self.about = ON_PARTS, ELSEWHERE

    def learn(self, reference: Reference, step: Steps) -> tuple[Patches, NDArray[np.bool_]]:
        """The cells of the reference, and which of them are the object."""
        with step("prompt", 0.0):
            patches = self.patches(reference.image)
            return patches, _patches.inside(reference.mask, patches)

    def predict(self, reference: Reference, image: Named, step: Steps) -> Prediction:
        """Match, prompt, score, merge. The points are all matched cells."""
        known, object_cells = reference.learnt
        with step("features", 0.1):
            patches = self.patches(image)
        with step("matching", 0.2):
            matches = _matching.match(known.values, object_cells, patches.values)
            places = _patches.centres(matches.cells, patches.frame)
        with step("encoding", 0.3, self.encodings.has("encoding", image)):
            encoding = self.encodings.encoding(image)
        with step("candidates", 0.5):
            batches = self._batches(places, image)
            pool = self._pool(encoding, batches, step)
        with step("scores", 0.8):
            chosen, score = self._select(pool, matches, places, patches)
        with step("mask", 0.95):
            mask = self._merge(encoding, batches, chosen, image)
        return Prediction(mask, _candidates.only(places), _similarity(matches, patches), float(np.clip(score, 0, 1)))

    def _batches(self, places: NDArray[np.float32], image: Named) -> list[Batch]:
        protocol = self.protocol
        taken = points.cluster(places, protocol.centres, self.seed) if protocol.centres else places
        drawn = _candidates.draw(taken.astype(np.float32), protocol.sizes, protocol.draws, self.seed)
        box = _matching.box_around(places) if protocol.box else None
        batches = [Batch(groups, box, protocol.several, protocol.iou, protocol.stability) for groups in drawn]
        if protocol.dense:
            grid = _candidates.spread(image.pixels.shape[:2], protocol.dense)
            batches.append(Batch(grid, None, False, protocol.dense_iou, protocol.dense_stability))
        return batches

    def _pool(self, encoding: Any, batches: list[Batch], step: Steps) -> Pool | None:
        pools, first, total = [], 0, sum(len(batch.groups) for batch in batches)
        for batch in batches:
            answers = _reported(self._ask(encoding, batch), step, first, total)
            pools.append(_candidates.collect(answers, first=first, iou=batch.iou, stability=batch.stability))
            first += len(batch.groups)
        found = _candidates.together(pools)
        return None if found is None else _candidates.suppress(found, self.protocol.nms)

    def _ask(self, encoding: Any, batch: Batch) -> _candidates.Answers:
        asked = (self.encodings.segmenter, encoding, batch.groups, batch.box, batch.several)
        return _candidates.ask_sam(*asked, self.run) if self.published else _candidates.ask_one_by_one(*asked)

    def _select(
        self, pool: Pool | None, matches: Matches, places: NDArray, patches: Patches
    ) -> tuple[list[tuple[int, int]], float]:
        """The masks to merge, each as the number of its group and of the answer to it, and the best score."""
        if pool is None:
            return [], 0.0
        height, width = patches.frame.image_size
        scaled = places * (pool.shape[1] / width, pool.shape[0] / height)
        chosen, score = judge(map(pool.mask, range(len(pool))), scaled, matches.cost, patches.frame.grid, self.protocol)
        return [(int(pool.group[each]), int(pool.layer[each])) for each in chosen], score

    def _merge(self, encoding: Any, batches: list[Batch], chosen: list[tuple[int, int]], image: Named) -> Mask:
        """The union of the chosen masks, each drawn once more, in image pixels; empty without any."""
        merged = np.zeros(image.pixels.shape[:2], dtype=bool)
        low = None
        prompts = [(group, batch) for batch in batches for group in batch.groups]
        for number in dict.fromkeys(number for number, _ in chosen):
            answer = self._again(encoding, *prompts[number])
            for layer in (layer for of, layer in chosen if of == number):
                merged |= answer.masks[layer]
                low = answer.logits[layer] if low is None else np.maximum(low, answer.logits[layer])
        segmenter = self.encodings.segmenter
        if low is None or not segmenter.accepts_prior:  # without a point it would have nothing to go by
            return merged
        nowhere = _candidates.only(np.empty((0, 2), np.float32))
        return segmenter.predict(encoding, nowhere, mask_logits=low).masks[0]

    def _again(self, encoding: Any, group: NDArray[np.float32], batch: Batch) -> Candidates:
        asked = _candidates.only(group)
        return self.encodings.segmenter.predict(encoding, asked, box=batch.box, several=batch.several)


def judge(
    masks: Iterable[NDArray[np.bool_]], places: NDArray, cost: NDArray, grid: tuple[int, int], protocol: Protocol
) -> tuple[NDArray[np.intp], float]:
    """Score masks, all of one size, and select: what :func:`ipseg.baselines._protocols.select` returns.

    ``places`` (k, 2) are the matched points in the pixels of the masks. Masks that touch the same cells have the same
    emd, which is computed once.
    """
    touched, local = [], []
    for mask in masks:
        touched.append(_matching.cells_of(mask, grid))
        local.append(_matching.purity_and_coverage(mask, touched[-1], places))
    known: dict[bytes, float] = {}

    def emd(number: int) -> float:
        name = touched[number].tobytes()
        if name not in known:
            known[name] = _matching.emd_score(cost, touched[number])
        return known[name]

    purity, coverage = np.array(local).T
    return select(purity, coverage, emd, protocol)


def make(kind: type[Matcher], settings: Settings, engine: IPSeg) -> Matcher:
    """A Matcher on an engine. Raises what ``build`` of its plug-in says."""
    packages.need(kind.title, "ot")
    numbers = {"draws": settings.draws, "dense": settings.dense}
    return kind(engine, protocol_of(settings.protocol, numbers, published=engine.segmenter.is_sam), settings.seed)


def _similarity(matches: Matches, patches: Patches) -> Similarity:
    """The highest similarity of each cell to a cell of the object."""
    values = (1 - 2 * matches.cost.min(axis=0)).reshape(patches.frame.grid)
    return Similarity(values.astype(np.float32), geometry.cells_inside(patches.frame), patches.frame)


def _reported(answers: _candidates.Answers, step: Steps, first: int, total: int) -> _candidates.Answers:
    """The same answers, with the share of the groups that are done, counted from ``first``."""
    for answer in answers:
        yield answer
        if step.progress:
            step.progress(0.5 + 0.3 * (first + answer[0] + 1) / total, "candidates")


def _directly(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)
