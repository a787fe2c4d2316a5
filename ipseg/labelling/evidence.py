"""What speaks for a class in an image before it is segmented: regions of cells, scored as if they were masks.

A class that is not in an image is like some of its cells too. But the region that these make, its mean and its colours,
is hardly like the class, and neither is the region where the similarity is highest, which a segmentation would begin
with. Both are scored of what is computed anyway: no network runs.

Not in the paper, which segments one object in one image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ipseg.core import geometry
from ipseg.core.types import Frame, InputFeatures, Mask, Scorer
from ipseg.method import instances, presence
from ipseg.method.prompt import Prompt

REGIONS = 4  # of a class in an image, at most: those with the most evidence
FEWEST = 3  # cells of a region
REACHED = 0.1  # share of a cell in a mask, above which it is not beside it
BLOCK = np.ones((2, 2), bool)  # cells that a region beside a mask consists of: its border is narrower

Regions = NDArray[np.bool_]
"""(m, rows, columns) bool: regions of the cells of a frame."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """Of all classes in one image. ``cells`` (n, rows, columns): the scores of the cells of ``frame`` for each class.

    ``level``: the score from which on a cell speaks for a class; ``k``: as of the engine, for the similarity.
    """

    scorer: Scorer
    prompts: Sequence[Prompt]
    image: InputFeatures
    cells: NDArray[np.float32]
    frame: Frame
    level: float
    k: int

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """The cells on the image: (rows, columns) bool."""
        return geometry.cells_inside(self.frame)

    def beside(self, place: int, held: Sequence[Mask] = ()) -> float:
        """The best score of a region of a class beside these masks and their borders; 0 where there is none."""
        free = self.inside & (self.cells[place] >= self.level)
        for mask in held:
            free &= ~reached(mask, self.frame)
        if held:
            free = ndimage.binary_opening(free, BLOCK)
        return self._best(place, regions(free, np.maximum(self.cells[place] - self.level, 0)))

    def similar(self, place: int) -> float:
        """The best score of a region where the similarity has a hill, as a segmentation takes it."""
        prompt = self.prompts[place]
        negative = prompt.negative.model if prompt.negative else None
        similarity = self.scorer.similarity(prompt.model, self.image, negative)
        hills = instances.hills_of(similarity, self.k)
        largest = np.argsort(-np.bincount(hills.ravel())[1:], kind="stable")[:REGIONS] + 1
        apart = (hills[..., None] == largest).astype(np.float32)
        found = np.moveaxis(geometry.resample(apart, similarity.frame, self.frame), -1, 0) > 0.5
        return self._best(place, found[found.any(axis=(1, 2))])

    def touches(self, place: int, mask: Mask) -> bool:
        """Whether a mask (H, W) reaches into a cell that speaks for a class."""
        return bool((reached(mask, self.frame) & self.inside & (self.cells[place] >= self.level)).any())

    def of_mask(self, places: Sequence[int], mask: Mask) -> NDArray[np.float32]:
        """About the presence scores of a mask (H, W) for classes: (n,) in [0, 1]; 0 where it has no cell."""
        held = presence.cells_of(mask, self.frame)
        return self._scores(places, held[None])[:, 0] if held.any() else np.zeros(len(places), np.float32)

    def _best(self, place: int, found: Regions) -> float:
        return float(self._scores([place], found).max()) if len(found) else 0.0

    def _scores(self, places: Sequence[int], found: Regions) -> NDArray[np.float32]:
        models, cells = [self.prompts[place].model for place in places], self.cells[list(places)]
        return self.scorer.region_scores(models, self.image, cells, found, self.frame)


def regions(cells: NDArray[np.bool_], weights: NDArray[np.float32]) -> Regions:
    """The connected regions of cells (rows, columns), those with the most weight first.

    At most :data:`REGIONS`, of :data:`FEWEST` cells or more; cells are joined by sides. ``weights`` like ``cells``.
    """
    count, labels = cv2.connectedComponents(cells.astype(np.uint8), connectivity=4)
    sizes, heavy = (np.bincount(labels.ravel(), each, count) for each in (None, weights.ravel()))
    order = [n for n in np.argsort(-heavy, kind="stable") if n > 0 and sizes[n] >= FEWEST]
    return np.array([labels == n for n in order[:REGIONS]], bool).reshape(-1, *cells.shape)


def reached(mask: Mask, frame: Frame) -> NDArray[np.bool_]:
    """The cells that a mask (H, W) reaches into: (rows, columns) bool."""
    return geometry.to_cells(mask, frame) > REACHED
