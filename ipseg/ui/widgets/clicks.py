"""Clicks of a visitor on an image, as the page has them, the API takes them and the engine wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ipseg.core.types import Points, SettingError
from ipseg.method.marks import Marks, of_each

MOST_CLICKS = 64  # on one image

Clicks = tuple[tuple[float, float, bool], ...]
"""(x, y) in pixels of the upright image, and whether it is the object."""


def as_points(clicks: Clicks) -> Points | None:
    """Clicks as points; None where there are none."""
    if not clicks:
        return None
    positive, negative = ([(x, y) for x, y, sign in clicks if sign is wanted] for wanted in (True, False))
    return Points(*(np.array(each, dtype=np.float32).reshape(-1, 2) for each in (positive, negative)))


def as_clicks(given: Any, name: str = "clicks") -> Clicks:
    """Clicks as the API takes them: [[x, y, 1 or 0], ...]. Raises SettingError, which calls them ``name``."""
    try:
        read = tuple((float(x), float(y), {1: True, 0: False}[sign]) for x, y, sign in given or ())
    except (TypeError, ValueError, KeyError):
        raise SettingError(
            f"{name} are not readable; give [[x, y, 1], [x, y, 0]], 1 on the object and 0 beside."
        ) from None
    _check_count(read, name)
    return read


def as_marks(boxes: Any, points: Any) -> Marks:
    """Marks on a prompt image as the API takes them: boxes [[left, top, right, bottom], ...], points as clicks.

    Raises SettingError for what is not readable, and for more of a kind than ``MOST_CLICKS``.
    """
    found = as_points(as_clicks(points, "points"))
    try:
        (read,) = of_each(1, [boxes] if boxes else None, found)
    except SettingError:
        raise SettingError("boxes are not readable; give [[left, top, right, bottom], ...] in pixels.") from None
    _check_count(read.boxes, "boxes")
    return read


def _check_count(given: Sequence[Any], name: str) -> None:
    if len(given) > MOST_CLICKS:
        raise SettingError(f"There are {len(given)} {name}; give at most {MOST_CLICKS}.")
