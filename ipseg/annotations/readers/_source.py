"""What every reader returns, and what they share."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ipseg.annotations.labels import LabelledInstance
from ipseg.core import images
from ipseg.core.status import Status
from ipseg.core.types import ImageError, InputError, Mask

BOXES = "boxes without a mask, left out"
PARTS = ("train", "val")
ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")  # of images in a dataset
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that exchange height and width


class DatasetError(InputError):
    """A labelled dataset is missing, damaged, or of no format that is read."""


@dataclass(frozen=True)
class Source:
    """The classes of a dataset, in their order, and its labels, image by image."""

    classes: tuple[str, ...]
    images: Callable[[], Iterator[Any]]  # of LabelledImage
    parts: Mapping[str, str] = field(default_factory=dict)  # train or val, of each image by its name; empty: no split
    skipped: Counter[str] = field(default_factory=Counter)  # a message, and how often; counted while images are read


def instance(label: str, mask: Mask, about: Mapping[str, Any]) -> LabelledInstance:
    """An instance with what ``about`` holds of score, status and track; else it is detected, with the score 1.

    Raises ValueError or TypeError for what is no score or status.
    """
    score, track = about.get("score"), about.get("track_id", about.get("track"))
    status = about.get("status") or Status.DETECTED.value
    known = status if status in {one.value for one in Status} else Status.DETECTED.value
    number = None if track in (None, "") else int(track)
    return LabelledInstance(label, mask, 1.0 if score is None else float(score), Status(known), number)


def distinct(given: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """A name for each (part, name): the name itself, with its part before it where several parts have it."""
    pairs = list(dict.fromkeys(given))
    taken = Counter(name for _, name in pairs)
    return {(part, name): name if taken[name] == 1 else f"{part}/{name}" for part, name in pairs}


def size_of(file: Path) -> tuple[int, int]:
    """(height, width) of the upright image. Raises :class:`DatasetError`."""
    try:
        height, width = images.size_of(file)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    return (width, height) if images.orientation(file) in SIDEWAYS else (height, width)


def read_json(file: Path) -> Any:
    """Raises :class:`DatasetError` for what is no JSON."""
    try:
        return json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DatasetError(f"{file.name} cannot be read as JSON; check the file.") from error


@contextmanager
def parsing(file: Path | str) -> Iterator[None]:
    """A block that parses a file; one that does not hold what its format says is a :class:`DatasetError`.

    Messages for a person, such as that of a package that is not installed, are raised as they are.
    """
    try:
        yield
    except InputError:
        raise
    except (OSError, *WRONG) as error:
        raise damaged(file, error) from error


def checked(size: tuple[Any, Any], name: str) -> tuple[int, int]:
    """A stated (height, width) as whole numbers. Raises ValueError, DatasetError where it is out of bounds."""
    height, width = int(size[0]), int(size[1])
    if min(height, width) < 1:
        raise ValueError(f"{name} is {width}x{height} pixels")
    try:
        images.within_bounds((width, height), name)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    return height, width


def inside(folder: Path, name: str) -> Path | None:
    """The file of that name below a folder; None where there is none, or the name leads out of the folder."""
    inner = PurePosixPath(name)
    path = folder / inner
    return path if not inner.is_absolute() and ".." not in inner.parts and path.is_file() else None


def damaged(file: Path | str, error: Exception) -> DatasetError:
    """The error for a file that does not hold what its format says."""
    name = file if isinstance(file, str) else file.name
    reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    return DatasetError(f"{name} is damaged or of another format ({reason}).")


WRONG = (KeyError, ValueError, TypeError, IndexError, AttributeError)  # what parsing a damaged file raises
