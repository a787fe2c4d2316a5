"""What a run goes through: the images of a folder, of a list of files, or of a zip, each with a name of its own.

A zip is never unpacked onto the disk: its members are read one at a time into memory, within bounds. One that looks
like an attack is refused as a whole; a member that is no image is left for whoever opens it to report.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from ipseg.core import images
from ipseg.core.types import ImageError, Picture

MAX_PICTURES = 500  # in one run
MAX_UNPACKED = 1024 * 2**20  # bytes of all members of a zip together
MAX_RATIO = 100  # unpacked to packed; photographs are near 1
MAX_DIRECTORY = 4 * 2**20  # bytes of a zip's table of contents: some 40 000 names
NOT_PICTURES = (".zip", ".ds_store", "thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Item:
    """One file to be opened when its turn comes."""

    name: str  # with its folder, "/" between; no two items of a run share it
    source: Callable[[], bytes | Path]

    def open(self) -> Picture:
        """(H, W, 3) uint8 RGB. Raises :class:`ImageError`."""
        return images.open_image(self.source(), name=self.name)

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return str(PurePosixPath(self.name).with_suffix(""))


def gather(paths: Sequence[str | os.PathLike[str]], *, most: int = MAX_PICTURES) -> list[Item]:
    """The items of folders, zips and single files, in the order of their names. Nothing is opened but the zips.

    Raises :class:`ImageError` with one message for a zip that is refused, for more than ``most`` images, and
    where there is nothing at all.
    """
    found: list[Item] = []
    for path in map(Path, paths):
        found += _of(path)
        if len(found) > most:
            raise ImageError(f"There are more than {most} images; give at most {most} at once.")
    if not found:
        label = Path(paths[0]).name if paths else "The list"
        raise ImageError(f"{label} holds no images; give JPEG, PNG or WebP files, or a folder or zip of them.")
    return _distinct(found)


def _of(path: Path) -> list[Item]:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        named = [(file.relative_to(path).as_posix(), file) for file in files]
        return [Item(name, partial(Path, file)) for name, file in named if _counts(name)]
    if path.suffix.lower() == ".zip" or (path.is_file() and zipfile.is_zipfile(path)):
        return list(_members(path))
    return [Item(path.name, partial(Path, path))]


def _members(path: Path) -> Iterator[Item]:
    _check_directory(path)
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, EOFError):
        raise ImageError(_damaged(path)) from None
    _check(path, infos)
    for info in sorted(infos, key=lambda info: info.filename):
        if _counts(info.filename):
            yield Item(info.filename.replace("\\", "/"), partial(_read, path, info))


def _check_directory(path: Path) -> None:
    """The size of the table of contents, before the whole of it is read (APPNOTE 4.3.16)."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - 65_557))
            tail = file.read()
    except OSError as error:
        raise ImageError(f"{path.name} cannot be read ({error.strerror}); check the file.") from None
    if not size:
        raise ImageError(f"{path.name} is an empty file; save or download it again.")
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) < place + 22:
        raise ImageError(_damaged(path))
    if struct.unpack_from("<I", tail, place + 12)[0] > MAX_DIRECTORY:
        raise ImageError(f"{path.name} lists too many files; give a zip of at most {MAX_PICTURES} images.")


def _check(path: Path, infos: Sequence[zipfile.ZipInfo]) -> None:
    for info in infos:
        name = info.filename.replace("\\", "/")
        if name.startswith("/") or ":" in name.split("/")[0] or ".." in name.split("/") or "\0" in info.orig_filename:
            raise ImageError(f'{path.name} holds a name that leads out of it ("{_short(name)}"); make a new zip.')
        if info.flag_bits & 0x1:
            raise ImageError(f"{path.name} is locked with a password; save it without one.")
    unpacked, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    worst = max((info.file_size / max(1, info.compress_size) for info in infos if info.file_size > 2**20), default=0)
    if unpacked > MAX_UNPACKED:
        raise ImageError(f"{path.name} unpacks to more than {MAX_UNPACKED // 2**20} MB; give a smaller zip.")
    if worst > MAX_RATIO or unpacked > max(2**20, packed * MAX_RATIO):
        raise ImageError(f"{path.name} unpacks to over {MAX_RATIO} times its size; give a zip of ordinary images.")


def _read(path: Path, info: zipfile.ZipInfo) -> bytes:
    """One member, no further than an image may be large."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(info) as member:
            return member.read(images.MAX_BYTES + 1)
    except Exception as error:  # the decompressors raise their own: zlib.error, LZMAError, EOFError, ...
        raise ImageError(f"{info.filename} is damaged inside the zip; make the zip again.") from error


def _counts(name: str) -> bool:
    """Whether a file is one that somebody chose: not hidden, not of the system, no zip inside a zip."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and not parts[-1].lower().endswith(NOT_PICTURES)


def _distinct(items: list[Item]) -> list[Item]:
    """Where two would give a mask of one name, the later keeps its ending in its name, and then takes a number."""
    taken: set[str] = set()
    made = []
    for item in items:
        stem, name, number = item.stem, item.name, 2
        if stem in taken:
            stem = name
        while stem in taken:
            stem, number = f"{item.name}-{number}", number + 1
        taken.add(stem)
        made.append(item if stem == item.stem else Item(f"{stem}{PurePosixPath(name).suffix}", item.source))
    return made


def _damaged(path: Path) -> str:
    return f"{path.name} is damaged or no zip at all; save or download it again."


def _short(name: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in name)
    return printable if len(printable) <= 40 else f"{printable[:39]}…"
