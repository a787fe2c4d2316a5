"""Step 1: what the prompt shows becomes one vector per feature layer (section 3.3.2, Eq. 5).

F_IP = Avgpool(F_IP * MS)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry
from ipseg.core.types import Array, FeatureMap, Frame, SettingError

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
    (``"nearest"``, as in the released script). When nothing is above the threshold the answer is empty: the caller
    decides what that means.

    Returns (rows, columns) bool. Raises :class:`SettingError` when there is no such sampling.
    """
    if sampling not in SAMPLINGS:
        raise SettingError(f'There is no sampling "{sampling}"; choose one of: {", ".join(SAMPLINGS)}.')
    values = SAMPLINGS[sampling](np.asarray(saliency, dtype=np.float32), frame)
    cells = values > threshold
    for _ in range(erosion):
        values = _minimum_3x3(values)
        smaller = values > threshold
        if smaller.sum() < smallest:
            break
        cells = smaller
    return cells & geometry.cells_inside(frame)


def average(features: Sequence[FeatureMap], cells: NDArray[np.bool_]) -> dict[str, Array]:
    """Eq. 5: the mean feature of ``cells`` (rows, columns) bool in every layer, as {layer: (C,)}."""
    if not cells.any():
        raise ValueError("expected at least one cell to average over, got none")
    rows, columns = np.nonzero(cells)
    return {layer.name: layer.values[rows, columns].mean(0) for layer in features}


def _minimum_3x3(values: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = values.shape
    padded = np.pad(values, 1, mode="edge")
    return np.min([padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)], axis=0)
