"""A labelled image as a person reviews it: every instance outlined in the colour of its class, with its number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from ipseg.annotations.labels import LabelledImage
from ipseg.batch import inputs
from ipseg.core import images, viz
from ipseg.core.types import ImageArray, InputError

GREY = 128  # of an image whose file is not found
UNREAD = (3, 4)  # (height, width) in which an image is drawn that could not be read
TINT = 0.35  # how much of the colour of its class is on an instance that is chosen
MOST = 1_000_000  # images in a zip

Opener = Callable[[LabelledImage], ImageArray | None]
"""The pixels of a labelled image, (H, W, 3) uint8 RGB, upright; None where they are not found or cannot be read."""


def opener(source: Path | None = None) -> Opener:
    """Opens images below ``source``, a folder or a zip, by their names, else the file that the labels name.

    Raises :class:`~ipseg.core.types.ImageError` for a zip that cannot be used.
    """
    members = {}
    if source is not None and not source.is_dir():
        members = {item.path: item for item in inputs.gather([source], most=MOST)}

    def opened(image: LabelledImage) -> ImageArray | None:
        try:
            if image.name in members:
                return _fitting(members[image.name].open(), image)
            for path in _places(source, image):
                if path.is_file():
                    return _fitting(images.open_image(path), image)
        except (InputError, OSError):
            return None
        return None

    return opened


def drawn(
    pixels: ImageArray | None,
    image: LabelledImage,
    classes: Sequence[str],
    side: int,
    *,
    thresholds: Mapping[str, float] | float = 0.0,
    chosen: int | None = None,
) -> ImageArray:
    """The image at no more than ``side`` pixels on its longer side, its instances numbered from 1: (h, w, 3) uint8.

    ``pixels``: as of an :data:`Opener`; without them the masks are drawn on grey. ``thresholds``: instances below are
    not drawn (:meth:`LabelledImage.above`); the numbers of the others stay. ``chosen``: the place of an instance that
    is tinted, from 0.
    """
    canvas, reduced = shrunk(pixels, image, side)
    above = set(map(id, reduced.above(thresholds).instances))
    shown = [(number, one) for number, one in enumerate(reduced.instances, start=1) if id(one) in above]
    if not shown:
        return canvas
    masks, colours = [one.mask for _, one in shown], [class_colour(one.label, classes) for _, one in shown]
    for (number, one), colour in zip(shown, colours, strict=True):
        if chosen == number - 1:
            canvas[one.mask] = np.rint(canvas[one.mask] * (1 - TINT) + np.array(colour) * TINT).astype(np.uint8)
    return viz.numbered(canvas, masks, [number for number, _ in shown], colours)


def shrunk(pixels: ImageArray | None, image: LabelledImage, side: int) -> tuple[ImageArray, LabelledImage]:
    """The pixels and the labels at no more than ``side`` pixels on the longer side; no mask becomes empty."""
    height, width = image.size if min(image.size) > 0 else UNREAD
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    canvas = np.full((size[1], size[0], 3), GREY, np.uint8)
    if pixels is not None:
        canvas = cv2.resize(np.asarray(pixels), size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    instances = []
    for one in image.instances:
        share = cv2.resize(one.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        instances.append(replace(one, mask=share >= min(0.5, float(share.max()))))
    return canvas, replace(image, size=(size[1], size[0]), instances=tuple(instances))


def class_colour(label: str, classes: Sequence[str]) -> tuple[int, int, int]:
    """The colour of a class, RGB: by its place among the classes, as every view shows it."""
    return viz.instance_colour(list(classes).index(label) + 1)


def _places(source: Path | None, image: LabelledImage) -> list[Path]:
    """Where the file of an image may be; a name that leads out of ``source`` is in none of them."""
    name = PurePosixPath(image.name)
    inside = source is not None and source.is_dir() and not name.is_absolute() and ".." not in name.parts
    below = [source / name] if source is not None and inside else []
    return [*below, *([Path(image.file)] if image.file else [])]


def _fitting(pixels: ImageArray, image: LabelledImage) -> ImageArray | None:
    """The pixels, if they have the size that the labels were made for."""
    return pixels if pixels.shape[:2] == tuple(image.size) else None
