"""Results as arrays, to be cached on disk and sent between processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.result import Result
from ipseg.core.status import Status
from ipseg.core.store import Arrays
from ipseg.core.types import Mask, Points


@dataclass(frozen=True)
class AblationResult:
    """The mask of one variant, and the map that it was computed from."""

    mask: Mask
    status: Status
    points: Points
    map: NDArray[np.float32] | None = None  # (H, W): a similarity of the image, or a saliency of the prompt
    error: str = ""  # the error message of a variant that failed; its mask is empty


def summarise(result: Result, shown: NDArray[np.float32] | None = None) -> AblationResult:
    """The part of a result that is cached, with the map that it was computed from."""
    return AblationResult(result.mask, result.status, result.points, shown)


def packed(found: Mapping[str, AblationResult]) -> Arrays:
    """{name/part: array}."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, one in found.items():
        arrays[f"{name}/mask"], arrays[f"{name}/status"] = one.mask, np.array(one.status.value)
        arrays[f"{name}/positive"], arrays[f"{name}/negative"] = one.points.positive, one.points.negative
        if one.map is not None:
            arrays[f"{name}/map"] = one.map.astype(np.float16)
    return arrays


def unpacked(arrays: Arrays) -> dict[str, AblationResult]:
    """The inverse of :func:`packed`."""
    found = {}
    for name in dict.fromkeys(key.rpartition("/")[0] for key in arrays):
        mask, status, positive, negative = (
            arrays[f"{name}/{part}"] for part in ("mask", "status", "positive", "negative")
        )
        shown = arrays.get(f"{name}/map")
        points = Points(positive, negative)
        found[name] = AblationResult(
            mask, Status(str(status)), points, None if shown is None else shown.astype(np.float32)
        )
    return found


def none(error: str) -> AblationResult:
    """The result of a variant that failed: an empty mask, no points, and the error message."""
    nothing = np.empty((0, 2), np.float32)
    return AblationResult(np.zeros((0, 0), bool), Status.NOT_DETECTED, Points(nothing, nothing), None, error)
