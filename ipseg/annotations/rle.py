"""Masks as COCO's run lengths, uncompressed: the JSON that ``pycocotools`` reads with ``annToMask``.

The counts run down the columns, from left to right; the first is that of the pixels outside, and may be 0
(cocodataset.org, "Data format": segmentation of an annotation as RLE). Uncompressed counts need no package here, and a
reader of any language takes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ipseg.core.rle import encode
from ipseg.core.status import Status
from ipseg.core.types import Mask


class Record:
    """The COCO file of one run: every image, and an annotation for each whose object is detected or uncertain."""

    def __init__(self, category: str = "the object", about: str = "") -> None:
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._category, self._about = category, about

    def add(self, name: str, mask: Mask, *, status: Status, score: float) -> None:
        """One image and its (H, W) mask; boxes are (x, y, width, height) in pixels, as COCO has them."""
        number, (height, width) = len(self._images) + 1, mask.shape
        image = {"id": number, "file_name": name, "width": width, "height": height}
        self._images.append({**image, "status": status.value, "score": round(score, 4)})
        if not (status.has_mask and mask.any()):
            return
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
        self._annotations.append(
            {
                "id": len(self._annotations) + 1,
                "image_id": number,
                "category_id": 1,
                "segmentation": {"size": [height, width], "counts": encode(mask)},
                "area": int(mask.sum()),
                "bbox": [int(side) for side in box],
                "iscrowd": 0,
                "status": status.value,
                "score": round(score, 4),
            }
        )

    def data(self) -> dict[str, Any]:
        """Plain data for a JSON file."""
        return {
            "info": {"description": self._about},
            "images": self._images,
            "annotations": self._annotations,
            "categories": [{"id": 1, "name": self._category, "supercategory": ""}],
        }
