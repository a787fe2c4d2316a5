"""Output files: written whole or not at all, checked before the work starts, and listed while results come in."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
from filelock import FileLock, Timeout

from ipseg.core.images import encode_png, png_note
from ipseg.core.store import OutputError, atomic_write, check_writable, remove_partials, writing
from ipseg.core.types import SettingError

OTHER, OTHER_JSON = "choose another --output", "choose another --json"
EVERY, SHARE = 1.0, 0.05  # a list is written at most once in so many seconds, and in at most this share of the time
NAMED = 3  # masks of earlier runs that are named


def write_png(path: Path, pixels: np.ndarray, note: str = "") -> None:
    """(H, W) or (H, W, 3|4) uint8 as a PNG; its folder is made. ``note``: see :func:`ipseg.core.images.encode_png`."""
    write(path, encode_png(pixels, note))


def write(path: Path, data: bytes | str, other: str = OTHER) -> None:
    """Write a whole file or nothing; its folder is made. Raises :class:`~ipseg.core.store.OutputError`.

    ``other``: what its message says where the folder is at fault.
    """
    with writing(path, other):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, data)


class Listing:
    """The list of a run as a JSON file, rewritten while results come in: a run that is killed leaves what was done.

    Use as a context: the file is complete after the block, also after an error. ``text`` gives its content. Where it
    cannot be written at the end, one message is printed and :attr:`failed` is set.
    """

    def __init__(
        self,
        path: Path | None,
        text: Callable[[], str],
        other: str = OTHER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path, self._text, self._other, self._clock = path, text, other, clock
        self._due = clock() + EVERY
        self._changed = False
        self.failed = False

    def update(self) -> None:
        """A result was added; the file is written when that is due."""
        self._changed = True
        if self._clock() >= self._due:
            self._write()

    def __enter__(self) -> Listing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._changed or error is None:  # without a result, an error leaves the list of an earlier run
            message = self._write()
            if message:
                print(f"ipseg: {message}", file=sys.stderr)
                self.failed = True

    def _write(self) -> str:
        """The error message; "" when it was written."""
        if self._path is None:
            return ""
        start = self._clock()
        try:
            write(self._path, self._text(), self._other)
        except OutputError as error:
            return str(error)
        finally:
            self._due = self._clock() + max(EVERY, (self._clock() - start) / SHARE)
        return ""


@contextmanager
def alone(lock: Path, folder: Path) -> Iterator[None]:
    """A block in which no other run works in ``folder``. Raises SettingError when one does."""
    try:
        held = FileLock(lock, timeout=0)
        held.acquire()
    except Timeout:
        raise SettingError(f"Another run is writing into {folder}; wait for its end, or {OTHER}.") from None
    except (OSError, NotImplementedError):  # a file system without locks
        yield
        return
    try:
        yield
    finally:
        held.release()


def report_others(folder: Path, made: Collection[Path], listing: str) -> None:
    """Print a notice about the masks in ``folder`` and below that this run did not make: earlier runs left them."""
    known = {path.resolve() for path in made}
    others = [path for path in sorted(folder.rglob("*.png")) if path.resolve() not in known and png_note(path)]
    if others:
        named = ", ".join(path.relative_to(folder).as_posix() for path in others[:NAMED])
        more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
        print(
            f"ipseg: {folder} also holds masks of earlier runs that {listing} does not list: {named}{more}; "
            f"delete them, or {OTHER}.",
            file=sys.stderr,
        )


def distinct_stems(images: Iterable[Path]) -> None:
    """Raise SettingError when two images would write to the same names."""
    double = [stem for stem, count in Counter(image.stem for image in images).items() if count > 1]
    if double:
        raise SettingError(f'Several images are named "{double[0]}", so their masks would overwrite each other.')


def refuse_to_overwrite(given: Iterable[Path | None], made: Iterable[Path]) -> None:
    """Raise SettingError when what is made would overwrite what was given, or itself."""
    targets = [path.resolve() for path in made]
    lost = {path.resolve() for path in given if path} & set(targets)
    lost |= {path for path, count in Counter(targets).items() if count > 1}
    if lost:
        raise SettingError(f"{min(lost).name} would be overwritten; give another --output or --json.")


def make_folder(folder: Path) -> None:
    """Make a folder for results, and remove what killed runs left there half written.

    Raises SettingError or OutputError when it cannot be made or written.
    """
    check_writable(folder, OTHER)
    remove_partials(folder)


def check_json(path: Path | None) -> None:
    """Raise SettingError or OutputError when a record could not be written there."""
    if path is None:
        return
    if not path.parent.is_dir():
        raise SettingError(f"--json {path}: the folder {path.parent} does not exist; make it first.")
    if path.is_dir():
        raise SettingError(f"--json is {path.name}, which is a folder; give the name of a file.")
    if path.exists() and not path.is_file():  # a pipe or a device
        return
    check_writable(path.resolve().parent, OTHER_JSON)
