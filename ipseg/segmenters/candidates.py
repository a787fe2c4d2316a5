"""A promptable segmenter around a small salient-object network: it chooses among the network's masks and a cut.

The similarity says where the network is run, the network what belongs to the object there. Of the most similar region
the network sees a crop. While the object in it goes on outside, the crop grows on those sides, up to the whole image,
and salient parts of the whole image are joined to it. Candidates are thresholds and parts of the saliency maps and a
cut (GrabCut, Rother et al., 2004); the one that agrees best with the crops and, a little, with the similarity is the
mask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.classical import clicks, crops, cuts, outlines
from ipseg.classical.crops import Box, Map
from ipseg.classical.proposals import grab_cut, largest_parts, separate_parts, soft_iou, without_holes
from ipseg.classical.regions import superpixels, to_lab, working_image
from ipseg.classical.texture import texture_energy
from ipseg.core import images
from ipseg.core.cache import Cache
from ipseg.core.masks import iou
from ipseg.core.types import Candidates, ImageArray, Mask, Points, Proposal
from ipseg.segmenters._prompts import nothing

USES = ("u2net",)  # plug-ins whose weights it needs

LEVELS, PART_LEVELS = (0.3, 0.5, 0.8), (0.4, 0.75)  # at which maps become candidates, and fall apart into parts
NEAR, FAR = -0.2, 1.2  # the normalised similarity, whose median is 0 and whose peak is 1, is clipped to these
SURE_BACKGROUND = 0.1  # of the target, below which a pixel stays background in the cut
FEWEST, FULLEST = 20, 0.97  # pixels of a low mask, and share of them, within which it is a candidate
CERTAIN = 8.0  # log odds at which probabilities are clipped
CHOSEN, BESIDE = 0.6, 5  # least probability on the chosen candidate; pixels of the window in which its edge may lie
SALIENT = 0.5  # saliency of the regions that are proposed without a prompt
CLICKED = 0.9  # probability of what a click adds


@dataclass(frozen=True)
class Settings:
    """Numbers of the crops, of the target and of the outline. Similarities have their median at 0, their peak at 1."""

    brightness: float = 0.45  # mean to which darker images are brightened before the network
    image_side: int = 1280  # longest side of the image from which crops are taken, at most
    side: int = 320  # longest side of the low maps
    cut_side: int = 200  # longest side at which pixels are cut
    crop_side: int = 224  # side of the network's input for a crop, a multiple of 32
    levels: tuple[float, ...] = (0.5, 0.65, 0.8)  # of a similar region: the first whose crop is not too large
    grow: float = 1.4  # a crop is the region's box times this
    step: float = 0.35  # a crop grows by this share of its width or height, on each side where its object goes on
    growths: int = 3  # of a crop, at most
    largest: float = 0.85  # share of the image; what covers more is not cropped
    touch: float = 0.03  # share of a crop's border that its object covers, above which it goes on outside
    side_touch: float = 0.05  # the same share of one side
    agreeing: float = 0.8  # overlap of a crop's object with that of the next wider one, at or below which it stays
    joined: float = 0.25  # least mean similarity of a salient part that is joined
    mix: float = 0.15  # weight of the similarity beside the saliency in the target
    middle: float = 0.45  # similarity at which object and background are equally likely
    gain: float = 8.0  # log odds for one unit of it
    outline: float = 0.35  # foreground probability at the outline
    most: int = 4  # candidates that are returned
    regions: int = 400  # superpixels, over which a click spreads
    click: float = 0.008  # radius of the disc that obeys a click in any case, the longer side of the image being 1
    cache: int = 24 * 2**20  # bytes of the cache of crops and targets


@dataclass(frozen=True)
class Encoding:
    """All that does not depend on the prompts."""

    name: str  # of the image's content
    size: tuple[int, int]  # (height, width) of the image
    image: ImageArray  # of the crops: the image, or smaller
    gamma: float  # with which the network sees it
    low: ImageArray  # (h, w, 3): the image at the size of the low maps
    saliency: Map  # (h, w) in [0, 1]: of the whole image


@dataclass(frozen=True)
class Target:
    """What a prompt and the saliency say together, and the masks to choose from: all of (h, w), the low size."""

    crop: Map  # saliency of the crops, in [0, 1]
    foreground: Map  # with the similarity: the foreground probability by which candidates are ranked
    masks: NDArray[np.bool_]  # (n, h, w)
    scores: NDArray[np.float32]  # (n,) in [0, 1]: soft intersection over union with the foreground


class CandidateSegmenter:
    """Holds settings, the network, and a bounded cache of what it saw of images; threads may share it."""

    accepts_prior = True
    is_sam = False

    def __init__(self, network: Any, settings: Settings) -> None:
        self.network, self.settings = network, settings
        self._cache = Cache(settings.cache)

    def encode(self, image: ImageArray) -> Encoding:
        """The saliency map of the whole image, and the image at the sizes that are needed later."""
        settings, size = self.settings, image.shape[:2]
        low = crops.low_size(size, settings.side)
        reduced = image
        if max(size) > settings.image_side:
            reduced = working_image(image, settings.image_side)
        name = images.fingerprint(image)
        return Encoding(
            name,
            size,
            reduced,
            self.network.gamma(image),
            cv2.resize(image, low[::-1], interpolation=cv2.INTER_AREA),
            crops.resize(self.network.low(image, name), low),
        )

    def clear(self) -> None:
        """Remove what is cached of images."""
        self._cache.clear()
        self.network.clear()

    def predict(
        self,
        encoding: Encoding,
        points: Points,
        *,
        mask_logits: NDArray[np.float32] | None = None,
        prior: NDArray[np.float32] | None = None,
        box: tuple[float, float, float, float] | None = None,
        several: bool = False,
    ) -> Candidates:
        """Masks for ``points``; ``mask_logits`` or ``prior`` is a (h, w) map over the image, ``box`` in image pixels.

        Of a prior only the shape counts, not its level. Without either map the regions around the positive points are
        what is similar, or the inside of the box; without any of these the masks are empty. ``several`` gives the best
        candidates, best first; those that hold none of the positive points come last. Otherwise it is the best one with
        its outline, or that of the logits, to which the region around each point that they contradict is added, or
        from which it is removed. Scores are soft intersections over union with the target, in [0, 1], less 1 for a
        candidate without any of the positive points. Raises ValueError for both maps at once.
        """
        if mask_logits is not None and prior is not None:
            raise ValueError("expected mask_logits or a prior, got both")
        low = encoding.saliency.shape
        inside = None if box is None else inside_box(box, encoding.size, low)
        if mask_logits is not None:
            soft = _probability(mask_logits, low)
            soft = soft if inside is None else soft * inside
            if not several:
                return self._drawn(encoding, points, soft)
            target = self._choices(encoding, soft, soft)
        else:
            if prior is None:
                if not len(points.positive) and inside is None:
                    return nothing(encoding.size, low, several=several)
                prior = self._around(encoding, points) if len(points.positive) else inside
            target = self._target(encoding, np.asarray(prior, np.float32), inside)
        scores = target.scores - without_points(target.masks, points.positive, encoding.size)
        order = np.argsort(-scores, kind="stable")[: self.settings.most]
        softened = np.stack([soft_mask(mask, target.crop) for mask in target.masks[order]])
        if not several:
            return self._drawn(encoding, _NO_POINTS, softened[0])
        return Candidates(_enlarged(target.masks[order], encoding.size), scores[order], logits(softened))

    def proposals(self, encoding: Encoding) -> tuple[Proposal, ...]:
        """The regions of the saliency map of the whole image, each with the parts that necks divide."""
        return self._cache.get(("proposals", encoding.name), lambda: _proposals(encoding.saliency))

    def _target(self, encoding: Encoding, prior: Map, inside: Map | None) -> Target:
        digest = hashlib.blake2b(prior.tobytes() + repr(prior.shape).encode(), digest_size=16)
        digest.update(b"" if inside is None else inside.tobytes())
        return self._cache.get(
            ("target", encoding.name, digest.hexdigest()), lambda: self._new_target(encoding, prior, inside)
        )

    def _new_target(self, encoding: Encoding, prior: Map, inside: Map | None) -> Target:
        settings, low = self.settings, encoding.saliency.shape
        if inside is not None:
            within = crops.resize(inside, prior.shape) > 0.5
            prior = np.where(within, prior, prior.min()) if within.any() else prior
        near = crops.normalised(prior)
        fine = crops.resize(np.clip(near, NEAR, FAR), low)
        crop = located(near, fine, encoding.saliency, encoding.image.shape[:2], self._crop_of(encoding), settings)
        similar = cuts.sigmoid(settings.gain * (fine - settings.middle))
        foreground = ((1 - settings.mix) * crop + settings.mix * similar).astype(np.float32)
        if inside is not None:
            crop, foreground = crop * inside, foreground * inside
        return self._choices(encoding, crop, foreground)

    def _choices(self, encoding: Encoding, crop: Map, foreground: Map) -> Target:
        masks = self._candidates(encoding, crop, foreground)
        return Target(crop, foreground, masks, soft_iou(masks, foreground))

    def _crop_of(self, encoding: Encoding) -> Callable[[Box], Map]:
        def crop(box: Box) -> Map:
            see = partial(self.network.crop, encoding.image, box, self.settings.crop_side, encoding.gamma)
            return self._cache.get(("crop", encoding.name, box), see)

        return crop

    def _candidates(self, encoding: Encoding, crop: Map, foreground: Map) -> NDArray[np.bool_]:
        """Thresholds and parts of the maps, a cut, and what crop and whole image agree on: (n, h, w), none empty."""
        found: list[Mask] = []
        with ThreadPoolExecutor(1) as pool:  # a cut takes as long as all the others, in one thread
            drawn = pool.submit(cut, encoding.low, foreground, self.settings.cut_side)
            for values in (encoding.saliency, crop, foreground):
                found += [values > level for level in LEVELS]
                found += [part for level in PART_LEVELS for part in separate_parts(values > level)]
            both = (crop > 0.5) & (encoding.saliency > 0.5)
            tidy = [without_holes(largest_parts(each)) for each in found]
            tidy += [without_holes(largest_parts(each)) for each in (drawn.result(), both)]
        unique = {each.tobytes(): each for each in tidy if FEWEST <= each.sum() < FULLEST * each.size}
        return np.stack(list(unique.values()) or [foreground >= np.quantile(foreground, 0.9)])

    def _drawn(self, encoding: Encoding, points: Points, soft: Map) -> Candidates:
        """A foreground probability (h, w) as one mask with its outline, corrected where a point contradicts it."""
        level = self.settings.outline
        if not len(points.positive) + len(points.negative):
            return _one(crops.resize(soft, encoding.size) > level, soft)
        low = soft.shape
        scale = np.array(low[::-1]) / encoding.size[::-1]
        radius = self.settings.click * max(encoding.size)
        graph, inside = self._graph(encoding), soft > level
        moved = (points.positive * scale, points.negative * scale, radius * scale.max())
        wanted = clicks.corrected(graph, inside, *moved)
        soft = np.where(wanted == inside, soft, np.where(wanted, CLICKED, 1 - CLICKED)).astype(np.float32)
        mask = clicks.drawn(crops.resize(soft, encoding.size) > level, points.positive, points.negative, radius)
        return _one(mask, soft)

    def _around(self, encoding: Encoding, points: Points) -> Map:
        """How far the positive points reach, less the negative ones, each up to the next edge of the image."""
        graph = self._graph(encoding)
        labels = graph.regions.labels
        scale = np.array(labels.shape[::-1]) / encoding.size[::-1]
        reach = [clicks.power(graph, labels, each * scale) for each in (points.positive, points.negative)]
        return (reach[0] - reach[1])[labels].astype(np.float32)

    def _graph(self, encoding: Encoding) -> cuts.Graph:
        return self._cache.get(("graph", encoding.name), lambda: _graph(encoding.low, self.settings))


_NO_POINTS = Points(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32))


def _proposals(saliency: Map) -> tuple[Proposal, ...]:
    found = []
    for region in outlines.regions(saliency > SALIENT):
        pieces = outlines.parts(region)
        soft = [logits(soft_mask(each, saliency)) for each in (region, *(pieces if len(pieces) > 1 else ()))]
        found.append(Proposal(soft[0], tuple(soft[1:])))
    return tuple(found)


def located(
    near: Map, fine: Map, saliency: Map, size: tuple[int, int], crop_of: Callable[[Box], Map], settings: Settings
) -> Map:
    """The saliency of the most similar region: (h, w) in [0, 1], low like ``fine`` and the whole image's ``saliency``.

    ``near`` and ``fine`` are the similarity on its cells and on the low map, the median 0 and the peak 1; ``crop_of``
    gives the saliency map, of any size, of a box of the image of ``size``.
    """
    low, box = saliency.shape, region(near, size, settings)
    if box is None:
        return saliency
    within = crops.low_box(box, size, low)
    crop = crops.placed(crop_of(box), within, low)
    if crops.touching(crop, within) <= settings.touch:
        return crop
    for _ in range(settings.growths):
        sides = [bool(len(side)) and side.mean() > settings.side_touch for side in crops.border(crop, within)]
        if not any(sides):
            break
        box = crops.extended(box, sides, size, settings.step)
        last = too_large(box, size, settings)
        wider = (0, 0, low[1], low[0]) if last else crops.low_box(box, size, low)
        seen = saliency if last else crops.placed(crop_of(box), wider, low)
        if agreement(crop, seen, within) <= settings.agreeing:
            break  # the wider crop shows something else
        if last:
            return np.maximum(crop, seen)
        within, crop = wider, seen
    return crops.join(crop, saliency, fine, settings.joined)


def agreement(first: Map, second: Map, box: crops.Box) -> float:
    """Intersection over union of two maps (h, w), each above 0.5, inside of a box in their pixels; 0 where empty."""
    left, top, right, bottom = box
    one, other = (each[top:bottom, left:right] > 0.5 for each in (first, second))
    return iou(one, other) if one.any() else 0.0


def region(near: Map, size: tuple[int, int], settings: Settings) -> Box | None:
    """The box of the most similar region, grown, in pixels of an image of ``size``; None where it is too large."""
    for level in settings.levels:
        found = crops.regions(near, level)
        box = crops.grown(found[0], near.shape, size, settings.grow) if found else None
        if box is not None and not too_large(box, size, settings):
            return box
    return None


def too_large(box: Box, size: tuple[int, int], settings: Settings) -> bool:
    """Whether a crop covers so much of the image that a pass over it adds nothing."""
    return crops.area(box) > settings.largest * size[0] * size[1]


def cut(image: ImageArray, foreground: Map, side: int) -> Mask:
    """GrabCut from a foreground probability, (h, w) as the image, at a longest side of ``side``: (h, w) bool."""
    size = crops.low_size(foreground.shape, side)
    small = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    first, never = (crops.resize_mask(each, size) for each in (foreground > 0.5, foreground < SURE_BACKGROUND))
    return crops.resize(grab_cut(small, first, never, rounds=2), foreground.shape) > 0.5


def soft_mask(mask: Mask, soft: Map) -> Map:
    """A chosen candidate as a foreground probability: ``soft`` on it, at least 0.6, and up to two pixels around it."""
    around = cv2.dilate(mask.astype(np.uint8), np.ones((BESIDE, BESIDE), np.uint8)) > 0
    return np.where(mask, np.maximum(soft, CHOSEN), np.where(around, soft, 0)).astype(np.float32)


def logits(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Log odds, clipped."""
    least = 1 / (1 + np.exp(CERTAIN))
    clipped = np.clip(probability, least, 1 - least)
    return np.log(clipped / (1 - clipped)).astype(np.float32)


def _probability(mask_logits: NDArray[np.float32], low: tuple[int, int]) -> Map:
    clipped = np.clip(np.asarray(mask_logits, np.float32), -CERTAIN, CERTAIN)
    return crops.resize(cuts.sigmoid(clipped), low)


def inside_box(box: tuple[float, float, float, float], size: tuple[int, int], low: tuple[int, int]) -> Map:
    """1 on the pixels of the low map whose centre is in a box in image pixels, 0 elsewhere."""
    columns, rows = ((np.arange(low[axis]) + 0.5) * size[axis] / low[axis] for axis in (1, 0))
    left, top, right, bottom = box
    across, down = (columns >= left) & (columns <= right), (rows >= top) & (rows <= bottom)
    return (down[:, None] & across[None]).astype(np.float32)


def without_points(masks: NDArray[np.bool_], points: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """1 for each of (n, h, w) masks that holds none of the (m, 2) points of an image of ``size``, 0 for the others."""
    if not len(points):
        return np.zeros(len(masks), np.float32)
    low = masks.shape[1:]
    places = np.floor(points * np.array(low[::-1]) / size[::-1]).astype(np.intp)
    columns, rows = np.clip(places, 0, (low[1] - 1, low[0] - 1)).T
    held = masks[:, rows, columns].any(axis=1)
    return np.where(held, 0, 1).astype(np.float32)


def _one(mask: Mask, soft: Map) -> Candidates:
    return Candidates(mask[None], soft_iou((soft > 0.5)[None], soft), logits(soft)[None])


def _enlarged(masks: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    return np.stack([crops.resize_mask(each, size) for each in masks])


def _graph(low: ImageArray, settings: Settings) -> cuts.Graph:
    lab = to_lab(low)
    regions = superpixels(lab, settings.regions)
    return cuts.build(regions, regions.mean(texture_energy(lab)))


def build(settings: Settings) -> CandidateSegmenter:
    """The segmenter with the published network. Raises :class:`ipseg.weights.WeightError` where its weights are not."""
    from ipseg.core import plugins

    return CandidateSegmenter(plugins.build("saliency", "u2net", brightness=settings.brightness), settings)
