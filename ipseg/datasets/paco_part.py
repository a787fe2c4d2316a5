"""PACO-Part (Ramanathan et al., 2023, as Liu et al., 2024, cut it): 448 parts in four folds, 2500 episodes each.

::

    PACO-Part/coco/{train2017,val2017}/*.jpg
    PACO-Part/paco/paco_part_{train,val}.pkl     cid2img[category] = [{image id: path}]
        img2anno[image id] = [{category_id, obj_ann_id, obj_bbox (x, y, width, height), segmentation}]

The folder is ``PACO-Part`` or the one that holds it. The fold has every fourth category of the train file from its
number on, of those with two or more validation images. Both images are cut to the box of the object that the part
belongs to; the mask is the union of the parts of that category on that object. No list of pairs was published; these
are drawn with the seed by the rule of the released loader, a new generator for each fold: a category, an input image
and one of its objects, then prompt images with one of their objects until the image differs. Objects whose box has less
than 16 pixels on a side inside the image are left out before anything is drawn, for they are too small to be an image.
The images of a category are drawn from in the order of their names, the objects of an image in the order of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.core.images import MIN_SIDE
from ipseg.datasets import _folders
from ipseg.datasets._episodes import Annotated, Box, Dataset, Episode, EvaluationProtocol, Segments

TITLE = "PACO-Part"
SOURCE = (
    "images: images.cocodataset.org/zips/{train2017,val2017}.zip; the pickles: datasets/README.md of "
    "github.com/aim-uofa/Matcher links to paco.zip"
)
LICENCE = "annotations: that of PACO (github.com/facebookresearch/paco); the images are of Flickr, under their terms"
FOLDS, EPISODES = 4, 2500
PROTOCOL = EvaluationProtocol(
    "4 folds x 2500 episodes; cropped to the object's box; pixels summed per class, mean over classes, then folds"
)

Objects = dict[str, tuple[Annotated, ...]]
"""The objects with a part, by the path of their image."""


@dataclass(frozen=True)
class Settings:
    """Which episodes."""

    data: Path  # the folder
    fold: int | None = None  # 0 to 3; None: all four
    seed: int = 0  # of the pairs
    episodes: int = EPISODES  # of a fold


def build(settings: Settings) -> Dataset:
    """The episodes of one fold or of all."""
    folds = _folders.check_fold(settings.fold, FOLDS)
    root = _folders.root(settings.data, "PACO-Part")
    files = [f"paco/paco_part_{split}.pkl" for split in ("train", "val")]
    _folders.need(root, ["coco", *files], SOURCE)
    order = list(_folders.read_pickle(root / files[0])["cid2img"])
    validation = _folders.read_pickle(root / files[1])
    episodes = []
    for fold in folds:
        random = np.random.RandomState(settings.seed)
        numbers = range(len(order) // FOLDS)
        objects = {
            order[fold + FOLDS * each]: _objects(root, validation, order[fold + FOLDS * each]) for each in numbers
        }
        classes = [category for category, images in objects.items() if len(images) >= 2]
        for number in range(settings.episodes if classes else 0):
            category = _folders.choose(random, classes)
            images = sorted(objects[category])
            shown = _folders.choose(random, images)
            side = _folders.choose(random, objects[category][shown])
            prompt = shown
            while prompt == shown:
                prompt = _folders.choose(random, images)
            other = _folders.choose(random, objects[category][prompt])
            episodes.append(Episode(f"fold{fold}/{number:04}", other, side, str(category), fold))
    chosen = {"fold": settings.fold, "seed": settings.seed, "episodes": settings.episodes}
    return Dataset("paco_part", tuple(episodes), PROTOCOL, chosen, tuple(root / file for file in files))


def _objects(root: Path, validation: Mapping[str, Any], category: Any) -> Objects:
    """The objects of a category, by image; an image is listed once."""
    found: Objects = {}
    for entry in validation["cid2img"].get(category, ()):
        (number, path), *_ = entry.items()
        name = "/".join(str(path).split("/")[-2:])
        parts: dict[Any, list[Mapping[str, Any]]] = {}
        for part in validation["img2anno"][number]:
            if part["category_id"] == category:
                parts.setdefault(part["obj_ann_id"], []).append(part)
        sides = tuple(
            Annotated(name, root / "coco" / name, Segments(tuple(each["segmentation"] for each in group)), box)
            for group in parts.values()
            if (box := _box(group[0]["obj_bbox"])) is not None
        )
        if name not in found and sides:
            found[name] = sides
    return found


def _box(bounds: Any) -> Box | None:
    """(x, y, width, height) as corners in whole pixels; None for one that is too small."""
    left, top, width, height = (float(each) for each in bounds)
    box = max(0, int(left)), max(0, int(top)), int(left + width), int(top + height)
    return box if min(box[2] - box[0], box[3] - box[1]) >= MIN_SIDE else None
