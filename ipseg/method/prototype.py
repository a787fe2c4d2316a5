"""Step 1: the prompt's object becomes one vector per feature layer (section 3.3.2, Eq. 5).

F_IP = Avgpool(F_IP * MS)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

from ipseg.core import geometry
from ipseg.core.choices import check_choice
from ipseg.core.types import Array, FeatureMap, Frame, PromptFeatures, Prototype, View
from ipseg.method import presence
from ipseg.method.config import IPSegConfig

NOTHING_STANDS_OUT = (
    "Nothing stands out in the prompt image, so all of it was used; crop it to the object or give a mask."
)
SAMPLINGS = {"area": geometry.to_cells, "nearest": geometry.sample_cells}
"""How a cell gets its value from the pixels of a map."""


def object_cells(
    saliency: NDArray,
    frame: Frame,
    *,
    threshold: float = 0.5,
    erosion: int = 1,
    smallest: int = 4,
    sampling: str = "area",
) -> NDArray[np.bool_]:
    """The cells that belong to the object: MS of Eq. 5 on the grid of the features.

    ``saliency`` is (H, W) in [0, 1] (a mask counts as 0 and 1). A cell belongs when its value is above ``threshold``
    after ``erosion`` rounds of a 3x3 minimum, in which cells beyond the border take no part; erosion stops before fewer
    than ``smallest`` cells are left. The value of a cell is its mean (``sampling="area"``) or one pixel of it
    (``"nearest"``, as in the released script). Nothing above the threshold gives no cell.

    Returns (rows, columns) bool. Raises :class:`SettingError` when there is no such sampling.
    """
    check_choice(sampling, SAMPLINGS, 'There is no sampling "{}"')
    values = SAMPLINGS[sampling](np.asarray(saliency, dtype=np.float32), frame)
    cells = values > threshold
    for _ in range(erosion):
        values = minimum_filter(values, size=3, mode="nearest")
        smaller = values > threshold
        if smaller.sum() < smallest:
            break
        cells = smaller
    return cells & geometry.cells_inside(frame)


def prompt_cells(saliency: NDArray, frame: Frame, config: IPSegConfig) -> NDArray[np.bool_]:
    """:func:`object_cells` with the config's numbers; all cells on the image when nothing stands out."""
    cells = object_cells(
        saliency,
        frame,
        threshold=config.cell_threshold,
        erosion=config.erosion,
        smallest=config.smallest,
        sampling=config.sampling,
    )
    return cells if cells.any() else geometry.cells_inside(frame)


def view_cells(view: View, config: IPSegConfig, frame: Frame) -> NDArray[np.bool_]:
    """The object's cells of a prompt image on any grid: (rows, columns) bool, at least one."""
    return view.cells if frame == view.frame else prompt_cells(view.saliency, frame, config)


def notices(view: View) -> Iterator[str]:
    """Notices about a prompt image for the user, one message each."""
    if view.cells.sum() == geometry.cells_inside(view.frame).sum():
        yield NOTHING_STANDS_OUT


def average(features: Sequence[FeatureMap], cells: NDArray[np.bool_]) -> dict[str, Array]:
    """Eq. 5: the mean feature of ``cells`` (rows, columns) bool in every layer, as {layer: (C,)}.

    The layers share the grid of the cells. Raises ValueError where there is no cell.
    """
    if not cells.any():
        raise ValueError("expected at least one cell to average over, got none")
    rows, columns = np.nonzero(cells)
    return {layer.name: layer.values[rows, columns].mean(0) for layer in features}


def of_images(images: Sequence[PromptFeatures]) -> Prototype:
    """F_IP of Eq. 5, the mean over the prompt images; likewise of their backgrounds, and sample cells of each image.

    Every layer is averaged on its own grid.
    """
    return Prototype(
        _mean([_averages(image.features, image.cells) for image in images]),
        _mean([_averages(image.features, partial(background, image)) for image in images]),
        tuple(presence.sample(image.features[0], image.cells(image.features[0].frame)) for image in images),
    )


def background(image: PromptFeatures, frame: Frame) -> NDArray[np.bool_]:
    """The cells on the image that are not the object; all of them when the object is everything: (rows, columns)."""
    inside = geometry.cells_inside(frame)
    rest = inside & ~image.cells(frame)
    return rest if rest.any() else inside


def _averages(features: Sequence[FeatureMap], cells: Callable[[Frame], NDArray[np.bool_]]) -> dict[str, Array]:
    return {layer.name: average([layer], cells(layer.frame))[layer.name] for layer in features}


def _mean(vectors: list[dict[str, Array]]) -> dict[str, Array]:
    return {layer: sum(vector[layer] for vector in vectors) / len(vectors) for layer in vectors[0]}
