"""A promptable segmenter without weights: proposals and cuts, ranked by the prompts, and a fine outline."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.classical import clicks, crops, cuts
from ipseg.classical.guided import guided_filter
from ipseg.classical.proposals import grab_cut, largest_parts, outline_contrast, parts_with, propose, soft_iou
from ipseg.classical.regions import superpixels, to_lab, working_image
from ipseg.classical.texture import texture_energy
from ipseg.core.types import Candidates, ImageArray, Points

MIDDLE = 0.5  # of a box: standard deviation of the weights around its middle, its borders being at 1
SMOOTHNESS = 1e-4  # of the guided filter: variance of the lightness, in [0, 1], below which an area counts as flat


@dataclass(frozen=True)
class Settings:
    """Numbers of the cuts and of the outline."""

    side: int = 400  # longest side of the working image of the superpixels, in pixels
    regions: int = 600  # superpixels
    proposal_side: int = 200  # longest side at which pixels are cut
    outline_side: int = 800  # longest side at which the outline is drawn, at most
    biases: tuple[float, ...] = (-0.8, 0.0, 0.8)  # log odds added for superpixel cuts from strict to generous
    point: float = 1.5  # log odds that a point gives to the place it stands on
    reach: float = 0.02  # radius of a point, the longer side of the image being 1
    click: float = 0.008  # radius of the disc that obeys a click in any case, likewise
    contrast: float = 0.3  # weight of the contrast along the outline in a candidate's score


@dataclass(frozen=True)
class Encoding:
    """All that does not depend on the prompts."""

    size: tuple[int, int]  # (height, width) of the image
    graph: cuts.Graph
    small: NDArray[np.uint8]  # (h, w, 3) RGB: the image at the size at which pixels are cut
    proposals: NDArray[np.bool_]  # (n, h, w): what might be an object
    guide: NDArray[np.uint8]  # (H', W'): lightness at the size at which the outline is drawn


class GraphCut:
    """A :class:`ipseg.core.types.Segmenter` without weights or state; threads may share it."""

    accepts_prior = True
    is_sam = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def encode(self, image: ImageArray) -> Encoding:
        """Superpixels with their neighbours and kernel, proposals, and a guide for the outline."""
        lab = to_lab(working_image(image, self.settings.side))
        regions = superpixels(lab, self.settings.regions)
        graph = cuts.build(regions, regions.mean(texture_energy(lab)))
        small = working_image(image, self.settings.proposal_side)
        side = min(max(image.shape[:2]), self.settings.outline_side)
        guide = cv2.cvtColor(working_image(image, side), cv2.COLOR_RGB2GRAY)
        return Encoding(image.shape[:2], graph, small, propose(small), guide)

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

        Without either map the log odds come from the descriptors of the places under the points or, without a positive
        point, of the middle of the box against those around it. ``several`` gives every candidate at low resolution,
        best first; otherwise the odds are cut as they stand, the region around a point that the map contradicts is
        added to the mask or removed from it, and the outline is drawn at the resolution of the image. Scores are soft
        intersections over union with the odds, in [0, 1], and of several candidates also the weighted contrast along
        the outline. Raises ValueError for both maps at once.
        """
        if mask_logits is not None and prior is not None:
            raise ValueError("expected mask_logits or a prior, got both")
        mask = prior if mask_logits is None else mask_logits
        odds = self._odds(encoding, points, mask, box)
        if not several:
            inside, fine = self._drawn(encoding, points, odds, mask)
            return Candidates(fine[None], soft_iou(inside[None], cuts.sigmoid(odds)), _logits(inside[None]))
        found = self._candidates(encoding, points, odds)
        scores = soft_iou(found, cuts.sigmoid(odds)) + self.settings.contrast * outline_contrast(found, encoding.small)
        order = np.argsort(-scores, kind="stable")
        return Candidates(_enlarge(found[order], encoding.size), scores[order], _logits(found[order]))

    def _drawn(
        self, encoding: Encoding, points: Points, odds: NDArray, mask: NDArray | None
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """The odds cut at low resolution, (h, w), and with a fine outline, (H, W)."""
        inside = odds > 0
        if mask is None or not len(points.positive) + len(points.negative):
            return inside, _draw(inside, encoding)
        scale = np.array(inside.shape[::-1]) / encoding.size[::-1]
        radius = self.settings.click * max(encoding.size)
        low = (points.positive * scale, points.negative * scale)
        inside = clicks.corrected(encoding.graph, inside, *low, radius * scale.max())
        return inside, clicks.drawn(_draw(inside, encoding), points.positive, points.negative, radius)

    def _candidates(self, encoding: Encoding, points: Points, odds: NDArray) -> NDArray[np.bool_]:
        """Proposals, the odds cut at pixels, the odds cut at superpixels: (n, h, w) bool, none empty.

        Of a mask that falls apart, the parts that hold a positive point are taken.
        """
        regions, size = encoding.graph.regions, odds.shape[::-1]
        unary = regions.mean(cv2.resize(odds, regions.labels.shape[::-1], interpolation=cv2.INTER_LINEAR))
        rough = [found[regions.labels] for found in cuts.propose(encoding.graph, unary, self.settings.biases)]
        rough = [crops.resize_mask(each, odds.shape) for each in rough]
        found = [*encoding.proposals, grab_cut(encoding.small, odds > 0, rounds=2), *rough]
        inside = points.positive * (np.array(size) / encoding.size[::-1])
        parts = [parts_with(largest_parts(each), inside) for each in found if each.any()]
        tidy = {each.tobytes(): each for each in parts}
        return np.stack(list(tidy.values()) or [odds >= np.quantile(odds, 0.9)])

    def _odds(self, encoding: Encoding, points: Points, mask: NDArray | None, box: tuple | None) -> NDArray[np.float32]:
        height, width = encoding.small.shape[:2]
        places = _places(encoding)
        near = [
            np.exp(-((places[:, None] - each / max(encoding.size)) ** 2).sum(-1) / (2 * self.settings.reach**2))
            for each in (points.positive, points.negative)
        ]
        seeds = self.settings.point * (near[0].max(1, initial=0) - near[1].max(1, initial=0))
        seeds = seeds.reshape(height, width).astype(np.float32)
        within = None if box is None else _in_box(places * max(encoding.size), box)
        if mask is not None:
            odds = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        elif within is not None and not len(points.positive):
            sides = within.max(axis=1, keepdims=True)
            near = [np.exp(-((within / MIDDLE) ** 2).sum(axis=1, keepdims=True) / 2), np.where(sides > 1, 1.0, 0.0)]
            odds = _from_points(encoding, near)
        else:
            odds = _from_points(encoding, near)
        if within is not None:
            odds = np.where((within.max(axis=1) > 1).reshape(height, width), np.float32(-8), odds)
        return odds + seeds


def _places(encoding: Encoding) -> NDArray[np.float64]:
    """Centres of the small image's pixels: (h w, 2) of (x, y), the longer side of the image being 1."""
    height, width = encoding.small.shape[:2]
    rows, columns = np.indices((height, width))
    extent = np.array(encoding.size[::-1]) / max(encoding.size)
    return np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1) / (width, height) * extent


def _in_box(places: NDArray[np.float64], box: tuple[float, float, float, float]) -> NDArray[np.float64]:
    """How far (n, 2) places of (x, y) are from the middle of a box, its borders being at 1: (n, 2), not below 0."""
    first, last = np.array(box[:2]), np.array(box[2:])
    return np.abs(places - (first + last) / 2) / np.maximum((last - first) / 2, 1e-9)


def _from_points(encoding: Encoding, near: list[NDArray]) -> NDArray[np.float32]:
    """Log odds from the descriptors of the places under the points, when there is no map to go by: (h, w)."""
    regions, shape = encoding.graph.regions, encoding.small.shape[:2]
    densities = []
    for weights in near:
        place = cv2.resize(weights.sum(1).reshape(shape), regions.labels.shape[::-1], interpolation=cv2.INTER_LINEAR)
        mass = regions.mean(place) * regions.area
        densities.append(encoding.graph.kernel @ mass / (mass.sum() + 1e-9))
    odds = np.clip(np.log((densities[0] + 0.02) / (densities[1] + 0.05)), -3, 3).astype(np.float32)
    return cv2.resize(odds[regions.labels], shape[::-1], interpolation=cv2.INTER_LINEAR)


def _logits(masks: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(masks, 4, -4).astype(np.float32)


def _enlarge(masks: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    return np.stack([crops.resize_mask(each, size) for each in masks])


def _draw(low: NDArray[np.bool_], encoding: Encoding) -> NDArray[np.bool_]:
    """The mask with its outline drawn along the edges of the image by a guided filter."""
    guide = encoding.guide.astype(np.float32) / np.float32(255)
    size = guide.shape[::-1]
    soft = cv2.resize(low.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    side = 2 * max(2, round(max(size) / 130)) + 1
    soft = guided_filter(guide, soft, (side, side), SMOOTHNESS)
    return cv2.resize(soft, encoding.size[::-1], interpolation=cv2.INTER_LINEAR) > 0.5


def build(settings: Settings) -> GraphCut:
    """The plug-in."""
    return GraphCut(settings)
