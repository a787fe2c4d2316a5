"""What both kinds of COCO files share: a file for each part, written annotation by annotation."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import IO, Any

from ipseg.annotations import coco
from ipseg.annotations.formats._target import Target
from ipseg.annotations.labels import LabelledImage
from ipseg.core.serialize import to_json
from ipseg.core.types import Mask
from ipseg.version import __version__

Segmentation = dict[str, Any] | list[list[float]]


class CocoWriter:
    """Writes ``annotations/instances_PART.json`` and ``images/PART``; nothing but one image is held in memory."""

    def __init__(self, target: Target, segmentation: Callable[[Mask], Segmentation]) -> None:
        self._target, self._segmentation = target, segmentation
        self._parts = {part: _Part(target, part) for part in target.parts}

    def add(self, image: LabelledImage, name: str, part: str) -> None:
        """One image and its instances."""
        self._target.put_image(f"images/{part}/{name}")
        file = self._parts[part]
        number = file.add_image(name, image)
        for one in image.instances:
            file.annotations += 1
            more = {"track_id": one.track} if one.track is not None else {}
            entry = coco.annotation_entry(
                file.annotations,
                number,
                1 + self._target.number(one.label),
                one.mask,
                self._segmentation(one.mask),
                status=one.status,
                score=one.score,
                **more,
            )
            file.write(file.body, entry, file.annotations)

    def close(self) -> None:
        """Join the files."""
        for part in self._parts.values():
            part.close()


class _Part:
    """One file: annotations go to their place at once, the images to a temporary file that is appended at the end."""

    def __init__(self, target: Target, part: str) -> None:
        self.images, self.annotations = 0, 0
        self.body = target.open(f"annotations/instances_{part}.json")
        self._images = target.scratch()
        info = {"description": f"labelled by ipseg {__version__}", "version": __version__}
        head = to_json(coco.categories(target.classes))
        self.body.write(f'{{"info": {to_json(info)}, "licenses": [], "categories": {head},\n"annotations": [')

    def add_image(self, name: str, image: LabelledImage) -> int:
        """Add an image; returns its id."""
        self.images += 1
        more: dict[str, Any] = {} if name == image.name else {"original_name": image.name}
        more |= {"corrected": True} if image.corrected else {}
        self.write(self._images, coco.image_entry(self.images, name, image.size, **more), self.images)
        return self.images

    def write(self, file: IO[str], entry: dict[str, Any], number: int) -> None:
        """One entry of a list, the ``number``-th."""
        file.write(f"{',' * (number > 1)}\n{to_json(entry)}")

    def close(self) -> None:
        """Complete the file."""
        self.body.write('\n],\n"images": [')
        self._images.seek(0)
        shutil.copyfileobj(self._images, self.body)
        self.body.write("\n]}\n")
