"""TokenCut: the object is the side of a normalised cut of the graph of patches that holds the seed.

Wang et al., "Self-Supervised Transformers for Unsupervised Object Discovery using Normalized Cut", CVPR 2022. It needs
no weights of its own: it works on the features that the engine computes anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.sparse.linalg import LinearOperator, eigsh

from ipseg.classical.guided import guided_filter
from ipseg.core import geometry
from ipseg.core.types import Array, FeatureMap, ImageArray, LazyFeatures, SettingError
from ipseg.core.vectors import unit

WEAK = 1e-5  # the weight of the edge between two patches that are not alike; it keeps the graph in one piece
SMOOTH = 1e-3  # of the guided filter: brightness that varies less than this, squared, counts as flat


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    tau: float = 0.2  # two patches are alike above this cosine
    layer: str = ""  # the feature layer to cut; empty: the first one
    refine: bool = False  # let the outline follow the image (guided filter) instead of the cells


class TokenCut:
    """The cut as a :class:`ipseg.core.types.SaliencyMethod` of the image's features."""

    reads_features = True

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    def __call__(self, image: ImageArray, features: LazyFeatures) -> NDArray[np.float32]:
        """Saliency of an image (H, W, 3) uint8 from its features: (H, W) float32 in [0, 1].

        Raises ValueError when the features have no layer of the name in the settings.
        """
        layer = self._layer(features())
        shown = geometry.to_image(cut(layer, self.settings.tau), layer.frame)
        return _guided(image, shown, layer.frame.cell) if self.settings.refine else shown

    def _layer(self, features: Sequence[FeatureMap]) -> FeatureMap:
        names = [layer.name for layer in features]
        name = self.settings.layer or names[0]
        if name not in names:
            raise ValueError(f'expected a feature layer called "{name}", got {names}')
        return features[names.index(name)]


def cut(layer: FeatureMap, tau: float = 0.2) -> NDArray[np.bool_]:
    """The cells that the cut takes out: those on the seed's side of it that hang together with the seed.

    The seed is the cell that the second eigenvector is surest about. Only cells on the image take part. Where all
    cells are alike, or no two of them, there is no cut, and the answer is empty. Returns (rows, columns) bool.
    """
    inside = geometry.cells_inside(layer.frame)
    alike = adjacency(layer.values[np.nonzero(inside)], tau)
    cells = np.zeros(layer.frame.grid, dtype=bool)
    if alike.all() or alike.sum() <= len(alike):
        return cells
    vector = second_eigenvector(alike)
    seed = int(np.argmax(np.abs(vector)))
    side = vector > vector.mean()
    cells[inside] = side if side[seed] else ~side
    parts, _ = label(cells)
    return parts == parts[inside][seed]


def adjacency(values: Array, tau: float) -> NDArray[np.bool_]:
    """Which of n cells (n, C) are alike, their cosine above ``tau``: (n, n) bool."""
    if hasattr(values, "detach"):
        values = values.detach().float()
    rows = unit(values)
    alike = rows @ rows.T > tau
    return alike.cpu().numpy() if hasattr(alike, "cpu") else alike


def second_eigenvector(alike: NDArray[np.bool_]) -> NDArray[np.float32]:
    """y of the second smallest eigenvalue of (D - W) y = lambda D y, with W = 1 where alike and WEAK elsewhere: (n,).

    In z = D^(1/2) y it is the second largest of D^(-1/2) W D^(-1/2). The largest is known, D^(1/2) 1, and taken out, so
    that Lanczos computes one vector alone. Its sign means nothing.
    """
    weights = np.where(alike, np.float32(1), np.float32(WEAK))
    degrees = weights.sum(axis=1, dtype=np.float64)
    root = (1 / np.sqrt(degrees)).astype(np.float32)
    first = np.sqrt(degrees / degrees.sum()).astype(np.float32)

    def multiply(z: NDArray) -> NDArray:
        z = z.ravel().astype(np.float32)
        return root * (weights @ (root * z)) - first * (first @ z)

    n = len(alike)
    start = np.random.default_rng(0).standard_normal(n).astype(np.float32)  # fixed: same features, same cut
    _, z = eigsh(LinearOperator((n, n), matvec=multiply, dtype=np.float32), k=1, which="LA", v0=start, tol=1e-5)
    return root * z[:, 0]


def _guided(image: ImageArray, shown: NDArray[np.float32], cell: tuple[float, float]) -> NDArray[np.float32]:
    """The map with its edges along those of the image's brightness; the window is about three cells wide."""
    guide = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    width, height = (2 * max(1, round(side)) + 1 for side in cell)
    return np.clip(guided_filter(guide, shown, (width, height), SMOOTH), 0, 1).astype(np.float32)


def build(settings: Settings) -> TokenCut:
    """Make the part; it needs no weights."""
    if not -1 <= settings.tau < 1:
        raise SettingError(f"tau is {settings.tau}; give a cosine from -1 to below 1.")
    return TokenCut(settings)
