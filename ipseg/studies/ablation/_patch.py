"""The similarity of one patch of an image to every patch of another one, by the features of an engine alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, images
from ipseg.core.types import Frame, ImageArray
from ipseg.core.vectors import to_numpy
from ipseg.engine.protocol import Engine
from ipseg.method import similarity
from ipseg.method.encodings import named

MATCHES = 3  # that are marked
APART = 8  # the least distance of two matches, as a share of the longer side of the grid: one eighth


@dataclass(frozen=True)
class PatchSimilarity:
    """Where another image has the features of one patch."""

    box: tuple[float, float, float, float]  # the patch: left, top, right, bottom in pixels of its image
    values: NDArray[np.float32]  # (rows, columns): the cosine of each cell of the other image, in [-1, 1]
    frame: Frame  # of those cells
    matches: NDArray[np.float32]  # (n, 2), (x, y) in pixels of the other image, the most similar first
    scores: NDArray[np.float32]  # (n,) their cosines

    def map_of(self, size: tuple[int, int]) -> NDArray[np.float32]:
        """The cosines on the other image at any ``size`` (height, width): (height, width) float32."""
        (height, width), (left, top, right, bottom) = self.frame.image_size, self.frame.box
        down, across = size[0] / height, size[1] / width
        box = (left * across, top * down, right * across, bottom * down)
        return geometry.to_image(self.values, Frame(size, self.frame.grid, box))


def patch_similarity(
    engine: Engine, image: ImageArray, other: ImageArray, place: tuple[float, float], most: int = MATCHES
) -> PatchSimilarity:
    """Compare the patch of ``image`` under ``place``, (x, y) in its pixels, with every patch of ``other``.

    The similarity is the mean of the cosines of the feature layers, with the weights that the scorer of the engine has
    for them (Eq. 6). Each image is encoded once and cached by ``engine``. ``most``: matches at most; no two of them
    are closer than an eighth of the longer side of the other image.
    """
    for each in (image, other):
        images.check_whole(each, "comparing patches")
    seen, searched = engine.encodings.features(named(image)), engine.encodings.features(named(other))
    weights = engine.scorer.layer_weights([layer.name for layer in seen])
    used = [pair for pair in zip(seen, searched, strict=True) if weights.get(pair[0].name)] or [(seen[0], searched[0])]
    frame = used[0][1].frame
    total, values = 0.0, np.zeros(frame.grid, np.float32)
    for here, there in used:
        column, row = _cell(place, here.frame)
        cosines = to_numpy(similarity.cosine(here.values[row, column], there.values))
        if there.frame != frame:
            cosines = geometry.resample(cosines[..., None], there.frame, frame)[..., 0]
        weight = weights.get(here.name, 1.0)
        total, values = total + weight, values + np.float32(weight) * cosines
    values /= np.float32(total)
    found = list(_peaks(np.where(_inside(frame), values, -np.inf), most))
    centres = geometry.cells_to_image(np.array([(column, row) for row, column in found]), frame)
    scores = np.array([values[cell] for cell in found], np.float32)
    return PatchSimilarity(_box(place, used[0][0].frame), values, frame, centres, scores)


def _inside(frame: Frame) -> NDArray[np.bool_]:
    """The cells whose centre lies on the image; all of them where none does, as on a very thin image."""
    inside = geometry.cells_inside(frame)
    return inside if inside.any() else np.ones_like(inside)


def _cell(place: tuple[float, float], frame: Frame) -> tuple[int, int]:
    """(column, row) of the cell under a pixel; of a pixel beyond the cells that lie on the image, the nearest."""
    column, row = np.rint(geometry.image_to_cells(np.array(place), frame)[0]).astype(int)
    inside = _inside(frame)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return int(np.clip(column, columns[0], columns[-1])), int(np.clip(row, rows[0], rows[-1]))


def _box(place: tuple[float, float], frame: Frame) -> tuple[float, float, float, float]:
    """The cell under a pixel: (left, top, right, bottom) in pixels of the image, cut at its border."""
    centre, (across, down) = geometry.cells_to_image(np.array(_cell(place, frame)), frame)[0], frame.cell
    height, width = frame.image_size
    left, right = np.clip(centre[0] + np.array([-across, across]) / 2, 0, width)
    top, bottom = np.clip(centre[1] + np.array([-down, down]) / 2, 0, height)
    return float(left), float(top), float(right), float(bottom)


def _peaks(values: NDArray[np.float32], most: int) -> Iterator[tuple[int, int]]:
    """The (row, column) of the highest values, none of them near a higher one."""
    left = values.copy()
    rows, columns = np.indices(left.shape)
    apart = max(1.0, max(left.shape) / APART)
    for _ in range(most):
        row, column = map(int, np.unravel_index(int(left.argmax()), left.shape))
        if not np.isfinite(left[row, column]):
            return
        yield row, column
        left[(rows - row) ** 2 + (columns - column) ** 2 < apart**2] = -np.inf
