"""Label a set of images: each is encoded once however many classes there are, and its labels are saved at once.

    classes (examples.read) --> prompts, encoded once
    images (items_of) --> opened, labelled, saved: a few at a time, in their order --> Outcome

What decides the labels of an image are the image, the classes and the settings; neither the number of workers, nor the
other images, nor which process labels it. So processes that share the images, and a run that was killed and goes on,
end with the files of one undisturbed run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from ipseg.annotations.labels import ABOUT, CORRECTIONS, DIGITS, LABELS, LabelFolder, LabelledImage, LabelsError
from ipseg.batch import inputs
from ipseg.core import images, overlap, resources, store
from ipseg.core.images import Source
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.store import OutputError, writing
from ipseg.core.types import ImageError, InputError, Progress, SettingError, Stopped
from ipseg.engine.build import load
from ipseg.engine.protocol import Engine
from ipseg.evaluation.runs import differences, of_engine
from ipseg.labelling import examples
from ipseg.labelling.examples import ClassExamples
from ipseg.labelling.matching import ClassPrompt, label_image
from ipseg.method.config import Parameters

MAX_IMAGES = 1_000_000  # of one run
NAMELESS = "without a name"

Stop = Callable[[], bool]
"""Called before each image and between the steps of the engine; True ends the run."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image to label, not opened yet."""

    name: str  # of its labels: the path below the folder or zip, or below what all given paths have in common
    source: Callable[[], Source]


@dataclass(frozen=True)
class Outcome:
    """The labels of one image of a run."""

    number: int  # from 1
    total: int  # images of this run
    image: LabelledImage  # as the labels count now, corrections included; with an error where there are none
    saved: bool = False  # whether an earlier run saved them


class Labeller:
    """Labels images by the classes of some examples. Threads may share it.

    ``source``: what :func:`ipseg.labelling.examples.read` takes, or the classes that it returned. ``engine``: by
    default :func:`ipseg.load`. ``k``, ``clusters``, ``threshold``, ``reject_threshold``: as of
    :meth:`ipseg.IPSeg.segment`. ``notify`` is called with each notice about the examples when they are encoded, which
    is before the first image. Raises :class:`~ipseg.core.types.InputError` for examples that cannot be used.
    """

    def __init__(
        self,
        source: Any,
        engine: Engine | None = None,
        *,
        k: int | None = None,
        clusters: int | None = None,
        threshold: float | None = None,
        reject_threshold: float | None = None,
        notify: Callable[[str], None] = lambda message: None,
    ) -> None:
        self.parameters = Parameters(k, clusters, threshold, reject_threshold)
        given = isinstance(source, Sequence) and all(isinstance(each, ClassExamples) for each in source)
        self.examples: tuple[ClassExamples, ...] = tuple(source) if given and source else examples.read(source)
        self.engine: Engine = engine if engine is not None else load()
        self.engine.config.thresholds(threshold, reject_threshold)  # raises for what does not go together
        self._notify, self._lock = notify, threading.Lock()
        self._prompts: tuple[ClassPrompt, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in their order."""
        return tuple(each.name for each in self.examples)

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides the labels of an image, as plain data."""
        of_classes = {each.name: _content(each) for each in self.examples}
        settings = {"parameters": self.parameters.arguments(), "classes": of_classes, **of_engine(self.engine)}
        return json.loads(to_json(settings))

    def prompts(self, progress: Progress | None = None) -> tuple[ClassPrompt, ...]:
        """The prompts of the classes, encoded by the first call. Raises what ``engine.prompt`` raises."""
        with self._lock:
            if not self._prompts:
                made = examples.prompts(self.engine, self.examples, progress)
                for each in made:
                    for notice in each.prompt.notices:
                        self._notify(f"{each.name}: {notice}")
                self._prompts = made
            return self._prompts

    def label(self, image: Source, name: str = "", *, progress: Progress | None = None) -> LabelledImage:
        """The labels of one image; where it cannot be used, they have an ``error`` instead of instances.

        ``name``: of the labels, by default that of the file. Raises :class:`~ipseg.core.types.SettingError`, and for
        examples that cannot be encoded what ``engine.prompt`` raises.
        """
        return self._label(Item(name or images.label_of(image), lambda: image), progress)

    def _label(self, item: Item, progress: Progress | None = None) -> LabelledImage:
        classes = self.prompts(progress)
        made = LabelledImage(item.name, (0, 0))
        try:
            with resources.named():
                source = item.source()
                made = replace(made, file=file_of(source))
                pixels = images.open_image(source, name=item.name)
                made = replace(made, size=pixels.shape[:2], content=images.fingerprint(pixels))
                given = self.parameters.arguments()
                found = label_image(self.engine, classes, pixels, **given, progress=progress)
        except SettingError:
            raise
        except InputError as error:
            return replace(made, error=str(error))
        rounded = (  # as they are saved, so that labels are the same whether they were read or made
            replace(one, score=round(one.score, DIGITS), second_score=round(one.second_score, DIGITS)) for one in found
        )
        return replace(made, instances=tuple(rounded))


# The images of a run


def items_of(given: Any, *, most: int = MAX_IMAGES, leave_out: Sequence[Path] = ()) -> list[Item]:
    """The images of a folder, a zip, a file, or a list of these, or of arrays and other images, in their order.

    The name of an image is its path below the one folder or zip that is given, else below the folder that all given
    paths have in common; what is no file is named by its number. A file that is given twice is one image. Raises
    :class:`~ipseg.core.types.ImageError` as :func:`ipseg.batch.inputs.gather` does.
    """
    values = list(given) if isinstance(given, list | tuple) else [given]
    if values and not any(isinstance(each, str | os.PathLike) for each in values):
        if len(values) > most:
            raise ImageError(f"There are more than {most} images; give at most {most} at once.")
        return [Item(f"{number:06}", partial(_same, each)) for number, each in enumerate(values, 1)]
    paths = [_path(each) for each in values]
    found = inputs.gather(paths, most=most, as_given=True, leave_out=leave_out)
    base = _base(paths)
    by_path = {item.path: item for item in found}  # of two members of one zip with one name, the last, as unpacked
    taken: Counter[str] = Counter()
    return [Item(_distinct(_name(item, base), taken), item.source) for item in by_path.values()]


def _path(given: Any) -> Path:
    if not isinstance(given, str | os.PathLike):
        raise ImageError(f"Paths and images of type {type(given).__name__} are mixed; give a list of one kind.")
    return Path(given)


def _same(value: Any) -> Any:
    return value


def _base(paths: Sequence[Path]) -> str:
    """The folder below which images are named, "" where their paths are below it already."""
    if len(paths) == 1 and inputs.is_container(paths[0]):
        return ""
    folders = [path if path.is_dir() else path.parent for path in paths]
    with suppress(ValueError):  # several drives
        return os.path.commonpath([os.path.abspath(folder) for folder in folders])
    return ""


def _name(item: inputs.Item, base: str) -> str:
    """Printable, "/" between folders, no part of it leads out of a folder."""
    last = item.name.rpartition("/")[2]
    if last in ("", ".", ".."):
        return NAMELESS
    path = os.path.relpath(os.path.abspath(item.name), base) if base else item.name
    parts = PurePosixPath(Path(path).as_posix()).parts
    return "/".join(part for part in parts if part not in ("/", ".", "..")) or NAMELESS


def _distinct(name: str, taken: Counter[str]) -> str:
    """The name, with a number where it is taken: printable names may agree although those of files differ."""
    taken[name] += 1
    return name if taken[name] == 1 else _distinct(f"{name}-{taken[name]}", taken)


def file_of(source: Any) -> str:
    """Where the file of an image is, absolute; "" where there is none, as of a member of an archive."""
    return os.path.abspath(source) if isinstance(source, str | os.PathLike) else ""


# The folder of a run


def prepare(out: Path, labeller: Labeller, *, resume: bool = False, overwrite: bool = False) -> LabelFolder:
    """The folder of a run, made or continued.

    Raises :class:`~ipseg.core.types.InputError` for a run that is there without ``resume``, or that has other settings,
    which it names, without ``overwrite``; for a folder with other files; and for corrections with a class that this run
    lacks. ``overwrite`` removes the labels; corrections stay in either case. Raises
    :class:`~ipseg.core.store.OutputError` for a folder that cannot be written.
    """
    other = "choose another output folder"
    store.check_writable(out, other)
    settings, known = labeller.settings, _known(out)
    if known is None and not overwrite and (others := _others(out)):
        known = _known(out)  # another process may have made it meanwhile
        if known is None:
            raise InputError(f"{out} is not empty and holds no labels ({min(others)}); {other}.")
    if known is not None and not overwrite:
        changed = differences(known.settings, settings)
        if not changed and known.classes != labeller.classes:
            changed = ["the order of the classes"]
        if changed:
            named = "; ".join(changed[:4]) + (f"; and {len(changed) - 4} more" if len(changed) > 4 else "")
            raise InputError(
                f"{out} holds labels of a run with other settings ({named}); {other}, or --overwrite (overwrite=True)."
            )
        if not resume:
            raise InputError(
                f"{out} holds labels of an earlier run; go on with --resume (resume=True), {other}, or --overwrite "
                "(overwrite=True)."
            )
        store.remove_partials(out / LABELS, below=True)
        return known
    folder = LabelFolder(out, labeller.classes, settings)
    _check_corrections(folder)
    if overwrite and (out / LABELS).exists():
        with writing(out / LABELS, other):
            shutil.rmtree(out / LABELS)
    return LabelFolder.create(out, labeller.classes, settings)


def _known(out: Path) -> LabelFolder | None:
    """The run in a folder; None where there is none. Raises LabelsError for a damaged one."""
    return LabelFolder.open(out) if (out / ABOUT).exists() else None


def _others(out: Path) -> list[str]:
    """The names of what a folder holds, but for hidden files and empty folders of labels."""
    names = [path.name for path in out.iterdir() if path.name[0] != "."]
    return [name for name in names if name not in (LABELS, CORRECTIONS) or any((out / name).iterdir())]


def _check_corrections(folder: LabelFolder) -> None:
    """Raise :class:`InputError` for corrections with a class that the new run lacks."""
    for path in sorted((folder.folder / CORRECTIONS).rglob("*.json")):
        name = path.relative_to(folder.folder / CORRECTIONS).as_posix().removesuffix(".json")
        lacking = {one.label for one in folder.read(name).instances} - set(folder.classes)
        if lacking:
            raise InputError(
                f'{name} was corrected with the class "{min(lacking)}", which this run lacks; give that class, or '
                f"remove the folder {CORRECTIONS} of the output."
            )


# The run


def run(
    labeller: Labeller,
    items: Sequence[Item],
    folder: LabelFolder | None = None,
    *,
    workers: int = overlap.WORKERS,
    stop: Stop = lambda: False,
) -> Iterator[Outcome]:
    """Label the items, ``workers`` at once, in their order; ends early when ``stop`` returns True.

    Labels that ``folder`` holds already are read, not made, unless the image has changed or could not be labelled;
    others are saved to it. At most ``workers`` images are in memory. Raises SettingError, since a wrong setting is
    wrong for all images, and what encoding the examples raises; where the labels of an image cannot be written, the
    outcome has an error.
    """
    numbered = ((number, len(items), item) for number, item in enumerate(items, 1))
    with suppress(Stopped):
        yield from overlap.in_order(partial(_outcome, labeller, folder, stop), numbered, workers=workers)


def _outcome(labeller: Labeller, folder: LabelFolder | None, stop: Stop, place: tuple[int, int, Item]) -> Outcome:
    if stop():
        raise Stopped
    number, total, item = place

    def ends(*_: Any) -> None:
        if stop():
            raise Stopped

    if folder is None:
        return Outcome(number, total, labeller._label(item, ends))
    earlier = saved_labels(folder, item)
    made = earlier or labeller._label(item, ends)
    try:
        if earlier is None:
            folder.write(made)
        if (folder.folder / CORRECTIONS / f"{item.name}.json").exists():
            made = folder.read(item.name)
    except (OutputError, LabelsError) as error:
        return Outcome(number, total, replace(made, instances=(), error=f"{item.name}: {error}"))
    return Outcome(number, total, made, saved=earlier is not None)


def saved_labels(folder: LabelFolder, item: Item) -> LabelledImage | None:
    """The labels that an earlier run made of this image, before corrections; None where there are none.

    They are those of this image if it has the file that they name and that is older than they are, else if its pixels
    are those they were made of.
    """
    path = folder.folder / LABELS / f"{item.name}.json"
    try:
        found = folder.read(item.name, original=True)
        source = item.source()
        file = file_of(source)
        if found.error or found.name != item.name:
            return None
        if file and found.file == file and os.stat(file).st_mtime_ns < path.stat().st_mtime_ns:
            return found
        same = found.content and found.content == images.fingerprint(images.open_image(source))
    except (InputError, OSError):
        return None
    if not same:
        return None
    moved = replace(found, file=file)
    if moved.file != found.file:
        folder.write(moved)
    return moved


@dataclass
class ClassCount:
    """What a run found of one class."""

    images: int = 0  # with an instance of it
    instances: int = 0
    uncertain: int = 0  # of the instances


@dataclass
class Summary:
    """What a run found, counted while it runs."""

    classes: dict[str, ClassCount]
    images: int = 0  # that were labelled
    corrected: int = 0  # of them
    failed: dict[str, str] = field(default_factory=dict)  # the error of each image that was not

    @classmethod
    def of(cls, names: Iterable[str]) -> Summary:
        """Of a run that has not begun."""
        return cls({name: ClassCount() for name in names})

    def add(self, image: LabelledImage) -> None:
        """Count an image."""
        if image.error:
            self.failed[image.name] = image.error
            return
        self.images += 1
        self.corrected += image.corrected
        for one in image.instances:
            self.classes[one.label].instances += 1
            self.classes[one.label].uncertain += one.status is Status.UNCERTAIN
        for name in {one.label for one in image.instances}:
            self.classes[name].images += 1

    @property
    def instances(self) -> int:
        """Of all classes."""
        return sum(each.instances for each in self.classes.values())

    @property
    def absent(self) -> list[str]:
        """The classes of which nothing was found."""
        return [name for name, each in self.classes.items() if not each.instances]

    def record(self) -> dict[str, Any]:
        """As plain data."""
        counts: Mapping[str, Any] = {name: vars(each) for name, each in self.classes.items()}
        return {"images": self.images, "corrected": self.corrected, "classes": counts, "failed": self.failed}

    def table(self) -> str:
        """One line for each class."""
        rows = [("class", "images", "instances", "uncertain")]
        rows += [(name, *map(str, vars(each).values())) for name, each in self.classes.items()]  # type: ignore[misc]
        width = max(len(row[0]) for row in rows)
        return "\n".join(f"{name:<{width}}" + "".join(f"  {cell:>9}" for cell in cells) for name, *cells in rows)


def _content(one: ClassExamples) -> str:
    """All that a class is made of, in short: ``"2 examples, 1f0a..."``."""
    digest = hashlib.blake2b("\n".join(one.content).encode(), digest_size=8).hexdigest()
    return f"{len(one.content)} example{'s' * (len(one.content) != 1)}, {digest}"
