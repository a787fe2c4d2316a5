"""Exports of labels, one file per format, found by its name.

A format is a module with ``TITLE``, ``FLAT`` (whether its readers take no folders among the images), ``STEMS`` (whether
it names files by images' names without their endings), ``NEEDS_IMAGES`` (whether its readers take labels together with
the image files beside them), ``check(classes)``, which raises SettingError for classes that it cannot hold, and
``build(target)``, which returns a :class:`~ipseg.annotations.formats._target.Writer`. Its docstring documents the
folder tree and what the format loses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ipseg.annotations.formats._names import TRAIN, VAL, Names, part_of
from ipseg.annotations.formats._target import (
    IMAGES,
    LINK,
    RENAMED,
    ImageFile,
    Target,
    Writer,
    check_outside,
    check_replaceable,
    file_of,
    mark,
    replacing,
)
from ipseg.annotations.labels import LabelFolder, LabelledImage
from ipseg.core import plugins
from ipseg.core.choices import check_choice
from ipseg.core.status import Status
from ipseg.core.store import writing
from ipseg.core.types import SettingError

KIND = "formats"


@dataclass(frozen=True)
class FormatReport:
    """What was written in one format, and what it could not hold."""

    name: str
    folder: Path
    lost: Mapping[str, int] = field(default_factory=dict)  # a message, and the number of instances or images
    without_file: int = 0  # images whose file is not known or gone: their labels are written, the image is not
    upright: int = 0  # images written as an upright copy, since their file states a rotation
    copied: int = 0  # images copied where a link was wanted, as from another file system
    renamed: int = 0  # images that have another name in the export


@dataclass(frozen=True)
class Report:
    """What an export holds."""

    formats: tuple[FormatReport, ...]
    images: int = 0  # with labels, also those without an instance
    instances: int = 0
    uncertain: int = 0  # of the instances
    below: int = 0  # instances that the thresholds left out
    failed: int = 0  # images that could not be labelled, left out
    classes: Mapping[str, int] = field(default_factory=dict)  # instances of each class, also of those without one
    parts: Mapping[str, int] = field(default_factory=dict)  # images of "train", and of "val" with a split

    def messages(self, *, absent: bool = True) -> tuple[str, ...]:
        """The same for a person, one message each. ``absent``: whether one names the classes without an instance."""
        shares = ", ".join(f"{count} {part}" for part, count in self.parts.items())
        lines = [f"{_count(self.images, 'image')} ({shares}), {_count(self.instances, 'instance')}"]
        lines += [f"{self.uncertain} of the instances are uncertain"] * bool(self.uncertain)
        lines += [f"{_count(self.below, 'instance')} below the threshold left out"] * bool(self.below)
        lines += [f"{_count(self.failed, 'image')} that could not be labelled left out"] * bool(self.failed)
        empty = [name for name, count in self.classes.items() if not count]
        lines += [f"no instance of {', '.join(empty)}"] * bool(empty and absent)
        for one in self.formats:
            lines.append(f"{one.name} -> {one.folder}")
            lines += [f"{one.name}: {message} ({count})" for message, count in one.lost.items()]
            lines += [f"{one.name}: {_count(one.without_file, 'image')} without a file"] * bool(one.without_file)
            lines += [f"{one.name}: {_count(one.upright, 'image')} saved as an upright copy"] * bool(one.upright)
            lines += [f"{one.name}: {_count(one.copied, 'image')} copied, not linked"] * bool(one.copied)
            lines += [f"{one.name}: {_count(one.renamed, 'image')} renamed, see {RENAMED}"] * bool(one.renamed)
        return tuple(lines)


def names() -> list[str]:
    """The formats, sorted."""
    return plugins.names(KIND)


def needs_images(name: str) -> bool:
    """Whether the readers of a format take labels together with the image files. Raises SettingError for no format."""
    check_choice(name, names(), 'There is no format "{}"')
    return bool(plugins.module(KIND, name).NEEDS_IMAGES)


def export(
    labels: LabelFolder | Iterable[LabelledImage],
    folder: Path,
    formats: Sequence[str],
    *,
    classes: Sequence[str] | None = None,
    thresholds: Mapping[str, float] | float = 0.0,
    split: float | None = None,
    seed: int = 0,
    parts: Mapping[str, str] | None = None,
    images: str = LINK,
    find: Callable[[LabelledImage], Path | bytes | None] = file_of,
) -> Report:
    """Write labels in one or several formats, each in ``folder/FORMAT``; one image is in memory at a time.

    ``classes``: their names in order, where ``labels`` is no :class:`LabelFolder`. ``thresholds``: instances of a lower
    score are left out, one threshold for all or by class. ``split``: the share of the images in ``train``, the others
    are ``val``; the name of an image and ``seed`` decide alone (:func:`part_of`), and without ``split`` all are
    ``train``, or in the part that ``parts`` states for their names. ``images``: how image files get into a format:
    ``link`` (a hard link), ``copy`` or ``none``; a file that states a rotation is saved as an upright copy in either
    case. ``find``: gives the image file of labels, its path or its bytes, by default the file that they name, which a
    member of an archive does not have.

    An export replaces an earlier export when it is complete, and nothing else. Raises SettingError for a format,
    class, split or folder that cannot be, :class:`~ipseg.core.store.OutputError` for what cannot be written, and what
    reading ``labels`` raises.
    """
    chosen = list(dict.fromkeys(formats))
    numbered = _classes(labels.classes if isinstance(labels, LabelFolder) and classes is None else classes or ())
    check(chosen, split, images, classes=numbered)
    division = _Division.of(parts, split, seed)
    tally = _Tally.of(numbered, division.names)
    with replacing(folder, chosen) as places, ExitStack() as stack:
        opened = partial(_Output.opened, classes=numbered, parts=division.names, images=images, stack=stack)
        made = [opened(name, folder / name, places[name]) for name in chosen]
        for image in labels:
            if image.error:
                tally.counts["failed"] += 1
                continue
            given = ImageFile(find(image))
            check_outside(given, places, folder)
            shown, part = _above(image, thresholds, numbered), division.part_of(image.name)
            tally.add(image, shown, part)
            for output in made:
                output.add(shown, part, given)
        for output in made:
            output.close(tally.counts)
    return tally.report(tuple(output.report() for output in made))


@dataclass(frozen=True)
class _Division:
    """Which images are for training, and which for validation."""

    names: tuple[str, ...]  # of the parts that there are
    stated: Mapping[str, str]  # the part of the images of these names
    split: float | None
    seed: int

    @classmethod
    def of(cls, parts: Mapping[str, str] | None, split: float | None, seed: int) -> _Division:
        """As the arguments of :func:`export` say."""
        stated = parts if parts and split is None else {}
        return cls((TRAIN, VAL) if stated or split is not None else (TRAIN,), stated, split, seed)

    def part_of(self, name: str) -> str:
        """The part of an image."""
        return self.stated.get(name) or part_of(name, self.split, self.seed)


@dataclass(frozen=True)
class _Output:
    """One format while it is written."""

    name: str
    folder: Path  # of the format, when it is complete
    target: Target
    writer: Writer

    @classmethod
    def opened(
        cls,
        name: str,
        folder: Path,
        place: Path,
        *,
        classes: tuple[str, ...],
        parts: tuple[str, ...],
        images: str,
        stack: ExitStack,
    ) -> _Output:
        """Without an image yet; its files are in ``place``. Raises OutputError, as the methods do."""
        module = plugins.module(KIND, name)
        names = Names(flat=module.FLAT, stems=module.STEMS)
        target = Target(place, classes, parts, images, names, stack)
        with writing(folder):
            return cls(name, folder, target, module.build(target))

    def add(self, image: LabelledImage, part: str, given: ImageFile) -> None:
        """Write one image, whose file is ``given``, in the ``part`` train or val."""
        with writing(self.folder):
            self.target.given = given
            self.writer.add(image, self.target.name(image), part)

    def close(self, counts: Mapping[str, int]) -> None:
        """Complete the files, and mark them as an export that holds so much."""
        with writing(self.folder):
            self.writer.close()
            mark(self.target.folder, {"format": self.name, "classes": self.target.classes, **counts})

    def report(self) -> FormatReport:
        """What was written."""
        one = self.target
        return FormatReport(
            self.name, self.folder, dict(one.lost), one.without_file, one.upright, one.copied, one.renamed
        )


@dataclass
class _Tally:
    """What an export holds, counted while it is written."""

    counts: Counter[str]  # the numbers of :class:`Report`
    classes: Counter[str]  # instances of each class
    parts: Counter[str]  # images of each part

    @classmethod
    def of(cls, classes: Sequence[str], parts: Sequence[str]) -> _Tally:
        """Nothing yet, of these classes and parts."""
        numbers = "images", "instances", "uncertain", "below", "failed"
        return cls(*(Counter(dict.fromkeys(names, 0)) for names in (numbers, classes, parts)))

    def add(self, image: LabelledImage, shown: LabelledImage, part: str) -> None:
        """Count an image, of which the instances that are ``shown`` are written."""
        self.counts.update(
            images=1,
            instances=len(shown.instances),
            uncertain=sum(one.status is Status.UNCERTAIN for one in shown.instances),
            below=len(image.instances) - len(shown.instances),
        )
        self.classes.update(one.label for one in shown.instances)
        self.parts[part] += 1

    def report(self, formats: tuple[FormatReport, ...]) -> Report:
        """What was counted, with the reports of the formats."""
        return Report(formats, **self.counts, classes=dict(self.classes), parts=dict(self.parts))


def _above(image: LabelledImage, thresholds: Mapping[str, float] | float, classes: Sequence[str]) -> LabelledImage:
    """An image with the instances above the thresholds. Raises SettingError where one is of no known class."""
    shown = image.above(thresholds)
    unknown = {one.label for one in shown.instances} - set(classes)
    if unknown:
        raise SettingError(f"{image.name} has the class {min(unknown)}, which is not among the classes.")
    return shown


def check(
    formats: Sequence[str],
    split: float | None,
    images: str,
    *,
    folder: Path | None = None,
    classes: Sequence[str] | None = None,
) -> None:
    """Raise SettingError for what :func:`export` refuses: for use before work whose results are exported."""
    if not formats:
        raise SettingError(f"No format is given; choose among: {', '.join(names())}.")
    for name in formats:
        check_choice(name, names(), 'There is no format "{}"')
    if split is not None and not 0 < split < 1:
        raise SettingError(f"The split is {split:g}; give the share of the images for training, between 0 and 1.")
    check_choice(images, IMAGES, 'Image files cannot be taken by "{}"')
    if classes is not None:
        for name in formats:
            plugins.module(KIND, name).check(_classes(classes))
    if folder is not None:
        check_replaceable(folder, formats)


def _classes(names: Sequence[str]) -> tuple[str, ...]:
    if not names or len(set(names)) < len(names):
        raise SettingError("The classes are missing or not distinct; name each class once.")
    wrong = [name for name in names if not name.strip() or not name.isprintable()]
    if wrong:
        raise SettingError(f"{wrong[0]!r} is no name of a class; give printable text.")
    return tuple(names)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
