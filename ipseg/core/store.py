"""The one store of results: what decides a result, files that are written whole or not at all, and saved results.

:func:`run_key` names a result by all that decides it, :func:`atomic_write` is the only way an output file is written,
and :class:`ResultStore` saves results below their keys, in a folder that is bounded in bytes.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import io
import json
import os
import secrets
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ipseg.core.resources import FULL
from ipseg.core.types import InputError, SettingError

T = TypeVar("T")
Arrays = Mapping[str, NDArray[Any]]

MAX_BYTES = 2 * 2**30  # of the saved files of one folder
PARTIAL_SECONDS = 3600.0  # a partial file of that age belongs to a process that was killed
PARTIAL = ".ipseg-*.part"  # the names of partial files; short, so that the final name alone decides whether it fits
RESULTS = ("ablation", "galleries")  # the folders of saved results, which can be removed at any time


class OutputError(InputError):
    """An output file cannot be written; one message that says why, and what to do."""


class Described(Protocol):
    """What :func:`run_key` reads of an engine."""

    @property
    def info(self) -> Any:
        """``name`` and ``record``: its parts, weights and placement as plain data."""
        ...

    @property
    def config(self) -> Any:
        """The numbers of the method; its ``repr`` holds them all."""
        ...

    @property
    def scorer(self) -> Any:
        """How images are compared; its ``repr`` holds its settings."""
        ...


def folder(name: str) -> Path:
    """Where results of that name are saved: below XDG_CACHE_HOME, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "ipseg" / name


# What decides a result


def run_key(engine: Described, content: Iterable[str] = (), settings: Mapping[str, Any] | None = None) -> str:
    """A name (32 hexadecimal digits) for a result: two that differ in anything that decides it have two names.

    It depends on the code, on the engine (its parts, their settings, placement and weights), on the ``settings`` of
    the call, and on ``content``: the fingerprints of pixels and masks in order (:func:`ipseg.core.images.fingerprint`).
    File names do not count, neither those of inputs nor those of weights: weights count by their sha256, and by the
    path of their files only where no hash is known.
    """
    record = dict(engine.info.record)
    record["weights"] = {name: _identity(entry) for name, entry in dict(record.get("weights") or {}).items()}
    parts = [code_version(), engine.info.name, record, repr(engine.config), repr(engine.scorer)]
    text = json.dumps([*parts, list(content), dict(settings or {})], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@functools.cache
def code_version() -> str:
    """A hash (32 hexadecimal digits) of the source of the whole package; a process computes it once."""
    digest, package = hashlib.blake2b(digest_size=16), Path(__file__).resolve().parents[1]
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def _identity(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of one model's weights, without their path where a hash is known."""
    return {key: value for key, value in dict(entry).items() if key != "path" or not entry.get("sha256")}


# Files


def atomic_write(path: str | os.PathLike[str], data: bytes | str | Arrays) -> None:
    """Write a whole file or nothing: text as UTF-8, arrays as a compressed NPZ. Its folder must exist.

    The data go into a partial file beside ``path``, which is then renamed: threads and processes may write one path at
    once, and a process that is killed leaves the old file. A link is followed. What is no regular file, such as a
    pipe, is written to directly. Raises OSError.
    """
    target = Path(path)
    raw = _as_bytes(data)
    if target.exists() and not target.is_file():
        with target.open("wb") as file:  # a folder raises IsADirectoryError
            file.write(raw)
        return
    target = Path(os.path.realpath(target))
    for again in (True, False):
        try:
            _write_and_rename(target, raw)
        except FileNotFoundError:  # another process took the partial file for one of a killed process
            if not (again and target.parent.is_dir()):
                raise
        else:
            return


def open_partial(folder: Path) -> tuple[Path, int]:
    """A new, empty partial file in a folder, and its descriptor: :func:`remove_partials` leaves it while that is open.

    For what is too large for memory: write it, rename it, close the descriptor. Raises OSError.
    """
    partial = folder / PARTIAL.replace("*", secrets.token_hex(8))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(partial, flags, 0o666)
    _lock(descriptor)
    return partial, descriptor


def _write_and_rename(target: Path, data: bytes) -> None:
    partial, descriptor = open_partial(target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            with suppress(OSError, AttributeError):  # a new file has the mode of every new file
                os.fchmod(descriptor, target.stat().st_mode & 0o7777)
            file.flush()
            if os.name != "nt":  # there an open file cannot be renamed
                os.replace(partial, target)  # while it is locked
        if os.name == "nt":
            os.replace(partial, target)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def remove_partials(folder: Path, *, below: bool = False) -> None:
    """Remove the partial files of killed processes in a folder, with ``below`` also in the folders below it.

    Those that are being written stay.
    """
    for path in folder.rglob(PARTIAL) if below else folder.glob(PARTIAL):
        with suppress(OSError):
            if _is_abandoned(path):
                path.unlink()


def _is_abandoned(path: Path) -> bool:
    """Whether nobody writes a partial file: its lock is free, or, where there are no locks, it is old."""
    try:
        import fcntl
    except ImportError:
        return time.time() - path.stat().st_mtime > PARTIAL_SECONDS
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return time.time() - path.stat().st_mtime > PARTIAL_SECONDS
    return True


def _lock(descriptor: int) -> None:
    """Lock an open file until it is closed, where the system has such locks."""
    with suppress(ImportError, OSError):
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def writing(path: str | os.PathLike[str], other: str = "choose another folder") -> Iterator[None]:
    """A block that writes ``path``; an OSError in it is raised as :class:`OutputError`.

    ``other``: what to do where the folder is at fault.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(_message(Path(path), error, other)) from error


def _message(path: Path, error: OSError, other: str) -> str:
    if error.errno in FULL:
        todo = "make room on the disk and run it again"
    elif error.errno == errno.EFBIG:
        todo = "raise this system's limit on the size of a file (ulimit -f), or give fewer images"
    elif error.errno == errno.ENAMETOOLONG:
        todo = "give its image a shorter name"
    else:
        todo = other
    name = path.name if len(path.name) <= 60 else f"{path.name[:40]}…{path.name[-16:]}"
    return f"{name} cannot be written ({_reason(error)}); {todo}."


def check_writable(folder: Path, other: str = "choose another folder") -> None:
    """Make a folder, and write and remove an empty file in it.

    Raises :class:`OutputError` where the disk is full, and SettingError where the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / PARTIAL.replace("*", secrets.token_hex(8))
        os.close(os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        probe.unlink()
    except OSError as error:
        if error.errno in FULL:
            raise OutputError(f"The disk of the folder {folder} is full; make room, or {other}.") from error
        raise SettingError(f"The folder {folder} cannot be made or written ({_reason(error)}); {other}.") from error


def _reason(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):  # a file, or a link that leads nowhere
        return "a part of its path is no folder"
    return error.strerror or type(error).__name__


def _as_bytes(data: bytes | str | Arrays) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, Mapping):
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **dict(data))  # type: ignore[arg-type]
        return buffer.getvalue()
    return bytes(data)


# Saved results


@dataclass(frozen=True)
class Codec(Generic[T]):
    """How a result becomes the bytes of a file. ``decode`` raises an error for bytes that are damaged."""

    ending: str
    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]


DAMAGED = (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


def _decode_arrays(data: bytes) -> Arrays:
    with np.load(io.BytesIO(data), allow_pickle=False) as saved:
        return dict(saved)


ARRAYS: Codec[Arrays] = Codec(".npz", _as_bytes, _decode_arrays)


class ResultStore(Generic[T]):
    """Results in a folder, one file each, named by a key; what is damaged counts as not there.

    ``folder``: None to save nothing. ``max_bytes``: of all files together, those used longest ago are removed first;
    None for no bound. ``optional``: whether a result that cannot be written is returned all the same, as from a cache;
    else :class:`OutputError` is raised.
    """

    def __init__(
        self,
        folder: Path | None,
        codec: Codec[T],
        *,
        max_bytes: int | None = MAX_BYTES,
        optional: bool = True,
    ) -> None:
        self.folder, self.codec, self.max_bytes, self.optional = folder, codec, max_bytes, optional

    def path(self, key: str) -> Path | None:
        """The file of a key, whether or not it is there."""
        return self.folder / f"{key}{self.codec.ending}" if self.folder else None

    def get_or_compute(
        self, key: str, compute: Callable[[], T], is_valid: Callable[[T], bool] = lambda value: True
    ) -> T:
        """The saved result of a key, if ``is_valid`` accepts it, else ``compute()``, which is then saved."""
        saved = self.get(key)
        if saved is not None and is_valid(saved):
            return saved
        value = compute()
        self.put(key, value)
        return value

    def get(self, key: str) -> T | None:
        """The saved result; None when there is none, or it is damaged."""
        path = self.path(key)
        if path is None:
            return None
        try:
            value = self.codec.decode(path.read_bytes())
        except DAMAGED:
            return None
        if self.max_bytes is not None:
            with suppress(OSError):  # removed meanwhile, or a folder that is read-only
                os.utime(path)
        return value

    def put(self, key: str, value: T) -> None:
        """Save a result, then remove the oldest files until all have at most ``max_bytes``."""
        path = self.path(key)
        if path is None or self.folder is None:
            return
        try:
            with writing(path):
                self.folder.mkdir(parents=True, exist_ok=True)
                atomic_write(path, self.codec.encode(value))
        except OutputError:
            if not self.optional:
                raise
        if self.max_bytes is not None:
            _bound(self.folder, self.max_bytes)


def usage(folder: Path) -> tuple[int, int]:
    """The number of files below a folder, and their bytes; partial files count."""
    found = list(_files(folder))
    return len(found), sum(size for _, size, _ in found)


def clear(folder: Path) -> int:
    """Remove every file below a folder of saved results; returns the bytes. Another process may write meanwhile."""
    freed = 0
    for _, size, path in list(_files(folder)):
        with suppress(FileNotFoundError), writing(path, "check the permissions of its folder"):
            path.unlink()
            freed += size
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # it holds a file that is being written
            os.rmdir(place)
    return freed


def _bound(folder: Path, max_bytes: int) -> None:
    """Remove the files that were used longest ago until the rest fits. Another process may do the same meanwhile."""
    now = time.time()
    files = sorted(_files(folder))
    total = sum(size for _, size, _ in files)
    for used, size, path in files:
        if total <= max_bytes:
            return
        if path.name.startswith(".") and now - used < PARTIAL_SECONDS:  # it is being written
            continue
        with suppress(OSError):
            path.unlink(missing_ok=True)
            total -= size


def _files(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each file below a folder was used last, its bytes and its path; one that goes meanwhile is left out."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            with suppress(OSError):
                status = path.lstat()
                yield status.st_mtime, status.st_size, path
