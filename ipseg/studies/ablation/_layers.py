"""Feature layers as colours (Fig. 4), and how well they separate an object from its background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.store import Arrays
from ipseg.core.types import FeatureMap, Frame, ImageArray, Mask, View
from ipseg.core.vectors import to_numpy, unit
from ipseg.evaluation.metrics import area_under_curve
from ipseg.method import similarity
from ipseg.studies.ablation import _packing

FUSED = "fused"


@dataclass(frozen=True)
class Colours:
    """One feature layer of two images in the colours of their common principal components."""

    name: str
    prompt: ImageArray
    image: ImageArray
    held: float  # share of the layer's variance in the three components, in [0, 1]
    same: float  # cosine of the object's mean features in the two images
    background: float  # cosine of the object's mean features in the prompt and the background's in the other image


def coloured(prompt: FeatureMap, image: FeatureMap, object_cells: NDArray[np.bool_], found: Mask) -> Colours:
    """The first three principal components over both images as red, green and blue; the padding takes no part.

    ``object_cells`` (rows, columns) bool are the object's cells in the prompt, ``found`` (H, W) bool its mask in
    the image.
    """
    maps = (prompt, image)
    values = [to_numpy(layer.values) for layer in maps]
    insides = [each[geometry.cells_inside(layer.frame)] for each, layer in zip(values, maps, strict=True)]
    planes, held = _components(np.concatenate(insides), values)
    images = [_as_image(each, layer) for each, layer in zip(planes, maps, strict=True)]
    where = geometry.to_cells(found.astype(np.float32), image.frame) > 0.5
    there = geometry.cells_inside(image.frame)
    own = _mean(values[0], object_cells)
    same, background = (_cosine(own, _mean(values[1], each & there)) for each in (where, ~where))
    return Colours(prompt.name, images[0], images[1], held, same, background)


def cells_of(view: View, frame: Frame) -> NDArray[np.bool_]:
    """The object's cells of a prompt image on any grid: (rows, columns) bool."""
    if frame == view.frame:
        return view.cells
    return geometry.resample(view.cells[..., None].astype(np.float32), view.frame, frame)[..., 0] > 0.5


def _components(
    cells: NDArray[np.float32], values: Sequence[NDArray[np.float32]]
) -> tuple[list[NDArray[np.float32]], float]:
    """``values`` along the first components of ``cells`` (n, C), each in [0, 1]; and the share that they hold.

    In float64: sums in another order, as threads make them, then end in the same colour.
    """
    from sklearn.decomposition import PCA

    total = float(cells.var(axis=0, ddof=1).sum()) if len(cells) > 1 else 0.0
    if total < 1e-9:  # constant features: one grey
        return [np.full((*each.shape[:2], 1), 0.5, np.float32) for each in values], 1.0
    count = min(3, *cells.shape)
    fitted = PCA(count, svd_solver="randomized" if min(cells.shape) > 8 else "full", random_state=0)
    low, high = np.percentile(fitted.fit_transform(cells.astype(np.float64)), (2, 98), axis=0)
    units = [
        (fitted.transform(each.reshape(-1, each.shape[2])) - low) / np.maximum(high - low, 1e-9) for each in values
    ]
    planes = [np.clip(share, 0, 1).reshape(*each.shape[:2], count) for share, each in zip(units, values, strict=True)]
    return planes, min(1.0, float(fitted.explained_variance_.sum()) / total)


def fused(features: Sequence[FeatureMap], weights: Mapping[str, float]) -> FeatureMap:
    """Eq. 4: the layers of unit length side by side, so that a product of two cells is the weighted sum of cosines.

    A layer of another grid is brought to that of the first.
    """
    used = [layer for layer in features if weights.get(layer.name)]
    parts = []
    for layer in used:
        values = to_numpy(layer.values)
        if layer.frame != used[0].frame:
            values = geometry.resample(values, layer.frame, used[0].frame)
        parts.append(unit(values) * np.float32(weights[layer.name] ** 0.5))
    return FeatureMap(FUSED, np.concatenate(parts, axis=-1), used[0].frame)


def separation(values: NDArray[np.float32], mask: Mask) -> float:
    """The area under the ROC curve of ``values`` (H, W) for ``mask``: object against background, ties half, in [0, 1].

    0.5 where the mask is empty or full.
    """
    return 0.5 if mask.all() or not mask.any() else area_under_curve(values[mask], values[~mask])


def _as_image(colours: NDArray[np.float32], layer: FeatureMap) -> ImageArray:
    planes = [geometry.to_image(plane, layer.frame) for plane in np.moveaxis(colours, 2, 0)]
    planes += [planes[-1]] * (3 - len(planes))
    return np.rint(np.dstack(planes) * 255).astype(np.uint8)


def _mean(values: NDArray[np.float32], cells: NDArray[np.bool_]) -> NDArray[np.float32]:
    return values[cells].mean(axis=0) if cells.any() else np.zeros(values.shape[2], np.float32)


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(similarity.cosine(one, other[None, None])[0, 0])


def packed(seen: Sequence[Colours]) -> Arrays:
    """{layer/part: array}, to be cached on disk."""
    return _packing.packed({one.name: _as_arrays(one) for one in seen})


def unpacked(arrays: Arrays) -> tuple[Colours, ...]:
    """The inverse of :func:`packed`."""
    groups = _packing.unpacked(arrays).items()
    return tuple(Colours(name, one["prompt"], one["image"], *map(float, one["numbers"])) for name, one in groups)


def _as_arrays(one: Colours) -> Arrays:
    return {"prompt": one.prompt, "image": one.image, "numbers": np.array([one.held, one.same, one.background])}
