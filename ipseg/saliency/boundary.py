"""What stands out, without weights: what neither touches nor resembles the border of the image.

Robust background detection (Zhu et al., "Saliency optimization from robust background detection", CVPR 2014) in three
colour and texture spaces on superpixels, with a mild preference for the middle, then a minimum cut that gives it edges.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from skimage.filters import threshold_otsu

from ipseg.classical import cuts
from ipseg.classical.proposals import soft_iou
from ipseg.classical.regions import Regions, superpixels, to_lab, working_image
from ipseg.classical.texture import texture_energy
from ipseg.core.types import ImageArray, LazyFeatures


@dataclass(frozen=True)
class Settings:
    """Every length is in the units of Lab."""

    side: int = 400  # longest side of the working image, in pixels
    coarse: int = 300  # superpixels on which saliency is computed
    fine: int = 800  # superpixels that give it its edges
    spaces: tuple[tuple[float, float, float], ...] = (  # weights of (lightness, colour, texture), one map each
        (1.0, 1.0, 0.0),
        (0.25, 1.5, 0.0),
        (0.7, 1.0, 0.5),
    )
    middle: float = 0.5  # weight of the preference for the middle of the image
    background: float = 0.5  # weight of not being connected to the border
    gain: float = 3.0  # log odds for one unit of saliency above Otsu's threshold


class BoundarySaliency:
    """Holds settings alone."""

    reads_features = False

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def __call__(self, image: ImageArray, features: LazyFeatures | None = None) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB to (H, W) float32 in [0, 1], in image pixels; above 0.5 is the best guess of a mask."""
        lab = to_lab(working_image(image, self.settings.side))
        texture = texture_energy(lab)
        fine = superpixels(lab, self.settings.fine)
        odds = self._log_odds(lab, texture, fine)
        graph = cuts.build(fine, fine.mean(texture))
        probability = 0.5 * _best_mask(graph, odds) + 0.5 * cuts.sigmoid(2 * odds)
        low = probability[fine.labels].astype(np.float32)
        return np.clip(cv2.resize(low, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), 0, 1)

    def _log_odds(self, lab: NDArray, texture: NDArray, fine: Regions) -> NDArray[np.float64]:
        settings, coarse = self.settings, superpixels(lab, self.settings.coarse)
        energy = coarse.mean(texture)
        maps = []
        for light, colour, rough in settings.spaces:
            descriptors = coarse.colour * (light, colour, colour)
            maps.append(robust_background(coarse, np.hstack([descriptors, rough * energy]) if rough else descriptors))
        salient = np.mean([_to_one(fine.mean(found[coarse.labels])) for found, _ in maps], axis=0)
        apart = np.mean([1 - fine.mean(background[coarse.labels]) for _, background in maps], axis=0)
        total = np.clip(salient, 0, 1) + settings.background * apart + settings.middle * centre_prior(fine)
        return np.clip(settings.gain * (total - _otsu(total, fine.area)), -2.5, 2.5)


def _best_mask(graph: cuts.Graph, odds: NDArray) -> NDArray[np.bool_]:
    masks = cuts.propose(graph, odds)
    if not masks:
        return odds > 0
    agreement = soft_iou(np.stack(masks), cuts.sigmoid(2 * odds), graph.regions.area)
    scores = agreement + 0.5 * np.array([cuts.outline_contrast(graph, mask) for mask in masks])
    return masks[int(np.argmax(scores))]


def robust_background(regions: Regions, descriptors: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Optimised saliency and background probability of each region, (n,) in [0, 1] both; ``descriptors`` is (n, C)."""
    apart = np.sqrt(np.maximum(((descriptors[:, None] - descriptors[None]) ** 2).sum(-1), 0))
    touching = np.zeros((regions.n, regions.n), dtype=bool)
    touching[regions.pairs[:, 0], regions.pairs[:, 1]] = touching[regions.pairs[:, 1], regions.pairs[:, 0]] = True
    background = _background_probability(regions, apart, touching)
    away = np.sqrt(((regions.position[:, None] - regions.position[None]) ** 2).sum(-1))
    contrast = _unit((apart * np.exp(-(away**2) / (2 * 0.4**2))) @ background)
    return _optimise(regions, apart, touching, background, contrast), background


def _background_probability(regions: Regions, apart: NDArray, touching: NDArray) -> NDArray[np.float64]:
    """Boundary connectivity: length on the border over the square root of the area that a region spans."""
    nearest = np.where(touching, apart, np.inf).min(axis=1)
    nearest = nearest[np.isfinite(nearest)]
    free = min(nearest.mean() if len(nearest) else 0.0, 10.0)  # a step this small costs nothing
    first, second = np.triu_indices(len(regions.border), 1)
    rim = np.stack([regions.border[first], regions.border[second]], axis=1)
    links = np.concatenate([regions.pairs, rim])
    steps = np.maximum(apart[links[:, 0], links[:, 1]] - free, 0) + 1e-6
    graph = coo_matrix((steps, (links[:, 0], links[:, 1])), shape=apart.shape).tocsr()
    span = np.exp(-(dijkstra(graph, directed=False) ** 2) / (2 * 7.0**2))
    connectivity = span @ (regions.rim > 0) / np.sqrt(span.sum(1))
    return 1 - np.exp(-(connectivity**2) / 2)


def _optimise(
    regions: Regions, apart: NDArray, touching: NDArray, background: NDArray, contrast: NDArray
) -> NDArray[np.float64]:
    """The quadratic optimisation: background to 0, contrast to 1, alike neighbours (two steps far) to each other."""
    near = touching | ((touching.astype(np.float32) @ touching.astype(np.float32)) > 0)
    near[np.ix_(regions.border, regions.border)] = True
    np.fill_diagonal(near, False)
    weights = np.where(near, np.exp(-(apart**2) / (2 * 10.0**2)) + 0.1, 0)
    system = np.diag(weights.sum(1) + 5 * background + contrast + 1e-6) - weights
    return _unit(np.linalg.solve(system, contrast))


def centre_prior(regions: Regions) -> NDArray[np.float64]:
    """A Gaussian around the middle of the image, stretched to its aspect: (n,) in [0, 1]."""
    extent = np.array(regions.labels.shape[::-1]) / max(regions.labels.shape)
    return np.exp(-(((regions.position / extent - 0.5) ** 2).sum(1)) / (2 * 0.35**2))


def _otsu(values: NDArray, area: NDArray) -> float:
    copies = np.maximum((area / area.sum() * 4000).astype(int), 1)
    spread = np.repeat(values, copies)
    return float(threshold_otsu(spread)) if np.ptp(spread) > 1e-9 else float(spread[0])


def _unit(values: NDArray) -> NDArray:
    return (values - values.min()) / (np.ptp(values) + 1e-9)


def _to_one(values: NDArray) -> NDArray:
    return values / (np.percentile(values, 99) + 1e-6)


def build(settings: Settings) -> BoundarySaliency:
    """The plug-in."""
    return BoundarySaliency(settings)
