"""The labels of a dataset: the instances of each class in each image, as they are saved, corrected and exported.

A :class:`LabelFolder` is the one place where labels are saved; every format is an export of it::

    FOLDER/labels.json          the classes and the settings of the run
    FOLDER/labels/NAME.json     the labels of one image, masks as COCO's compressed run lengths
    FOLDER/corrections/NAME.json  the same after a person corrected it, which counts in place of the former

NAME is the image's path below the labelled folder, so ``labels/shelf/01.jpg.json`` belongs to ``shelf/01.jpg``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ipseg.core import geometry, rle
from ipseg.core.detections import to_detections
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.store import atomic_write, writing
from ipseg.core.types import Brief, InputError, Mask

ABOUT, LABELS, CORRECTIONS = "labels.json", "labels", "corrections"  # below a label folder
DIGITS = 4  # of a score


class LabelsError(InputError):
    """A label folder is missing, damaged, or of another run."""


@dataclass(frozen=True, repr=False)
class LabelledInstance(Brief):
    """One instance of a class in an image. Masks of different instances of one image do not overlap."""

    label: str  # the name of its class
    mask: Mask  # (H, W) bool, in the pixels of the upright image, not empty
    score: float  # in [0, 1], the presence score
    status: Status = Status.DETECTED  # or uncertain
    track: int | None = None  # in a clip: the number that stays with an instance from frame to frame
    second: str = ""  # the class with the next best score on the same mask; "" where no other class could be there
    second_score: float = 0.0  # its score

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.mask.dtype != bool or not self.mask.any():
            raise ValueError(f"expected a mask (H, W) bool that is not empty, got {self.mask.shape} {self.mask.dtype}")

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(left, top, right, bottom) in image pixels, right and bottom exclusive."""
        return geometry.bounding_box(self.mask)  # type: ignore[return-value]  # None is of an empty mask alone

    @property
    def area(self) -> int:
        """In pixels."""
        return int(self.mask.sum())


@dataclass(frozen=True, repr=False)
class LabelledImage(Brief):
    """The labels of one image."""

    name: str  # its path below the labelled folder, with "/"; unique in a label folder
    size: tuple[int, int]  # (height, width) of the upright image, in pixels; (0, 0) where it could not be read
    instances: tuple[LabelledInstance, ...] = ()  # the best score first; their order stays when a person corrects them
    file: str = ""  # where the image file is; "" where it is not known, as of a member of an archive
    error: str = ""  # why the image could not be labelled, one message; "" where it could
    corrected: bool = False  # whether a person corrected it
    content: str = ""  # the fingerprint of its pixels (:func:`ipseg.core.images.fingerprint`); "" where it is not known

    def __post_init__(self) -> None:
        wrong = [one.mask.shape for one in self.instances if one.mask.shape != tuple(self.size)]
        if wrong:
            raise ValueError(f"expected masks of the image's size {self.size}, got {wrong[0]}")

    def above(self, thresholds: Mapping[str, float] | float) -> LabelledImage:
        """Without the instances whose score is below the threshold, one for all or by class (0 where it is absent)."""
        of = thresholds.get if isinstance(thresholds, Mapping) else lambda *_: thresholds
        return replace(self, instances=tuple(one for one in self.instances if one.score >= of(one.label, 0.0)))

    def to_supervision(self, classes: Sequence[str]) -> Any:
        """The labels as a ``supervision.Detections``, one detection for each instance, in their order.

        ``class_id`` is the number of the class in ``classes``, from 0, ``tracker_id`` the track where each has one; see
        :func:`ipseg.core.detections.to_detections`. Raises :class:`~ipseg.core.types.SettingError` without supervision,
        ValueError for a class that is not among ``classes``.
        """
        return to_detections(
            [one.mask for one in self.instances],
            [one.score for one in self.instances],
            [list(classes).index(one.label) for one in self.instances],
            [one.label for one in self.instances],
            [one.status for one in self.instances],
            self.size,
            [one.track for one in self.instances],
        )


@dataclass(frozen=True)
class LabelFolder:
    """Labels in a folder, one file for each image; iterating reads one image after another, sorted by name.

    ``classes`` in their order: a class's number in every format follows from it. ``settings``: plain data that the run
    depended on, for the record.
    """

    folder: Path
    classes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def create(cls, folder: Path, classes: Sequence[str], settings: Mapping[str, Any] | None = None) -> LabelFolder:
        """Write ``labels.json``. Raises :class:`~ipseg.core.store.OutputError`."""
        with writing(folder / ABOUT):
            for part in (LABELS, CORRECTIONS):
                (folder / part).mkdir(parents=True, exist_ok=True)
            about = {"classes": list(classes), "settings": dict(settings or {})}
            atomic_write(folder / ABOUT, to_json(about, indent=1) + "\n")
        return cls(folder, tuple(classes), dict(settings or {}))

    @classmethod
    def open(cls, folder: Path) -> LabelFolder:
        """Raises :class:`LabelsError` for a folder without readable labels."""
        try:
            about = json.loads((folder / ABOUT).read_text("utf-8"))
            return cls(folder, tuple(map(str, about["classes"])), dict(about["settings"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LabelsError(
                f"{folder.name} holds no labels that can be read ({ABOUT}); give the folder that `ipseg label` wrote."
            ) from error

    def __iter__(self) -> Iterator[LabelledImage]:
        return map(self.read, self.names())

    def __len__(self) -> int:
        return len(self.names())

    def names(self) -> list[str]:
        """The names of all images that have labels, sorted."""
        root = self.folder / LABELS
        files = (Path(place, name) for place, _, names in os.walk(root) for name in names if name.endswith(".json"))
        return sorted(file.relative_to(root).as_posix().removesuffix(".json") for file in files)

    def read(self, name: str, *, original: bool = False) -> LabelledImage:
        """The labels of an image as they count now; with ``original`` those before any correction.

        Raises :class:`LabelsError` where there are none, or the file is damaged.
        """
        corrected = self._path(CORRECTIONS, name)
        path = corrected if corrected.exists() and not original else self._path(LABELS, name)
        try:
            return decode(path.read_text("utf-8"), corrected=path == corrected)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LabelsError(f"The labels of {name} cannot be read ({path.name}); label it again.") from error

    def write(self, image: LabelledImage) -> None:
        """Save the labels of an image. Raises :class:`~ipseg.core.store.OutputError`."""
        self._write(self._path(LABELS, image.name), image)

    def correct(self, image: LabelledImage) -> None:
        """Save what a person made of an image's labels: it counts from now on, and a new run leaves it.

        Raises :class:`~ipseg.core.store.OutputError`.
        """
        self._write(self._path(CORRECTIONS, image.name), image)

    def discard_correction(self, name: str) -> None:
        """The labels of the run count again."""
        self._path(CORRECTIONS, name).unlink(missing_ok=True)

    def _path(self, part: str, name: str) -> Path:
        inner = PurePosixPath(name)
        if inner.is_absolute() or ".." in inner.parts or not name:
            raise ValueError(f"expected a name below the labelled folder, got {name!r}")
        return self.folder / part / f"{name}.json"

    def _write(self, path: Path, image: LabelledImage) -> None:
        unknown = {one.label for one in image.instances} - set(self.classes)
        if unknown:
            raise ValueError(f"expected classes among {self.classes}, got {sorted(unknown)}")
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, encode(image) + "\n")


def encode(image: LabelledImage) -> str:
    """The labels of one image as JSON; masks as ``{"size": [H, W], "counts": compressed run lengths}``."""
    instances = [
        {
            "label": one.label,
            "score": round(float(one.score), DIGITS),
            "status": one.status.value,
            "box": list(one.box),
            "area": one.area,
            "segmentation": {"size": list(one.mask.shape), "counts": rle.compress(rle.encode(one.mask))},
            **({"track": one.track} if one.track is not None else {}),
            **({"second": one.second, "second_score": round(float(one.second_score), DIGITS)} if one.second else {}),
        }
        for one in image.instances
    ]
    entries = {"name": image.name, "file": image.file, "size": list(image.size), "error": image.error}
    entries |= {"content": image.content} if image.content else {}
    return to_json({**entries, "instances": instances})


def decode(text: str, *, corrected: bool = False) -> LabelledImage:
    """The labels of :func:`encode`. Raises ValueError, KeyError or TypeError for other text."""
    entry = json.loads(text)
    instances = tuple(
        LabelledInstance(
            one["label"],
            rle.decode(rle.decompress(one["segmentation"]["counts"]), tuple(one["segmentation"]["size"])),
            float(one["score"]),
            Status(one["status"]),
            one.get("track"),
            one.get("second", ""),
            float(one.get("second_score", 0.0)),
        )
        for one in entry["instances"]
    )
    height, width = entry["size"]
    given = entry["file"], entry["error"], corrected, entry.get("content", "")
    return LabelledImage(entry["name"], (height, width), instances, *given)


def class_map(image: LabelledImage, classes: Sequence[str]) -> np.ndarray:
    """(H, W) uint8 or uint16: 0 where no class is, else 1 and the number of the class in ``classes``."""
    numbers = {name: number for number, name in enumerate(classes, 1)}
    found = np.zeros(image.size, np.uint8 if len(classes) < 255 else np.uint16)
    for one in image.instances:
        found[one.mask] = numbers[one.label]
    return found
