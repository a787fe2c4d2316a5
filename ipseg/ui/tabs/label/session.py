"""What the session of a visitor has of its labels: a folder with the labels, reduced images and examples.

The folder lies where the page puts temporary files and goes with the session, with the next run, or an hour after its
last use, whichever comes first.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ipseg.annotations.labels import LabelFolder, LabelledImage, LabelledInstance, LabelsError, decode, encode
from ipseg.batch.inputs import Item
from ipseg.core.images import open_image
from ipseg.core.store import atomic_write
from ipseg.core.types import ImageArray, ImageError, InputError
from ipseg.engine.spec import EngineSpec
from ipseg.labelling.review import draw, edits
from ipseg.labelling.review.edits import Example
from ipseg.method.config import Parameters
from ipseg.ui.server.prompts import MOST
from ipseg.ui.widgets.images import encode_jpeg

PREFIX = "ipseg-label-"
LABELS, SMALL, EXAMPLES = "labels", "small", "examples"  # below the folder of a session
SIDE = 480  # pixels of a reduced image on its longer side
MOST_UNDO = 20
PIXEL = np.ones((1, 1), bool)
GONE = "The labels are no longer saved; press Label to make them again."

Clicks = tuple[tuple[float, float, bool], ...]
"""(x, y) in pixels of the upright image, and whether it is the object."""

Shown = tuple[str, str | None]
"""An example image of a class, and its mask or None: paths."""


@dataclass(frozen=True)
class Request:
    """The inputs of a run. Example images of a class are paths, each with the path of a mask or None."""

    classes: tuple[tuple[str, tuple[Shown, ...]], ...]
    spec: EngineSpec = field(default_factory=EngineSpec)
    parameters: Parameters = field(default_factory=Parameters)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes, in their order."""
        return tuple(name for name, _ in self.classes)

    def with_example(self, label: str, shown: Shown) -> Request:
        """With another example image of a class."""
        return replace(
            self, classes=tuple((name, (*own, shown) if name == label else own) for name, own in self.classes)
        )


@dataclass(frozen=True)
class Review:
    """The labels of one visitor, and what of them is shown."""

    folder: Path | None = None  # None: there are no labels
    request: Request = field(default_factory=lambda: Request(()))
    items: Mapping[str, Item] = field(default_factory=dict)  # the images by their names
    uploads: tuple[str, ...] = ()  # the files in which they are
    clips: Mapping[str, float] = field(default_factory=dict)  # frames per second, by the folder name of the frames
    added: int = 0  # examples since the last run
    thresholds: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, LabelledImage] = field(default_factory=dict)  # of each image, without its masks: see ``light``
    order: tuple[str, ...] = ()  # names of the images in the gallery
    opened: str = ""  # the image that is opened
    chosen: int | None = None  # its instance; None: a new one
    clicks: Clicks = ()  # on that instance
    before: str = ""  # the labels before these clicks, as of ``encode``
    target: int | None = None  # the instance in these labels that the clicks correct; None: they add one
    undo: tuple[tuple[str, str, bool], ...] = ()  # name, labels, whether they were corrected: before each edit
    tiles: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # file and text of images in the gallery
    confirmed: frozenset[str] = frozenset()  # names of the images whose labels a person confirmed as they are
    seconds: float = 0.0  # that the last run took

    @property
    def place(self) -> Path:
        """The folder of the session. Raises InputError where there is none, or no longer."""
        if self.folder is None or not self.folder.is_dir():
            raise InputError(GONE)
        return self.folder

    @property
    def labels(self) -> LabelFolder:
        """The labels, whose files count as used. Raises InputError where they are no longer there."""
        touch(self.place, self.uploads)
        try:
            return LabelFolder.open(self.place / LABELS)
        except LabelsError:
            raise InputError(GONE) from None

    def shows(self, one: LabelledInstance) -> bool:
        """Whether the thresholds leave an instance in."""
        return one.score >= self.thresholds.get(one.label, 0.0)

    def image(self) -> LabelledImage:
        """The labels of the image that is opened. Raises InputError where they are no longer there."""
        return _read(self.labels, self.opened)

    def pixels(self) -> ImageArray:
        """The image that is opened, (H, W, 3) uint8. Raises InputError where its file is no longer there."""
        try:
            return self.items[self.opened].open()
        except (KeyError, ImageError, OSError):
            raise InputError("The image is no longer saved; add it and press Label again.") from None

    def small(self, name: str) -> tuple[ImageArray | None, LabelledImage]:
        """An image and its labels, reduced. Raises InputError where they are no longer there."""
        labels = _read(LabelFolder(self.place / SMALL, self.request.names), name)
        file = self._small_image(name)
        return (open_image(file) if file.exists() else None), labels

    def save_small(self, pixels: ImageArray | None, image: LabelledImage) -> LabelledImage:
        """Save the reduced labels of an image, which are returned, and with ``pixels`` the reduced image."""
        small, labels = draw.shrunk(pixels, image, SIDE)
        saved = LabelFolder(self.place / SMALL, self.request.names)
        if image.corrected:
            saved.correct(labels)
        else:
            saved.discard_correction(image.name)
            saved.write(labels)
        if pixels is not None:
            atomic_write(self._small_image(image.name), encode_jpeg(small, quality=88))
        return labels

    def _small_image(self, name: str) -> Path:
        return self.place / SMALL / f"{list(self.items).index(name)}.jpg"

    def corrected(self, image: LabelledImage) -> Review:
        """Save a correction, so that it can be undone."""
        labels, old = self.labels, self.image()
        labels.correct(image)
        return replace(
            self._edited(replace(image, corrected=True)),
            undo=(*self.undo, (old.name, encode(old), old.corrected))[-MOST_UNDO:],
        )

    def with_confirmed(self, image: LabelledImage) -> Review:
        """Save a correction of an image that is right with it."""
        made = self.corrected(image)
        return replace(made, confirmed=made.confirmed | {image.name})

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        """The images of the gallery that are not confirmed, those after the one that is opened first."""
        place = self.order.index(self.opened) + 1 if self.opened in self.order else 0
        return tuple(name for name in (*self.order[place:], *self.order[:place]) if name not in self.confirmed)

    def undone(self) -> Review:
        """Without the last edit; the image that it was made on is opened."""
        *rest, (name, text, corrected) = self.undo
        return replace(self, undo=tuple(rest), opened=name)._restored(decode(text, corrected=corrected))

    def discarded(self) -> Review:
        """Without the corrections of the image that is opened."""
        old, labels = self.image(), self.labels
        labels.discard_correction(self.opened)
        undo = (*self.undo, (old.name, encode(old), old.corrected))[-MOST_UNDO:]
        return replace(self._edited(_read(labels, self.opened)), undo=undo, chosen=None)

    def _restored(self, image: LabelledImage) -> Review:
        labels = self.labels
        if image.corrected:
            labels.correct(image)
        else:
            labels.discard_correction(image.name)
        return replace(self._edited(image), chosen=None)

    def _edited(self, image: LabelledImage) -> Review:
        self.save_small(None, image)
        tiles = {name: tile for name, tile in self.tiles.items() if name != image.name}
        facts = {**self.facts, image.name: light(image)}
        confirmed = self.confirmed - {image.name}
        return replace(self, clicks=(), before="", tiles=tiles, facts=facts, confirmed=confirmed)

    def with_example(self, example: Example) -> Review:
        """With an instance as an example of its class, saved as an image and a mask.

        Raises InputError where the class has as many as it may have.
        """
        if len(dict(self.request.classes)[example.label]) >= MOST:
            raise InputError(f'"{example.label}" has {MOST} example images; remove one first, or label as it is.')
        stem = f"corrected_{self.added + 1:04}_{len(dict(self.request.classes)[example.label])}"
        image, mask = edits.save_example(self.place / EXAMPLES, example, stem)
        request = self.request.with_example(example.label, (str(image), str(mask)))
        return replace(self, request=request, added=self.added + 1)


def create(request: Request, items: Sequence[Item], uploads: Sequence[str] = ()) -> Review:
    """A new folder with no labels yet; the images get distinct names."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    LabelFolder.create(folder / SMALL, request.names)
    return Review(folder, request, named(items), tuple(uploads))


def named(items: Sequence[Item]) -> dict[str, Item]:
    """The items by their names; of two with one name, the later ones have a number."""
    found: dict[str, Item] = {}
    for item in items:
        name, number = item.name, 2
        while name in found:
            place = Path(item.name)
            name, number = str(place.with_name(f"{place.stem} ({number}){place.suffix}")), number + 1
        found[name] = item
    return found


def light(image: LabelledImage) -> LabelledImage:
    """The labels of an image with masks of one pixel, for what goes by classes and scores: many fit into memory."""
    return replace(image, size=(1, 1), instances=tuple(replace(one, mask=PIXEL) for one in image.instances))


def remove(review: Review) -> None:
    """Remove the folder of a session."""
    if review.folder is not None:
        shutil.rmtree(review.folder, ignore_errors=True)


def touch(folder: Path, files: Sequence[str] = ()) -> None:
    """Have all files of a folder, and these files, count as used now: the page removes what was not used for long."""
    inside = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    for path in (*inside, *files):
        with suppress(OSError):
            os.utime(path)


def _read(labels: LabelFolder, name: str) -> LabelledImage:
    try:
        return labels.read(name)
    except LabelsError:
        raise InputError(GONE) from None
