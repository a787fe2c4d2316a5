"""Step 5, not in the paper: the presence score, by which a search finds the images that show the object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.status import Status
from ipseg.core.types import FeatureMap, Frame, InputFeatures, Mask, Prototype, Scorer
from ipseg.core.vectors import spread, to_numpy, unit
from ipseg.method.similarity import best_of_groups

MARGIN = 8  # pixels around a small mask, beside half of its size on each side
SMALL = 0.5  # of the image's longer side: a crop no larger than this is scored at its own scale
SAMPLE = 256  # cells of each side that are compared, at most
FEW = 64  # the same of each prompt, where many prompts are compared at once


def status(score: float, mask: Mask, threshold: float, reject_threshold: float, *, clicked: bool = False) -> Status:
    """Detected from ``threshold`` on, not detected below ``reject_threshold``, else uncertain.

    ``score`` and both thresholds are in [0, 1]. An empty ``mask`` (H, W) is not detected, whatever its score.
    ``clicked``: a person pointed at the object, so a mask that is not empty is detected.
    """
    if not mask.any():
        return Status.NOT_DETECTED
    if clicked or score >= threshold:
        return Status.DETECTED
    return Status.UNCERTAIN if score >= reject_threshold else Status.NOT_DETECTED


def crop_of_small(mask: Mask) -> tuple[slice, slice] | None:
    """Rows and columns of a square around a mask (H, W) bool, about twice its size; None unless that is small.

    A small object has few cells, each with some of its background in it; in the crop it has as many as a large one.
    """
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    side = crop_side(int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1)
    if side > SMALL * max(height, width):
        return None
    return _around(rows, int(side), height), _around(columns, int(side), width)


def crop_side(height: float, width: float) -> float:
    """The side of a square around what is ``height`` x ``width`` pixels large."""
    return 2 * (max(height, width) + MARGIN)


def small_regions(regions: NDArray[np.bool_], frame: Frame) -> NDArray[np.bool_]:
    """Which regions of cells (m, rows, columns), none empty, are as small as a mask that is scored on a crop: (m,)."""
    small = []
    for each in regions:
        rows, columns = (int(np.ptp(np.flatnonzero(each.any(axis=axis)))) + 1 for axis in (1, 0))
        side = crop_side(rows * frame.cell[1], columns * frame.cell[0])
        small.append(side <= SMALL * max(frame.image_size))
    return np.array(small, bool)


def cells_of(mask: Mask, frame: Frame) -> NDArray[np.bool_]:
    """The cells half of which a mask (H, W) holds, or of a smaller one those it holds most of: (rows, columns) bool."""
    share = geometry.to_cells(mask, frame)
    return share >= max(min(0.5, 0.9 * float(share.max())), 1e-6)


def of_regions(cells: NDArray[np.floating], regions: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The mean over each of (m, rows, columns) regions, none empty, of each of (n, rows, columns) maps: (n, m)."""
    weights = regions.reshape(len(regions), cells[0].size).astype(np.float32)
    weights /= weights.sum(axis=1, keepdims=True)
    return (cells.reshape(len(cells), cells[0].size).astype(np.float32) @ weights.T).astype(np.float32)


def _around(places: NDArray[np.intp], side: int, size: int) -> slice:
    """``side`` pixels around the middle of the places, or all ``size`` of them."""
    first = int(np.clip((places[0] + places[-1] + 1 - side) // 2, 0, max(0, size - side)))
    return slice(first, min(size, first + side))


def score(prompt: Prototype, layer: FeatureMap, mask: Mask, negative: Prototype | None = None) -> float:
    """How well the prompt explains what is inside the mask, in [0, 1].

    Each cell of the mask is compared with every sample cell of the prompt's object; the score is the mean of the
    squares of the best cosines (negative ones count 0). ``layer`` is the input image's, as that of the samples;
    ``mask`` is (H, W) bool in the input's pixels. What the ``negative`` prompt explains of a cell is subtracted. An
    empty mask scores 0.
    """
    share = geometry.to_cells(mask, layer.frame)
    if not share.any():
        return 0.0
    inside = sample(layer, share >= min(0.5, float(share.max())))
    value = _explained(inside, prompt)
    if negative is not None:
        value = np.maximum(value - _explained(inside, negative), 0)
    return float(np.clip(np.mean(value), 0, 1))


def of_cells(prompts: Sequence[Prototype], layer: FeatureMap) -> NDArray[np.float32]:
    """The score of each cell of ``layer`` for each prompt: (prompts, rows, columns) in [0, 1], of one matrix product.

    Of each prompt at most ``FEW`` sample cells are compared.
    """
    rows = unit(to_numpy(layer.values)).reshape(-1, layer.values.shape[-1])
    groups = [spread(np.concatenate(prompt.descriptors), FEW) for prompt in prompts]
    best = best_of_groups(rows, groups, 1)
    return np.clip(np.maximum(best, 0) ** 2, 0, 1).reshape(len(prompts), *layer.frame.grid)


def _explained(cells: NDArray[np.float32], prompt: Prototype) -> NDArray[np.float32]:
    """The square of the best cosine of each of (n, C) unit vectors with the prompt's samples, or 0: (n,)."""
    best = np.max([(cells @ descriptors.T).max(axis=1) for descriptors in prompt.descriptors], axis=0)
    return np.maximum(best, 0) ** 2


def sample(layer: FeatureMap, cells: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Features of at most ``SAMPLE`` of ``cells`` (rows, columns), evenly spread, of unit length: (n, C) float32."""
    rows, columns = np.nonzero(cells)
    chosen = np.unique(np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows))).round().astype(np.intp))
    return unit(to_numpy(layer.values[rows[chosen], columns[chosen]]))


class FirstLayer:
    """The presence score of scorers whose models are prototypes: by the cells of the first feature layer."""

    presence_without: Mapping[str, Scorer] = MappingProxyType({})

    def presence(self, model: Prototype, image: InputFeatures, negative: Prototype | None, mask: Mask) -> float:
        """See :func:`score`."""
        return score(model, image.features[0], mask, negative)

    def cell_scores(self, models: Sequence[Prototype], image: InputFeatures) -> tuple[NDArray[np.float32], Frame]:
        """See :func:`of_cells`, on the first layer."""
        return of_cells(models, image.features[0]), image.features[0].frame

    def region_scores(
        self,
        models: Sequence[Prototype],
        image: InputFeatures,
        cells: NDArray[np.float32],
        regions: NDArray[np.bool_],
        frame: Frame,
    ) -> NDArray[np.float32]:
        """The mean of the scores of the cells."""
        return of_regions(cells, regions)
