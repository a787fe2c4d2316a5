"""What many classes cost on one image beside one class: rows for ``ipseg bench``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np

from ipseg.core.types import ImageArray, Mask
from ipseg.labelling.matching import ClassPrompt, label_image
from ipseg.method.instances import reduced
from ipseg.method.pipeline import IPSeg
from ipseg.studies import speed
from ipseg.studies.speed import Row

PRESENT = 10  # classes of the worst case, in which all of them are in the image, at most
TILE = 96  # pixels of the square around each of the other objects
CORNERS = (3, 9)  # of their outlines, from and to


def measure(engine: IPSeg, prompt: ImageArray, image: ImageArray, *, classes: int, repeat: int = 1) -> list[Row]:
    """One class, and ``classes`` of them, on a new input image: both (H, W, 3) uint8. Without classes no row.

    The first class is what ``prompt`` shows. The others are objects of other colours, textures and outlines
    (:func:`other_objects`), as of somebody who labels images in which few of the classes are. The last row is the worst
    case: up to :data:`PRESENT` classes that are parts of ``prompt``, so that all of them are in an image of its object.
    """
    if classes < 1:
        return []
    first = reduced(engine.prompt(prompt))
    sheet, masks = other_objects(classes - 1) if classes > 1 else (prompt, [])
    absent = [first, *(reduced(engine.prompt(sheet, masks=mask)) for mask in masks)]
    parts = speed.prompts_on(engine, prompt, min(classes, PRESENT) - 1) if classes > 1 else ()
    present = [first, *map(reduced, parts)]

    def labelled(prompts: Sequence[Any]) -> Callable[[], Callable[[], Any]]:
        given = [ClassPrompt(f"{number}", each) for number, each in enumerate(prompts)]

        def prepare() -> Callable[[], Any]:
            speed.forget(engine)
            return lambda: label_image(engine, given, image)

        return prepare

    rows = [speed.timed("1 class on one image", labelled(absent[:1]), 1, repeat)]
    if classes > 1:
        rows.append(speed.timed(f"{classes} classes on one image", labelled(absent), 1, repeat))
        rows.append(speed.timed(f"{len(present)} classes that are all in one image", labelled(present), 1, 1))
    return rows


def other_objects(count: int, seed: int = 0) -> tuple[ImageArray, list[Mask]]:
    """An image (H, W, 3) uint8 of ``count`` different objects, at least one, and the mask (H, W) of each.

    Each is a polygon of its own colours in stripes or spots of its own width, on a grey background with noise.
    """
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(count)))
    image = rng.normal(128, 12, (side * TILE, side * TILE, 3)).clip(0, 255).astype(np.uint8)
    down, across = np.mgrid[:TILE, :TILE]
    masks = []
    for number in range(count):
        top, left = (TILE * place for place in divmod(number, side))
        width, turn = rng.uniform(4, 16), rng.uniform(0, np.pi)
        wave = np.sin((np.cos(turn) * across + np.sin(turn) * down) * 2 * np.pi / width)
        if number % 2:
            wave *= np.sin((np.cos(turn) * down - np.sin(turn) * across) * 2 * np.pi / width)
        colours = rng.integers(0, 256, (2, 3))
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(*CORNERS)))
        reach = rng.uniform(0.25, 0.48, len(angles)) * TILE
        corners = np.stack([np.cos(angles) * reach, np.sin(angles) * reach], axis=1) + TILE / 2
        tile = np.zeros((TILE, TILE), np.uint8)
        cv2.fillPoly(tile, [corners.round().astype(np.int32)], 1)
        cv2.circle(tile, (TILE // 2, TILE // 2), TILE // 6, 1, -1)  # so that none is too thin for a cell
        inside = tile > 0
        image[top : top + TILE, left : left + TILE][inside] = colours[(wave > 0).astype(int)][inside]
        mask = np.zeros(image.shape[:2], bool)
        mask[top : top + TILE, left : left + TILE] = inside
        masks.append(mask)
    return image, masks
