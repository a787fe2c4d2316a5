"""The outlines of masks: how compact and how long they are, and the parts at whose necks a mask falls apart.

Several objects that touch make one region of a saliency map. Whether a region is one object with limbs or several
objects depends on the outline of the prompt's object: parts that are more like it than the whole are objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, gaussian_filter

from ipseg.core.types import Mask

BLUR = 1.5  # pixels, of the distance to the border, so that a rough border makes no parts
APART = 6  # pixels between the middles of two parts, at least
DEEP = 2.5  # pixels from the middle of a part to the border, at least
FEWEST = 60  # pixels of a region or a part; all for maps whose longer side is 320
LENGTH = 0.5  # weight of the length of an outline beside its compactness
SPLIT = 0.7  # parts are objects where their outlines differ less than this share of what the whole's differs


class Outline(NamedTuple):
    """Two numbers in [0, 1] that do not change with place, size or rotation."""

    solidity: float  # area over that of the convex hull
    roundness: float  # shorter over longer axis of the ellipse with the same second moments


def outline(mask: Mask) -> Outline | None:
    """That of the largest region of a mask (h, w); None for an empty one."""
    from skimage.measure import label, regionprops  # here, as the import takes a tenth of a second

    found = regionprops(label(mask))
    if not found:
        return None
    largest = max(found, key=lambda region: region.area)
    longer = float(largest.axis_major_length)
    return Outline(float(largest.solidity), float(largest.axis_minor_length) / longer if longer else 1.0)


def difference(mask: Mask, others: Sequence[Outline]) -> float:
    """How much the outline of a mask (h, w), not empty, differs from the most similar of ``others``: 0 or more."""
    one = outline(mask)
    if one is None:
        raise ValueError("expected a mask that is not empty")
    return min(abs(one.solidity - other.solidity) + LENGTH * abs(one.roundness - other.roundness) for other in others)


def regions(mask: Mask) -> list[Mask]:
    """The connected regions of a mask (h, w) of at least ``FEWEST`` pixels."""
    from skimage.measure import label

    return _separate(label(mask))


def parts(region: Mask) -> list[Mask]:
    """The parts of a region (h, w) that necks divide, of at least ``FEWEST`` pixels (watershed of the distance)."""
    from skimage.feature import peak_local_max  # here, as these imports take a tenth of a second
    from skimage.segmentation import watershed

    depth = gaussian_filter(distance_transform_edt(region), BLUR)
    middles = np.zeros(region.shape, np.int32)
    places = peak_local_max(depth, min_distance=APART, threshold_abs=DEEP, labels=region.astype(np.int32))
    middles[tuple(places.T)] = np.arange(1, len(places) + 1)
    return _separate(watershed(-depth, middles, mask=region))


def is_several(region: Mask, pieces: Sequence[Mask], others: Sequence[Outline]) -> bool:
    """Whether the pieces of a region, rather than the whole, are like the outlines ``others`` of single objects.

    All are (h, w). The pieces count by their area. False without another outline, and with fewer than two pieces.
    """
    if len(pieces) < 2 or not others:
        return False
    areas = [int(piece.sum()) for piece in pieces]
    apart = np.average([difference(piece, others) for piece in pieces], weights=areas)
    return bool(apart < SPLIT * difference(region, others))


def _separate(numbers: np.ndarray) -> list[Mask]:
    sizes = np.bincount(numbers.ravel())
    return [numbers == number for number in range(1, len(sizes)) if sizes[number] >= FEWEST]
