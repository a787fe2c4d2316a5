"""Tiny labels whose every pixel is known: a ring with a hole, two instances, one pixel, the borders of the image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ipseg.annotations.labels import LabelFolder, LabelledImage, LabelledInstance
from ipseg.core.status import Status

CLASSES = ("nut", "blå krus")
SIZE = (18, 24)  # (height, width)


def drawn(*boxes: tuple[int, int, int, int], without: tuple[tuple[int, int, int, int], ...] = ()) -> np.ndarray:
    """A mask of boxes (left, top, right, bottom), less others."""
    mask = np.zeros(SIZE, bool)
    for value, each in ((True, boxes), (False, without)):
        for left, top, right, bottom in each:
            mask[top:bottom, left:right] = value
    return mask


RING = drawn((2, 3, 9, 9), without=((4, 5, 7, 7),))  # 42 - 6 pixels, one hole
BLOCK = drawn((12, 0, 24, 5))  # touches the upper and the right border: 60 pixels
PIXEL = drawn((23, 17, 24, 18))  # one pixel, in a corner
TWO_PARTS = drawn((0, 10, 3, 12), (6, 14, 8, 18))  # 6 + 8 pixels, apart
HOLE = "holes filled"


@pytest.fixture
def image_folder(tmp_path) -> Path:
    """Image files: one in a folder, one stored on its side."""
    folder = tmp_path / "images"
    (folder / "shelf 1").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (*SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(pixels).save(folder / "b.jpg")
    Image.fromarray(pixels).save(folder / "shelf 1" / "ø.png")
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.rot90(pixels).copy()).save(folder / "turned.jpg", exif=exif, quality=100, subsampling=0)
    return folder


@pytest.fixture
def labels(tmp_path, image_folder) -> LabelFolder:
    """Labels of four images, one of which has no instance."""
    saved = LabelFolder.create(tmp_path / "labels", CLASSES)

    def add(name: str, *instances: LabelledInstance) -> None:
        saved.write(LabelledImage(name, SIZE, instances, str(image_folder / name)))

    add("a.png", LabelledInstance("nut", RING, 0.9), LabelledInstance("blå krus", BLOCK, 0.75))
    add("b.jpg")
    add(
        "shelf 1/ø.png",
        LabelledInstance("nut", TWO_PARTS, 0.5, Status.UNCERTAIN),
        LabelledInstance("nut", PIXEL, 0.4, Status.UNCERTAIN),
    )
    add("turned.jpg", LabelledInstance("blå krus", BLOCK, 1.0))
    return saved


@pytest.fixture
def expected() -> Callable[[str], list[tuple[str, np.ndarray]]]:
    """The class and mask of each instance of an image."""
    of = {
        "a.png": [("nut", RING), ("blå krus", BLOCK)],
        "b.jpg": [],
        "shelf 1/ø.png": [("nut", TWO_PARTS), ("nut", PIXEL)],
        "turned.jpg": [("blå krus", BLOCK)],
    }
    return of.__getitem__
