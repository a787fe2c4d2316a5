"""Answers as arrays, so that they can be kept on disk and sent between processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core.result import Result
from ipseg.core.store import Arrays
from ipseg.core.types import Mask, Points


@dataclass(frozen=True)
class Answer:
    """What one setting answers, and the map that it answers from."""

    mask: Mask
    found: bool
    points: Points
    map: NDArray[np.float32] | None = None  # (H, W): a similarity of the image, or a saliency of the prompt
    error: str = ""  # why there is none, in a message; the mask is empty then


def answer(result: Result, shown: NDArray[np.float32] | None = None) -> Answer:
    """What of a result is kept, and the map that it was made from."""
    return Answer(result.mask, result.found, result.points, shown)


def packed(found: Mapping[str, Answer]) -> Arrays:
    """{name/part: array}."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, one in found.items():
        arrays[f"{name}/mask"], arrays[f"{name}/found"] = one.mask, np.array(one.found)
        arrays[f"{name}/positive"], arrays[f"{name}/negative"] = one.points.positive, one.points.negative
        if one.map is not None:
            arrays[f"{name}/map"] = one.map.astype(np.float16)
    return arrays


def unpacked(arrays: Arrays) -> dict[str, Answer]:
    """What :func:`packed` packed."""
    found = {}
    for name in dict.fromkeys(key.rpartition("/")[0] for key in arrays):
        mask, told, positive, negative = (
            arrays[f"{name}/{part}"] for part in ("mask", "found", "positive", "negative")
        )
        shown = arrays.get(f"{name}/map")
        points = Points(positive, negative)
        found[name] = Answer(mask, bool(told), points, None if shown is None else shown.astype(np.float32))
    return found


def none(error: str) -> Answer:
    """The place of an answer that there is none of."""
    nothing = np.empty((0, 2), np.float32)
    return Answer(np.zeros((0, 0), bool), False, Points(nothing, nothing), None, error)
