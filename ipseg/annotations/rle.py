"""Masks as COCO's run lengths, uncompressed: the JSON that ``pycocotools`` reads with ``annToMask``.

The counts run down the columns, from left to right; the first is that of the pixels outside, and may be 0
(cocodataset.org, "Data format": segmentation of an annotation as RLE). Uncompressed counts need no package here, and a
reader of any language takes them.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from ipseg.core import geometry
from ipseg.core.rle import encode
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.types import Mask


def frame_name(clip: str, number: int) -> str:
    """The ``file_name`` of a frame of a clip file, counted from 1.

    ``ffmpeg -i clip.mp4 clip/%05d.png`` writes the frames of clip.mp4 under these names.
    """
    return f"{PurePosixPath(clip).stem}/{number:05}.png"


class Record:
    """The COCO file of one run: every image, and an annotation for each whose object is detected or uncertain.

    What was added is held as JSON text, which takes a tenth of the memory of the counts as numbers.
    """

    def __init__(self, category: str = "the object", about: str = "") -> None:
        self._entries: list[tuple[str, str]] = []  # an image, and its annotation or ""
        self._annotated = 0
        self._category, self._about = category, about

    def add(self, name: str, mask: Mask, *, status: Status, score: float, **more: Any) -> None:
        """One image and its (H, W) mask; boxes are (x, y, width, height) in pixels, as COCO has them.

        ``more``: further plain fields of the image, such as the file of its mask.
        """
        number, (height, width) = len(self._entries) + 1, mask.shape
        scores = {"status": status.value, "score": round(score, 4)}
        image = to_json({"id": number, "file_name": name, "width": width, "height": height, **scores, **more})
        annotation = ""
        box = geometry.bounding_box(mask)
        if status.has_mask and box is not None:
            left, top, right, bottom = box
            annotation = to_json(
                {
                    "id": self._annotated + 1,
                    "image_id": number,
                    "category_id": 1,
                    "segmentation": {"size": [height, width], "counts": encode(mask)},
                    "area": int(mask.sum()),
                    "bbox": [left, top, right - left, bottom - top],
                    "iscrowd": 0,
                    **scores,
                }
            )
        self._entries.append((image, annotation))  # at once: a run may be ended between any two steps
        self._annotated += bool(annotation)

    def text(self) -> str:
        """The JSON of the file."""
        about, categories = {"description": self._about}, [{"id": 1, "name": self._category, "supercategory": ""}]
        images = ", ".join(image for image, _ in self._entries)
        annotations = ", ".join(annotation for _, annotation in self._entries if annotation)
        return (
            f'{{"info": {to_json(about)}, "images": [{images}], '
            f'"annotations": [{annotations}], "categories": {to_json(categories)}}}'
        )

    def data(self) -> dict[str, Any]:
        """Plain data, as the file has them."""
        return json.loads(self.text())
