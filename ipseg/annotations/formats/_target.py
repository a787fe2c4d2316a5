"""Where one format is written: a partial folder that takes the place of an earlier export when it is complete."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

import numpy as np
from filelock import FileLock, Timeout
from PIL import Image

from ipseg.annotations.formats._names import Names
from ipseg.annotations.labels import LabelledImage
from ipseg.core import images
from ipseg.core.serialize import to_json
from ipseg.core.store import OutputError, check_writable, writing
from ipseg.core.types import ImageArray, ImageError, SettingError

MARK = ".ipseg-export"  # in the folder of every format: only what holds it is replaced
LOCK = ".ipseg-export.lock"
RENAMED = "renamed.jsonl"  # in the folder of a format: a line for each image that has another name there
LABELS = (".json", ".jsonl", ".txt", ".xml", ".yaml")  # endings of files that hold labels, unlike images
SLACK = 2.0  # seconds: the resolution of times of some file systems
LINK, COPY, NONE = IMAGES = ("link", "copy", "none")
JPEG_QUALITY = 95  # of an upright copy
JPEG = (".jpg", ".jpeg")
SCORES_LOST = "instances whose score and status the format cannot hold"


class Writer(Protocol):
    """Writes one format, image by image."""

    def add(self, image: LabelledImage, name: str, part: str) -> None:
        """One image under its ``name`` in the export (see :class:`Names`), in the ``part`` train or val."""
        ...

    def close(self) -> None:
        """Complete the files. Not called where the export failed."""
        ...


@dataclass(frozen=True)
class ImageFile:
    """The image file of labels: its path, its bytes where it lies in an archive, or None where there is none."""

    source: Path | bytes | None

    @cached_property
    def rotated(self) -> bool:
        """Whether it states a rotation, so that its stored pixels are not the labels' own."""
        return self.source is not None and images.orientation(self.source) != 1

    @cached_property
    def upright(self) -> ImageArray | None:
        """(H, W, 3) uint8 RGB; None where it cannot be opened any more."""
        try:
            return None if self.source is None else images.open_image(self.source)
        except ImageError:
            return None


def file_of(image: LabelledImage) -> Path | None:
    """The file that labels name, where it is there."""
    path = Path(image.file)
    return path if image.file and path.is_file() else None


@dataclass
class Target:
    """The folder of one format while it is written, and what was lost on the way."""

    folder: Path  # partial
    classes: tuple[str, ...]
    parts: tuple[str, ...]  # of the export: ("train",) or ("train", "val")
    policy: str  # how image files get in: link, copy or none
    names: Names
    stack: ExitStack  # closes the files that are open, also after an error
    given: ImageFile = ImageFile(None)  # of the image that is being written
    lost: Counter[str] = field(default_factory=Counter)  # a message, and how often
    without_file: int = 0  # images without an image file in the export, though it was to hold one
    upright: int = 0  # images saved as an upright copy, since their file states a rotation
    copied: int = 0  # images that were to be linked and are copied
    renamed: int = 0  # images whose name in the export is another
    _names: IO[str] | None = None  # the list of them

    def number(self, label: str) -> int:
        """The number of a class, from 0."""
        return self.classes.index(label)

    def name(self, image: LabelledImage) -> str:
        """The name of an image in this export; its ending is ``.png`` where its upright copy is one."""
        turned = self.policy != NONE and self.given.rotated
        suffix = PurePosixPath(image.name).suffix
        name = self.names.take(image.name, suffix if not turned or suffix.lower() in JPEG else ".png")
        if name != image.name:
            self._names = self._names or self.open(RENAMED)
            self._names.write(to_json({"name": name, "original": image.name}) + "\n")
            self.renamed += 1
        return name

    def put_image(self, inner: str) -> bool:
        """Bring the image file to ``inner`` below the folder; returns whether it is there.

        A link is a hard link, since readers refuse symbolic links that lead out of the export (supervision, Label
        Studio); where the file lies on another file system it is copied, and counted. A file that states a rotation
        (EXIF) is saved as an upright copy without it: labels are in upright pixels, and readers differ in whether they
        rotate.
        """
        if self.policy == NONE:
            return False
        source = self.given.source
        if source is None or (self.given.rotated and self.given.upright is None):
            self.without_file += 1
            return False
        target = self.path(inner)
        if self.given.rotated:
            self._put_upright(target)
        elif isinstance(source, bytes):
            target.write_bytes(source)
        elif self.policy == LINK:
            try:
                target.hardlink_to(source.resolve())
            except (OSError, NotImplementedError):  # another file system, or one without links
                shutil.copyfile(source, target)
                self.copied += 1
        else:
            shutil.copyfile(source, target)
        return True

    def path(self, inner: str) -> Path:
        """A path below the folder, whose own folder is made."""
        path = self.folder / inner
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def open(self, inner: str) -> IO[str]:
        """A text file below the folder, open for writing until the export ends."""
        return self.stack.enter_context(self.path(inner).open("w", encoding="utf-8", newline="\n"))

    def scratch(self) -> IO[str]:
        """A temporary text file, for what is appended to another one at the end."""
        return self.stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n"))

    def _put_upright(self, target: Path) -> None:
        pixels = Image.fromarray(np.asarray(self.given.upright))
        if target.suffix.lower() in JPEG:
            pixels.save(target, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        else:
            pixels.save(target, "PNG")
        self.upright += 1


@contextmanager
def replacing(folder: Path, formats: Collection[str]) -> Iterator[dict[str, Path]]:
    """A block that fills one partial folder for each format; they become ``folder/FORMAT`` at its end.

    After an error the earlier exports are as they were. Raises SettingError as :func:`check_replaceable` does and where
    another export into ``folder`` is running, :class:`~ipseg.core.store.OutputError` where it cannot be written.
    """
    check_writable(folder, "choose another folder")
    check_replaceable(folder, formats)
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise SettingError(f"Another export into {folder} is running; wait for its end.") from None
    except (OSError, NotImplementedError):  # a file system without locks
        pass
    partial = {name: folder / f".{name}-{secrets.token_hex(4)}.part" for name in formats}
    try:
        for name in formats:
            for left in folder.glob(f".{name}-*.part"):  # of a process that was killed
                shutil.rmtree(left, ignore_errors=True)
        with writing(folder):
            for path in partial.values():
                path.mkdir()
        yield partial
        for name, path in partial.items():
            with writing(folder / name):
                _replace(folder / name, path)
    finally:
        for path in partial.values():
            shutil.rmtree(path, ignore_errors=True)
        lock.release()


def check_replaceable(folder: Path, formats: Iterable[str]) -> None:
    """Raise SettingError where ``folder/FORMAT`` is there and is no export, or was edited since."""
    for name in formats:
        place = folder / name
        if (place.exists() or place.is_symlink()) and not is_export(place):
            raise SettingError(f"{place} is there and is no export of ipseg; move it, or choose another folder.")
        edited = changed_since(place)
        if edited:
            raise SettingError(f"{edited} in {place} was changed after the export; move the folder, or choose another.")


def is_export(folder: Path) -> bool:
    """Whether a folder is an export of this program, or empty."""
    return folder.is_dir() and not folder.is_symlink() and ((folder / MARK).is_file() or not any(folder.iterdir()))


def changed_since(folder: Path) -> str:
    """A file of labels in an export that was changed or added since, as by an editor; "" where there is none."""
    if not (folder / MARK).is_file():
        return ""
    exported = (folder / MARK).stat().st_mtime + SLACK
    files = (path for path in folder.rglob("*") if path.suffix in LABELS and path.is_file())
    return next((path.relative_to(folder).as_posix() for path in files if path.stat().st_mtime > exported), "")


def mark(folder: Path, about: Any) -> None:
    """Mark a partial folder as an export, with plain data about it."""
    (folder / MARK).write_text(to_json(about, indent=1) + "\n", encoding="utf-8")


def check_outside(given: ImageFile, folders: Mapping[str, Path], folder: Path) -> None:
    """Raise OutputError where an image file lies in an earlier export that would be removed."""
    if not isinstance(given.source, Path):
        return
    file = Path(os.path.abspath(given.source))
    for name in folders:
        if file.is_relative_to(Path(os.path.abspath(folder / name))):
            raise OutputError(
                f"{file.name} lies in {folder / name}, which this export would replace; choose another folder."
            )


def _replace(target: Path, partial: Path) -> None:
    old = target.with_name(f".{target.name}-{secrets.token_hex(4)}.part")
    if target.exists():
        os.rename(target, old)
    try:
        os.rename(partial, target)
    except OSError:
        if old.exists():
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
