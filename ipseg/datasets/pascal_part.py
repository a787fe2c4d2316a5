"""Pascal-Part (Morabia et al., 2020, as Liu et al., 2024, cut it): animals, indoor, person, vehicles.

::

    Pascal-Part/VOCdevkit/VOC2010/JPEGImages/<id>.jpg
    Pascal-Part/VOCdevkit/VOC2010/Annotations_Part_json_merged_part_classes/<id>.json
        object[].{name, bndbox (corners), parts[].{name, mask = [run lengths]}}
    Pascal-Part/VOCdevkit/VOC2010/all_obj_part_to_image.json
        [fold].object[object].part[part].{train, val} = [id]

The folder is ``Pascal-Part`` or the one that holds it. A class is a part of an object with images in both splits, but
the tail of an aeroplane. A fold has as many episodes as it lists images of parts, and at most 2500. Both images are cut
to the object's box; the mask is the union of its parts of that name. No list of pairs was published; these are drawn
with the seed by the rule of the released loader, a new generator for each fold: the classes in turn, for each an input
image and one of its objects until it has the part, then in the same way a prompt image that differs. Objects whose box
has less than 16 pixels on a side are left out, for they are too small to be an image. The images of a class are drawn
from in the order of their names, the objects of an image in the order of its file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.core.images import MIN_SIDE
from ipseg.core.types import InputError
from ipseg.datasets import _folders
from ipseg.datasets._episodes import Annotated, Box, Dataset, Episode, EvaluationProtocol, Segments

TITLE = "Pascal-Part"
SOURCE = (
    "images: host.robots.ox.ac.uk/pascal/VOC/voc2010; annotations: datasets/README.md of github.com/aim-uofa/Matcher "
    "links to pascal.zip"
)
LICENCE = "the images are of Flickr, under the terms that the VOC challenge names; for the parts none is stated"
FOLDS = ("animals", "indoor", "person", "vehicles")
EPISODES = 2500  # of a fold, at most
SKIPPED = ("aeroplane", "TAIL")
PROTOCOL = EvaluationProtocol(
    "4 folds x at most 2500 episodes; cropped to the object's box; pixels summed per class, mean over classes, "
    "then folds"
)


@dataclass(frozen=True)
class Settings:
    """Which episodes."""

    data: Path  # the folder
    fold: int | None = None  # 0 animals, 1 indoor, 2 person, 3 vehicles; None: all four
    seed: int = 0  # of the pairs
    episodes: int = EPISODES  # of a fold, at most


def build(settings: Settings) -> Dataset:
    """The episodes of one fold or of all."""
    folds = _folders.check_fold(settings.fold, len(FOLDS))
    root = _folders.root(settings.data, "Pascal-Part/VOCdevkit/VOC2010", "VOCdevkit/VOC2010")
    _folders.need(
        root,
        ["JPEGImages", "Annotations_Part_json_merged_part_classes", "all_obj_part_to_image.json"],
        SOURCE,
    )
    listed = _folders.read_json(root / "all_obj_part_to_image.json")
    reader = _Reader(root)
    episodes: list[Episode] = []
    for fold in folds:
        random = np.random.RandomState(settings.seed)
        parts = _parts(listed[FOLDS[fold]])
        count = sum(len(images["val"]) for images in _every(listed[FOLDS[fold]]))
        for number in range(min(settings.episodes, count) if parts else 0):
            name, part, images = parts[number % len(parts)]
            usable = reader.usable(name, part, tuple(sorted(images)))
            if len(usable) < 2:
                raise InputError(f"Fewer than two images show the {part} of {name} at a usable size; {SOURCE}.")
            shown, side = reader.draw(random, usable, name, part)
            prompt, other = shown, side
            while prompt == shown:
                prompt, other = reader.draw(random, usable, name, part)
            episodes.append(Episode(f"{FOLDS[fold]}/{number:04}", other, side, f"{name}+{part}", fold))
    chosen = {"fold": settings.fold, "seed": settings.seed, "episodes": settings.episodes}
    listing = root / "all_obj_part_to_image.json"
    return Dataset("pascal_part", tuple(episodes), PROTOCOL, chosen, (listing,))


def _every(listed: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [images for name in listed["object"].values() for images in name["part"].values()]


def _parts(listed: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """(object, part, validation images) of each class."""
    return [
        (name, part, images["val"])
        for name, entry in listed["object"].items()
        for part, images in entry["part"].items()
        if images["train"] and images["val"] and (name, part) != SKIPPED
    ]


class _Reader:
    """Objects of the annotation files, each file read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.objects = cache(self._objects)

    def usable(self, name: str, part: str, images: tuple[str, ...]) -> list[str]:
        """The images with an object of that name that has the part, in order."""
        return [image for image in images if any(part in parts for _, parts in self.objects(image, name))]

    def draw(self, random: np.random.RandomState, images: list[str], name: str, part: str) -> tuple[str, Annotated]:
        """An image and one of its objects that has the part."""
        while True:
            image = _folders.choose(random, images)
            box, parts = _folders.choose(random, self.objects(image, name))
            if part in parts:
                path = self.root / "JPEGImages" / f"{image}.jpg"
                return image, Annotated(f"{image}.jpg", path, Segments(tuple(parts[part])), box)

    def _objects(self, image: str, name: str) -> list[tuple[Box, dict[str, list[Any]]]]:
        path = self.root / "Annotations_Part_json_merged_part_classes" / f"{image}.json"
        found = []
        for each in _folders.read_json(path)["object"]:
            bounds = {key: int(value) for key, value in each["bndbox"].items()}
            box = (bounds["xmin"], bounds["ymin"], bounds["xmax"], bounds["ymax"])
            if each["name"] != name or min(box[2] - box[0], box[3] - box[1]) < MIN_SIDE:
                continue
            parts: dict[str, list[Any]] = {}
            for part in each["parts"]:
                parts.setdefault(part["name"], []).extend(part["mask"])
            found.append((box, parts))
        return found
