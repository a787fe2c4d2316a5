"""What a click adds to a mask or takes from it: the region around it of like colour, up to the next clear edge.

A click spreads over the superpixels along the cheapest way (geodesic distance, Criminisi et al., 2008): far where the
colour stays, hardly across an edge. Clicks of both kinds divide the image between them; a minimum cut draws the line.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from ipseg.classical import cuts

STEP, COLOUR = 0.1, 20.0  # the way from one superpixel to the next: a step, and the difference in Lab over this
REACH = 1.0  # length of the way at which a click has lost most of its power
THIN = 0.02  # of the longer side: the width below which what a click left of a mask is a rim
POWER, SURE = 4.0, 1.0  # log odds of a click where it stands, and of the mask that it corrects


def corrected(
    graph: cuts.Graph, mask: NDArray[np.bool_], positive: NDArray, negative: NDArray, radius: float
) -> NDArray[np.bool_]:
    """``mask`` (h, w), which spans the image, made to obey (n, 2) points of (x, y) in its pixels: (h, w) bool.

    Regions that no click reaches stay as they are; a disc of ``radius`` pixels about each point obeys it in any case.
    """
    labels = cv2.resize(graph.regions.labels, mask.shape[::-1], interpolation=cv2.INTER_NEAREST)
    pixels = np.bincount(labels.ravel(), minlength=graph.regions.n)
    share = np.bincount(labels.ravel(), mask.ravel(), minlength=graph.regions.n) / np.maximum(pixels, 1)
    pull = power(graph, labels, positive) - power(graph, labels, negative)
    area = graph.regions.area / graph.regions.area.mean()
    wanted = cuts.minimum_cut(graph, (np.where(share > 0.5, SURE, -SURE) + POWER * pull) * area)
    changed = (wanted != (share > 0.5)) & (np.abs(pull) > 0.01)
    result = np.where(changed[labels], wanted[labels], mask)
    if len(negative):
        result &= ~slivers(mask, result)
    return drawn(result, positive, negative, radius)


def slivers(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """What of a mask (h, w) became thin when parts of it were taken away: (h, w) bool.

    Regions do not end where a mask does, so a rim of it is left along its old outline. Thin is what a disc of
    ``THIN`` of the longer side, of 5 pixels at least, does not fit into. What was thin before, such as a leg, is none.
    """
    size = max(5, 2 * round(THIN * max(before.shape) / 2) + 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    thin = [each & ~_opened(each, disc) for each in (before, after)]
    return thin[1] & ~thin[0] & before


def _opened(mask: NDArray[np.bool_], disc: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """A mask without the parts into which ``disc`` does not fit; outside of the image it goes on as at its border."""
    reach = disc.shape[0]
    wider = np.pad(mask.astype(np.uint8), reach, mode="edge")
    return cv2.morphologyEx(wider, cv2.MORPH_OPEN, disc)[reach:-reach, reach:-reach] > 0


def drawn(mask: NDArray[np.bool_], positive: NDArray, negative: NDArray, radius: float) -> NDArray[np.bool_]:
    """The mask with a disc about each point that obeys it; where discs meet, the nearest point rules."""
    result, nearest = mask.copy(), np.full(mask.shape, np.inf, np.float32)
    reach = max(radius, 1.0)
    for x, y, value in [(*each, True) for each in positive] + [(*each, False) for each in negative]:
        rows = slice(max(0, int(y - reach)), int(y + reach) + 1)  # about the disc alone: images may be large
        columns = slice(max(0, int(x - reach)), int(x + reach) + 1)
        down, across = (np.arange(n)[each] + 0.5 for n, each in zip(mask.shape, (rows, columns), strict=True))
        away = ((down[:, None] - y) ** 2 + (across[None] - x) ** 2).astype(np.float32)
        closer = (away <= reach**2) & (away < nearest[rows, columns])
        nearest[rows, columns][closer], result[rows, columns][closer] = away[closer], value
    return result


def power(graph: cuts.Graph, labels: NDArray[np.int32], points: NDArray) -> NDArray[np.float64]:
    """How much of the nearest of the points' power reaches each region: (n,) in [0, 1]."""
    if not len(points):
        return np.zeros(graph.regions.n)
    height, width = labels.shape
    columns, rows = np.clip(np.floor(points).astype(np.intp), 0, (width - 1, height - 1)).T
    first, second = graph.regions.pairs.T
    step = np.linalg.norm(graph.regions.colour[first] - graph.regions.colour[second], axis=1)
    n = graph.regions.n
    ways = csr_matrix((STEP + step / COLOUR, (first, second)), shape=(n, n))
    away = dijkstra(ways, directed=False, indices=np.unique(labels[rows, columns]), min_only=True, limit=4 * REACH)
    return np.exp(-((away / REACH) ** 2))
