"""The entries of a COCO file, and the file of one run with one category.

Boxes are (x, y, width, height) in pixels, ids count from 1, and ``iscrowd`` is 0: a mask is of one instance, whatever
its segmentation is written as (cocodataset.org, "Data format"). Beside the fields of COCO an annotation has a
``score`` in [0, 1] and a ``status``, ``detected`` or ``uncertain``, which readers ignore or pass on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Any

from ipseg.core import geometry
from ipseg.core.rle import encode
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.types import Mask

OBJECT = "object"  # the category of a run whose object has no name
DIGITS = 4  # of a score


def frame_name(clip: str, number: int) -> str:
    """The ``file_name`` of a frame of a clip file, counted from 1.

    ``ffmpeg -i clip.mp4 clip/%05d.png`` writes the frames of clip.mp4 under these names.
    """
    return f"{PurePosixPath(clip).stem}/{number:05}.png"


def categories(classes: Sequence[str]) -> list[dict[str, Any]]:
    """The categories of the classes, in their order: the first has the id 1."""
    return [{"id": number, "name": name, "supercategory": ""} for number, name in enumerate(classes, 1)]


def image_entry(number: int, name: str, size: tuple[int, int], **more: Any) -> dict[str, Any]:
    """An image of the id ``number`` and of ``size`` (height, width) in pixels; ``more``: further plain fields."""
    height, width = size
    return {"id": number, "file_name": name, "width": width, "height": height, **more}


def annotation_entry(
    number: int, image: int, category: int, mask: Mask, segmentation: Any, *, status: Status, score: float, **more: Any
) -> dict[str, Any]:
    """An annotation of the id ``number`` of an (H, W) mask that is not empty.

    ``segmentation``: the mask as run lengths or polygons. Raises ValueError for an empty mask.
    """
    box = geometry.bounding_box(mask)
    if box is None:
        raise ValueError("expected a mask that is not empty")
    left, top, right, bottom = box
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "area": int(mask.sum()),
        "bbox": [left, top, right - left, bottom - top],
        "iscrowd": 0,
        **scores(status, score),
        **more,
    }


def scores(status: Status, score: float) -> dict[str, Any]:
    """The two fields that COCO does not have."""
    return {"status": status.value, "score": round(float(score), DIGITS)}


class Record:
    """The COCO file of one run: every image, and an annotation for each mask whose object is detected or uncertain.

    Masks are uncompressed run lengths: they need no package here, and a reader of any language takes them. What was
    added is held as JSON text, which takes a tenth of the memory of the counts as numbers.
    """

    def __init__(self, category: str = OBJECT, about: str = "") -> None:
        self._entries: list[tuple[str, list[str]]] = []  # an image and its annotations
        self._annotated = 0
        self._category, self._about = category, about

    def add(
        self,
        name: str,
        mask: Mask,
        *,
        status: Status,
        score: float,
        instances: Sequence[tuple[Mask, Status, float]] | None = None,
        **more: Any,
    ) -> None:
        """One image and its (H, W) mask.

        ``instances``: the mask, status and score of each instance, annotated in place of the one mask.
        ``more``: further plain fields of the image, such as the file of its mask.
        """
        number = len(self._entries) + 1
        image = to_json(image_entry(number, name, mask.shape, **scores(status, score), **more))
        masks = [(mask, status, score)] if instances is None else instances
        annotations: list[str] = []
        for each, its_status, its_score in masks:
            if its_status.has_mask and each.any():
                segmentation = {"size": list(each.shape), "counts": encode(each)}
                entry = annotation_entry(
                    self._annotated + len(annotations) + 1,
                    number,
                    1,
                    each,
                    segmentation,
                    status=its_status,
                    score=its_score,
                )
                annotations.append(to_json(entry))
        self._entries.append((image, annotations))  # at once: a run may be ended between any two steps
        self._annotated += len(annotations)

    def text(self) -> str:
        """The JSON of the file."""
        images = ", ".join(image for image, _ in self._entries)
        annotations = ", ".join(one for _, annotations in self._entries for one in annotations)
        return (
            f'{{"info": {to_json({"description": self._about})}, "images": [{images}], '
            f'"annotations": [{annotations}], "categories": {to_json(categories([self._category]))}}}'
        )

    def data(self) -> dict[str, Any]:
        """Plain data, as the file has them."""
        return json.loads(self.text())
