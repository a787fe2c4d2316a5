"""The value objects of every dataset: an image with the truth of one class, an episode, a protocol, a dataset."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ipseg.core import images, masks, packages, rle
from ipseg.core.masks import GivenMask
from ipseg.core.types import ImageArray, InputError, Mask, MaskError

Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels of the upright image; right and bottom are outside."""


class Truth(Protocol):
    """Where the mask of one class in one image is read from."""

    def read(self, size: tuple[int, int], orientation: int, /) -> GivenMask:
        """The mask of an image of ``size`` (height, width), whose file has the EXIF ``orientation``."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it is read from."""
        ...


@dataclass(frozen=True)
class MaskFile:
    """A mask file of one object, read by the rules of :mod:`ipseg.core.masks`."""

    path: Path
    value: int | None = None  # which of several values is the object

    def read(self, size: tuple[int, int], orientation: int) -> GivenMask:
        """See :class:`Truth`."""
        return masks.read_mask(self.path, size, mask_value=self.value, orientation=orientation, empty=True)

    @property
    def files(self) -> tuple[Path, ...]:
        """See :class:`Truth`."""
        return (self.path,)


@dataclass(frozen=True)
class Labels:
    """A file of label values: the object has those of ``values``, what has one of ``void`` is ignored."""

    path: Path
    values: tuple[int, ...]
    void: tuple[int, ...] = ()

    def read(self, size: tuple[int, int], orientation: int) -> GivenMask:
        """See :class:`Truth`."""
        known = masks.read_values(self.path, size, orientation=orientation)
        return GivenMask(np.isin(known, self.values), np.isin(known, self.void) if self.void else None)

    @property
    def files(self) -> tuple[Path, ...]:
        """See :class:`Truth`."""
        return (self.path,)


@dataclass(frozen=True)
class Greys:
    """A file of greys: the object from ``threshold`` on."""

    path: Path
    threshold: int = 128

    def read(self, size: tuple[int, int], orientation: int) -> GivenMask:
        """See :class:`Truth`."""
        return GivenMask(masks.read_values(self.path, size, orientation=orientation) >= self.threshold)

    @property
    def files(self) -> tuple[Path, ...]:
        """See :class:`Truth`."""
        return (self.path,)


@dataclass(frozen=True)
class Segments:
    """The union of segmentations in COCO's form: lists of polygons, or run lengths; ``void`` ones are ignored."""

    segmentations: tuple[Any, ...] = field(hash=False)
    void: tuple[Any, ...] = field(default=(), hash=False)

    def read(self, size: tuple[int, int], orientation: int) -> GivenMask:
        """See :class:`Truth`. Raises :class:`MaskError` for run lengths of another size."""
        void = union(self.void, size) if self.void else None
        return GivenMask(union(self.segmentations, size), void)

    @property
    def files(self) -> tuple[Path, ...]:
        """See :class:`Truth`: none, they are in memory."""
        return ()


def union(segmentations: Sequence[Any], size: tuple[int, int]) -> Mask:
    """The union of segmentations in COCO's form, (H, W) bool; polygons are drawn by the COCO API.

    Raises :class:`MaskError` for what is no segmentation, or belongs to an image of another size.
    """
    found = np.zeros(size, bool)
    for each in segmentations:
        try:
            lengths = each if isinstance(each, Mapping) else _of_polygons(each, size)
            own, counts = tuple(lengths["size"]), lengths["counts"]
            if isinstance(counts, str | bytes):
                counts = rle.decompress(counts if isinstance(counts, str) else counts.decode("ascii"))
            drawn = rle.decode(counts, own)
        except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise MaskError(f"An annotation is no segmentation in COCO's form ({error}).") from error
        if own != size:
            raise MaskError(f"An annotation is {own[1]}x{own[0]} pixels but its image is {size[1]}x{size[0]}.")
        found |= drawn
    return found


def _of_polygons(polygons: Any, size: tuple[int, int]) -> Mapping[str, Any]:
    """Run lengths of what polygons, each x, y, x, y, ..., enclose together; of fewer than three corners nothing."""
    with packages.needed("A polygon of COCO", extra="evaluation"):
        from pycocotools import mask as coco_masks
    corners = [np.asarray(polygon, np.float64).ravel().tolist() for polygon in polygons]
    corners = [polygon for polygon in corners if len(polygon) >= 6]
    if any(len(polygon) % 2 for polygon in corners):
        raise ValueError("a polygon has an odd number of coordinates")
    if not corners:
        return {"size": size, "counts": [size[0] * size[1]]}
    return coco_masks.merge(coco_masks.frPyObjects(corners, *size))


@dataclass(frozen=True)
class Annotated:
    """An image of a dataset and the truth of one class in it, cut to ``crop`` where there is one."""

    name: str  # of the image in its dataset: its path below the data folder
    image: Path
    truth: Truth
    crop: Box | None = None

    @property
    def key(self) -> str:
        """Which pixels: the name and the crop."""
        return self.name if self.crop is None else f"{self.name}[{','.join(map(str, self.crop))}]"

    def pixels(self) -> ImageArray:
        """(H, W, 3) uint8 RGB, upright. Raises as :func:`ipseg.core.images.open_image` does."""
        image = images.open_image(self.image, name=self.name)
        return image if self.crop is None else np.ascontiguousarray(_cut(image, self.crop))

    def mask(self) -> GivenMask:
        """The truth, in the pixels of :meth:`pixels`. Raises MaskError when it does not fit the image."""
        height, width = images.size_of(self.image, name=self.name)
        turned = images.orientation(self.image)
        given = self.truth.read((width, height) if turned >= 5 else (height, width), turned)
        if self.crop is None:
            return given
        ignored = None if given.ignored is None else _cut(given.ignored, self.crop).copy()
        return GivenMask(_cut(given.mask, self.crop).copy(), ignored)


def _cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    left, top, right, bottom = box
    return pixels[top:bottom, left:right]


@dataclass(frozen=True)
class Episode:
    """What ``prompt`` shows of a class is to be segmented in ``input``."""

    name: str  # unique in the dataset, and the same in every run
    prompt: Annotated
    input: Annotated
    category: str  # the class whose pixels are summed: an object in PerSeg, an object of a sequence in DAVIS
    fold: int = 0
    unit: str = ""  # what is resampled as a whole by the bootstrap; "": the episode

    def record(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "prompt": self.prompt.key,
            "input": self.input.key,
            "class": self.category,
            "fold": self.fold,
            "unit": self.unit or self.name,
        }


@dataclass(frozen=True)
class EvaluationProtocol:
    """How a dataset is scored."""

    text: str  # one line: episodes, truth, sums; a table prints it
    frames: bool = False  # IoU of each frame averaged over a category; else pixels are summed over it
    boundary: bool = False  # whether boundary F is measured
    accuracy: bool = False  # whether the mean accuracy is part of the protocol
    unit: str = "episodes within folds"  # what the bootstrap resamples
    classes: int = 0  # of the whole dataset, in each fold where it has folds; 0: any number is the whole


@dataclass(frozen=True)
class Dataset:
    """The episodes of one dataset, in order."""

    name: str
    episodes: tuple[Episode, ...]
    protocol: EvaluationProtocol
    settings: Mapping[str, Any] = field(default_factory=dict)  # what chose the episodes, without the folder
    annotations: tuple[Path, ...] = ()  # the files that the episodes were drawn from

    def __post_init__(self) -> None:
        if not self.episodes:
            raise InputError(f"{self.name} has no episode with these settings; check the folder and the fold.")

    def lacks(self) -> str:
        """What a folder with a part of the dataset has of it: ``"3 of 40 classes"``; "" for the whole."""
        found = {(episode.fold, episode.category) for episode in self.episodes}
        whole = self.protocol.classes * len({fold for fold, _ in found})
        return f"{len(found)} of {whole} classes" if len(found) < whole else ""

    def candidates(self) -> dict[str, tuple[Annotated, ...]]:
        """The images of each class that the episodes name, each once, sorted by name: what a prompt may be drawn of."""
        found: dict[str, dict[str, Annotated]] = {}
        for episode in self.episodes:
            for side in (episode.prompt, episode.input):
                found.setdefault(episode.category, {})[side.key] = side
        return {category: tuple(sides[key] for key in sorted(sides)) for category, sides in sorted(found.items())}

    def digest(self) -> str:
        """A hash of the list of episodes, 16 hexadecimal digits."""
        lines = (json.dumps(episode.record(), sort_keys=True) for episode in self.episodes)
        return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()


def spread(items: Sequence[Any], at_most: int | None) -> list[Any]:
    """At most so many of the items, evenly spread over them and in their order; all of them for None."""
    if at_most is None or len(items) <= at_most:
        return list(items)
    return [items[number * len(items) // at_most] for number in range(at_most)]


def missing(episodes: Sequence[Episode]) -> list[Path]:
    """The files of the episodes that are not there, each once."""
    sides = (side for episode in episodes for side in (episode.prompt, episode.input))
    files = dict.fromkeys(file for side in sides for file in (side.image, *side.truth.files))
    return [file for file in files if not file.is_file()]
