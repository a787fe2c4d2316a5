"""Superpixels: an image as a few hundred small regions with their means, neighbours and place on the border.

Shared by the parts of the offline engine. Everything here is a pure function of its arguments.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from skimage.segmentation import slic

from ipseg.core.types import ImageArray


@dataclass(frozen=True)
class Regions:
    """``n`` regions of a working image of (h, w) pixels, and the ``m`` pairs of them that touch."""

    labels: NDArray[np.int32]  # (h, w): the region of each pixel, 0 to n - 1
    area: NDArray[np.float64]  # (n,): pixels
    colour: NDArray[np.float64]  # (n, 3): mean CIE Lab, L in [0, 100]
    position: NDArray[np.float64]  # (n, 2): mean (x, y), the longer side of the image being 1
    pairs: NDArray[np.intp]  # (m, 2): touching regions, the lower number first
    contact: NDArray[np.float64]  # (m,): length of the shared outline, in pixels
    rim: NDArray[np.float64]  # (n,): pixels on the border of the image

    @property
    def n(self) -> int:
        return len(self.area)

    @property
    def border(self) -> NDArray[np.intp]:
        """Numbers of the regions on the border of the image."""
        return np.flatnonzero(self.rim)

    def mean(self, values: NDArray) -> NDArray[np.float64]:
        """The mean of a (h, w) or (h, w, C) map over each region: (n,) or (n, C)."""
        flat = self.labels.ravel()
        layers = np.asarray(values, dtype=np.float64).reshape(flat.size, -1).T
        means = np.stack([np.bincount(flat, layer, minlength=self.n) for layer in layers], axis=1)
        return (means / self.area[:, None]).reshape(self.n, *np.shape(values)[2:])


def working_image(image: ImageArray, side: int) -> ImageArray:
    """The image scaled to a longest side of ``side``, however large or small it is: (h, w, 3) uint8."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def to_lab(image: ImageArray) -> NDArray[np.float32]:
    """CIE Lab of an sRGB image: (h, w, 3) float32, L in [0, 100]."""
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def superpixels(lab: NDArray[np.float32], count: int, compactness: float = 0.1, rounds: int = 5) -> Regions:
    """About ``count`` superpixels of a Lab image (SLIC, Achanta et al., 2012).

    scikit-image scales the image to [0, 1] first, so ``compactness`` weighs against differences of that range.
    """
    labels = slic(lab, n_segments=count, compactness=compactness, convert2lab=False, start_label=0, max_num_iter=rounds)
    return _measure(labels.astype(np.int32), lab)


def _measure(labels: NDArray[np.int32], lab: NDArray[np.float32]) -> Regions:
    flat, n = labels.ravel(), int(labels.max()) + 1
    area = np.bincount(flat, minlength=n).astype(np.float64)
    rows, columns = np.indices(labels.shape)
    layers = [lab[..., 0], lab[..., 1], lab[..., 2], columns + 0.5, rows + 0.5]
    means = [np.bincount(flat, np.asarray(layer, dtype=np.float64).ravel(), minlength=n) / area for layer in layers]
    edges = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    pairs, contact = _touching(labels, n)
    return Regions(
        labels,
        area,
        np.stack(means[:3], axis=1),
        np.stack(means[3:], axis=1) / max(labels.shape),
        pairs,
        contact,
        np.bincount(edges, minlength=n).astype(np.float64),
    )


def _touching(labels: NDArray[np.int32], n: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    first = np.concatenate([labels[:, :-1].ravel(), labels[:-1].ravel()])
    second = np.concatenate([labels[:, 1:].ravel(), labels[1:].ravel()])
    low, high = np.minimum(first, second), np.maximum(first, second)
    differ = low != high
    counts = coo_matrix((np.ones(differ.sum()), (low[differ], high[differ])), shape=(n, n)).tocsr().tocoo()
    return np.stack([counts.row, counts.col], axis=1).astype(np.intp), counts.data


def components(regions: Regions, inside: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Connected components of a choice of regions and of what is left: (n,) numbers from 0."""
    same = inside[regions.pairs[:, 0]] == inside[regions.pairs[:, 1]]
    links = regions.pairs[same]
    graph = coo_matrix((np.ones(len(links)), (links[:, 0], links[:, 1])), shape=(regions.n, regions.n))
    return connected_components(graph, directed=False)[1]


def fill_holes(regions: Regions, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The choice with every hole filled: what is left over and does not reach the border of the image."""
    part = components(regions, inside)
    reaches = np.zeros(part.max() + 1, dtype=bool)
    reaches[part[regions.border]] = True
    return inside | ~reaches[part]


def gaussian(first: NDArray, second: NDArray, width: float) -> NDArray[np.float32]:
    """Gaussian kernel of every row of ``first`` (n, C) with every row of ``second`` (m, C): (n, m) in [0, 1]."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1)[None] - 2 * first @ second.T
    return np.exp(-np.maximum(squares, 0) / (2 * width**2)).astype(np.float32)
