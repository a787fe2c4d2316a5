"""Masks as the ``Detections`` of supervision, which its annotators, trackers and datasets take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ipseg.core import geometry
from ipseg.core.packages import needed
from ipseg.core.status import Status
from ipseg.core.types import Mask


def to_detections(
    masks: Sequence[Mask],
    scores: Sequence[float],
    numbers: Sequence[int],
    names: Sequence[str],
    statuses: Sequence[Status],
    size: tuple[int, ...],
    tracks: Sequence[int | None] = (),
) -> Any:
    """A ``supervision.Detections`` of n (H, W) masks of ``size`` that are not empty, in their order.

    ``scores`` become ``confidence``, ``numbers`` ``class_id``, ``tracks`` ``tracker_id`` where each mask has one;
    ``names`` and ``statuses`` are ``data["class_name"]`` and ``data["status"]``. Boxes are (left, top, right, bottom)
    in pixels, right and bottom exclusive. Raises :class:`~ipseg.core.types.SettingError` without supervision.
    """
    with needed("Conversion to supervision", extra="formats"):
        import supervision
    boxes = [geometry.bounding_box(mask) for mask in masks]
    return supervision.Detections(
        xyxy=np.array(boxes, np.float32).reshape(-1, 4),
        mask=np.array(masks, bool).reshape(-1, *size),
        confidence=np.array(scores, np.float32),
        class_id=np.array(numbers, int),
        tracker_id=np.array(tracks, int) if tracks and None not in tracks else None,
        data={"class_name": np.array(names, str), "status": np.array([one.value for one in statuses], str)},
    )
