"""Clicks of a visitor on an image, as the page has them, the API takes them and the engine wants them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ipseg.core.types import Points, SettingError

MOST_CLICKS = 64  # on one image

Clicks = tuple[tuple[float, float, bool], ...]
"""(x, y) in pixels of the upright image, and whether it is the object."""


def as_points(clicks: Clicks) -> Points | None:
    """Clicks as points; None where there are none."""
    if not clicks:
        return None
    positive, negative = ([(x, y) for x, y, sign in clicks if sign is wanted] for wanted in (True, False))
    return Points(*(np.array(each, dtype=np.float32).reshape(-1, 2) for each in (positive, negative)))


def as_clicks(given: Any) -> Clicks:
    """Clicks as the API takes them: [[x, y, 1 or 0], ...]."""
    try:
        read = tuple((float(x), float(y), {1: True, 0: False}[sign]) for x, y, sign in given or ())
    except (TypeError, ValueError, KeyError):
        raise SettingError(
            "clicks are not readable; give [[x, y, 1], [x, y, 0]], 1 on the object and 0 beside."
        ) from None
    if len(read) > MOST_CLICKS:
        raise SettingError(f"There are {len(read)} clicks; give at most {MOST_CLICKS}.")
    return read
