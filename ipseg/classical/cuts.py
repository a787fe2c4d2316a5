"""Minimum cuts on superpixels: from a prior to a handful of plausible masks (Boykov and Jolly, 2001).

Shared by the parts of the offline engine. A cut is exact and draws no random numbers: the same input, the same mask.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from ipseg.classical.regions import Regions, components, fill_holes, gaussian

SCALE = 1000.0  # capacities are whole numbers for maximum_flow: a unary of 1 becomes 1000


@dataclass(frozen=True)
class Graph:
    """What the cuts of one image share."""

    regions: Regions
    weights: NDArray[np.float64]  # (m,): cost of parting each touching pair
    edges: NDArray[np.float64]  # (m,) in [0, 1]: contrast across each shared outline
    kernel: NDArray[np.float32]  # (n, n) in [0, 1]: similarity of two regions in colour, texture and position


def build(regions: Regions, texture: NDArray, smoothness: float = 1.0, width: float = 12.0) -> Graph:
    """The graph of an image; ``texture`` (n, C) in about the units of Lab, ``width`` of the kernel in those units."""
    scaled = regions.colour * (0.7, 1.0, 1.0)
    steps = regions.colour[regions.pairs[:, 0]] - regions.colour[regions.pairs[:, 1]]
    plain, soft = (steps**2).sum(1), ((steps * (0.7, 1.0, 1.0)) ** 2).sum(1)
    contrast = np.exp(-plain / (2 * plain.mean() + 1e-6)) if len(plain) else plain
    weights = smoothness * regions.contact / np.sqrt(regions.area.mean()) * (0.9 * contrast + 0.1)
    edges = 1 - np.exp(-soft / (2 * max(soft.mean() if len(soft) else 0.0, 30.0)))
    descriptors = np.hstack([scaled, 0.5 * texture, 30.0 * regions.position])
    return Graph(regions, weights, edges, gaussian(descriptors, descriptors, width))


def minimum_cut(graph: Graph, unary: NDArray) -> NDArray[np.bool_]:
    """The regions on the side of the source: (n,) bool; ``unary`` (n,) is positive where a region belongs inside."""
    n = len(unary)
    first, second = graph.regions.pairs.T
    nodes, source, sink = np.arange(n), np.full(n, n), np.full(n, n + 1)
    starts = np.concatenate([first, second, source, nodes])
    ends = np.concatenate([second, first, nodes, sink])
    costs = np.concatenate([graph.weights, graph.weights, np.maximum(unary, 0), np.maximum(-unary, 0)])
    capacities = np.minimum(np.round(costs * SCALE), 2e8).astype(np.int32)
    network = csr_matrix((capacities, (starts, ends)), shape=(n + 2, n + 2))
    rest = network - maximum_flow(network, n, n + 1).flow
    rest.data = (rest.data > 0).astype(np.int8)
    rest.eliminate_zeros()
    reached = breadth_first_order(rest, n, directed=True, return_predecessors=False)
    return np.isin(nodes, reached)


def colour_model(graph: Graph, inside: NDArray, unary: NDArray) -> NDArray[np.float64]:
    """Log ratio, clipped to 3, of how often the image's own inside and outside resemble each region: (n,)."""
    share = graph.regions.area / graph.regions.area.mean()
    probability = np.clip(0.9 * inside + 0.1 * sigmoid(unary), 0.02, 0.98)
    fore = graph.kernel @ (share * probability) / (share * probability).sum()
    back = graph.kernel @ (share * (1 - probability)) / (share * (1 - probability)).sum()
    floor = 0.02 * max(fore.mean(), back.mean())
    return np.clip(np.log((fore + floor) / (back + floor)), -3, 3)


def propose(
    graph: Graph,
    unary: NDArray,
    biases: tuple[float, ...] = (-0.8, -0.4, 0.0, 0.4, 0.8),
    rounds: int = 2,
    colour: float = 0.5,
) -> list[NDArray[np.bool_]]:
    """Masks that fit ``unary`` (n,) log odds, from strict to generous, and their larger parts: distinct (n,) bool.

    Each cut is made again ``rounds`` times with the image's own inside and outside as a colour model, weighted
    ``colour`` (the iteration of GrabCut, Rother et al., 2004, with densities in place of mixtures).
    """
    share = graph.regions.area / graph.regions.area.mean()
    masks = []
    for bias in biases:
        mask = minimum_cut(graph, (unary + bias) * share)
        for _ in range(rounds):
            if not mask.any() or mask.all():
                break
            better = minimum_cut(graph, (unary + 0.5 * bias + colour * colour_model(graph, mask, unary + bias)) * share)
            if (better == mask).all():
                break
            mask = better
        masks.append(mask)
    return _distinct(tidy for mask in masks if mask.any() and not mask.all() for tidy in _parts(graph.regions, mask))


def _parts(regions: Regions, mask: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """The mask without small parts and holes, and, when it falls apart, each of its three largest parts."""
    part = components(regions, mask)
    areas = np.bincount(part, regions.area * mask)
    tidy = [mask & (areas[part] >= 0.1 * areas.max())]
    large = [number for number in np.argsort(-areas, kind="stable")[:3] if areas[number] > 0.15 * areas.max()]
    if len(large) > 1:
        tidy += [part == number for number in large]
    return [fill_holes(regions, each) for each in tidy]


def _distinct(masks) -> list[NDArray[np.bool_]]:
    distinct = {mask.tobytes(): mask for mask in masks if mask.any() and not mask.all()}
    return list(distinct.values())


def outline_contrast(graph: Graph, mask: NDArray[np.bool_]) -> float:
    """Mean contrast along the outline of a mask, in [0, 1], less a tenth of the share that runs on the border."""
    regions = graph.regions
    parted = mask[regions.pairs[:, 0]] != mask[regions.pairs[:, 1]]
    length, rim = regions.contact[parted].sum(), regions.rim[mask].sum()
    inner = (regions.contact * graph.edges)[parted].sum() / (length + 1e-9)
    return float(inner - 0.2 * rim / (length + rim + 1e-9))


def sigmoid(values: NDArray) -> NDArray:
    """Log odds to probability."""
    return 1 / (1 + np.exp(-values))
