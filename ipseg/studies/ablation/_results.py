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
from ipseg.studies.ablation import _packing


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
    """{name/part: array}; maps in half precision."""
    return _packing.packed({name: _as_arrays(one) for name, one in found.items()})


def unpacked(arrays: Arrays) -> dict[str, AblationResult]:
    """The inverse of :func:`packed`."""
    return {name: _of_arrays(one) for name, one in _packing.unpacked(arrays).items()}


def _as_arrays(one: AblationResult) -> Arrays:
    arrays: dict[str, NDArray[Any]] = {"mask": one.mask, "status": np.array(one.status.value)}
    arrays |= {"positive": one.points.positive, "negative": one.points.negative}
    return arrays if one.map is None else arrays | {"map": one.map.astype(np.float16)}


def _of_arrays(one: Arrays) -> AblationResult:
    points, shown = Points(one["positive"], one["negative"]), one.get("map")
    return AblationResult(
        one["mask"], Status(str(one["status"])), points, None if shown is None else shown.astype(np.float32)
    )


def none(error: str) -> AblationResult:
    """The result of a variant that failed: an empty mask, no points, and the error message."""
    nothing = np.empty((0, 2), np.float32)
    return AblationResult(np.zeros((0, 0), bool), Status.NOT_DETECTED, Points(nothing, nothing), None, error)
