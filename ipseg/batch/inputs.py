"""The input images of a run: from folders, single files, or zips, each with a unique name for what is made of it.

Folders behind links are read too. What is left out says so when it is opened: a link to nothing, a folder that cannot
be listed, an archive inside an archive, a clip.

A zip is never unpacked onto the disk: its members are read one at a time into memory, within bounds. A suspected
zip bomb is refused as a whole; a member that is no image, or has no file name, is reported when it is
opened. The sizes in a zip's directory are not trusted: reading the directory is bounded too.
"""

from __future__ import annotations

import io
import os
import re
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath

from ipseg.core import images
from ipseg.core.files import open_regular
from ipseg.core.names import first_free, same_name
from ipseg.core.types import ImageArray, ImageError

MAX_IMAGES = 500  # in one run
MAX_UNPACKED = 1024 * 2**20  # bytes of all members of a zip together
MAX_RATIO = 100  # unpacked to packed; photographs are near 1
MAX_DIRECTORY = 4 * 2**20  # bytes of a zip's directory: some 40 000 names
MAX_MEMBERS = 4  # of a zip for each image that a run may have: folders, hidden files, what systems add
MAX_NAME = 200  # bytes of a file or folder name; file systems take 255
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others are unpacked without a bound, a block at a time
MASK = ".png"  # the ending of a mask's file
OF_SYSTEMS = (".ds_store", "thumbs.db", "desktop.ini")
ARCHIVES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".cbz", ".cbr")
DRIVE = re.compile(r"[A-Za-z]:")


class NoImagesError(ImageError):
    """Nothing was given, or folders and zips without a file."""


@dataclass(frozen=True, slots=True)
class Item:
    """One input file, not opened yet. A run may have a million of them."""

    name: str  # for messages: the path in printable text, "/" between folders
    source: Callable[[], bytes | Path]
    path: str = ""  # the file as it is named where it lies, "/" between folders; the name where it is left out
    stem: str = ""  # of the files that are made of it; no two items of a run share it. The name without its ending

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.path or self.name)
        object.__setattr__(self, "stem", self.stem or str(PurePosixPath(self.name).with_suffix("")))

    def open(self) -> ImageArray:
        """(H, W, 3) uint8 RGB. Raises :class:`ImageError`."""
        return images.open_image(self.source(), name=self.name)


def gather(
    paths: Sequence[str | os.PathLike[str]],
    *,
    most: int = MAX_IMAGES,
    as_given: bool = False,
    leave_out: Sequence[Path] = (),
) -> list[Item]:
    """The items of folders, zips and single files, in the order of their names. Nothing is opened but the zips.

    Paths are relative to their folder or zip, and a single file has its name alone. With ``as_given`` this holds for
    one folder or zip; else each path begins as the caller gave it, so that it names one file. ``leave_out``: files and
    folders that are no inputs although they lie in a folder that is given.

    Raises :class:`ImageError` with one message for a zip that is refused, where it is given alone, for more than
    ``most`` images, and, as :class:`NoImagesError`, where there is nothing at all.
    """
    found: list[Item] = []
    prefixed = as_given and (len(paths) > 1 or not is_container(Path(paths[0])))
    outside = {path.resolve() for path in leave_out}
    for path in map(Path, paths):
        try:
            items = _of(path, most, outside)
        except ImageError as error:
            if len(paths) == 1:
                raise
            items = [Item(tidy(path.name), partial(_refuse, str(error)), path.name)]
        found += [_prefixed(path, item) for item in items] if prefixed else items
        if len(found) > most:
            raise ImageError(f"There are more than {most} images; give at most {most} at once.")
    if not found:
        label = Path(paths[0]).name if paths else "The list"
        raise NoImagesError(f"{label} holds no images; give JPEG, PNG or WebP files, or a folder or zip of them.")
    return _distinct(found)


def _of(path: Path, most: int, outside: Set[Path] = frozenset()) -> list[Item]:
    if path.is_dir():
        return _of_folder(path, most, outside)
    if is_container(path):
        return list(_members(path, most))
    return [Item(tidy(path.name), partial(Path, path), path.name)]


def _of_folder(folder: Path, most: int, outside: Set[Path]) -> list[Item]:
    """The files below a folder and behind its links, and the members of its zips; no more than one above ``most``."""
    found: list[Item] = []
    for name, source in _walk(folder, (), outside):
        file = folder / name
        if not source and file.suffix.lower() == ".zip" and file.is_file():
            found += _of_zip(file, name, most)
        else:
            found.append(Item(tidy(name), source or partial(Path, str(file)), name))
        if len(found) > most:
            break
    return found


def _walk(
    folder: Path, above: tuple[tuple[int, int], ...], outside: Set[Path], place: str = ""
) -> Iterator[tuple[str, Callable[[], bytes | Path] | None]]:
    """The name of each file below a folder, in order, "/" between folders, and what reports it where it is left out.

    ``above``: the folders that hold this one, as device and inode, which a link may lead back to.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        status = os.stat(folder)
    except OSError as error:
        label = place.rstrip("/") or folder.name
        yield label, partial(_refuse, f"{tidy(label)} cannot be read ({error.strerror}), left out; check the folder.")
        return
    above = (*above, (status.st_dev, status.st_ino))
    for entry in entries:
        name, path = f"{place}{entry.name}", Path(entry.path)
        if not is_input(entry.name) or (outside and path.resolve() in outside):
            continue
        try:
            status = os.stat(path)
        except OSError as error:
            what = "is a link to nothing" if entry.is_symlink() else f"cannot be read ({error.strerror})"
            yield name, partial(_refuse, f"{tidy(name)} {what}, left out; check the file.")
            continue
        if not stat.S_ISDIR(status.st_mode):
            yield name, None
        elif (status.st_dev, status.st_ino) in above:
            message = f"{tidy(name)} is a link to a folder that holds it, left out; check the link."
            yield name, partial(_refuse, message)
        else:
            yield from _walk(path, above, outside, f"{name}/")


def _of_zip(path: Path, name: str, most: int) -> list[Item]:
    """The members of a zip in a folder, under its name; one that is refused is one item that says why."""
    try:
        members = list(_members(path, most))
    except ImageError as error:
        return [Item(tidy(name), partial(_refuse, str(error)), name)]
    return [Item(f"{tidy(name)}/{item.name}", item.source, f"{name}/{item.path}") for item in members]


def _refuse(message: str) -> bytes:
    raise ImageError(message)


def is_container(path: Path) -> bool:
    """Whether a path is a folder or a zip."""
    return path.is_dir() or path.suffix.lower() == ".zip" or (path.is_file() and zipfile.is_zipfile(path))


def _prefixed(given: Path, item: Item) -> Item:
    """The item with the path under which its folder, zip or file was given."""
    path = f"{given.as_posix()}/{item.path}" if is_container(given) else given.as_posix()
    return replace(item, name=tidy(path), path=path)


def _members(path: Path, most: int) -> Iterator[Item]:
    with _opened(path) as archive:
        infos = [info for info in archive.infolist() if not _name(info).endswith("/")]
        if len(archive.infolist()) > MAX_MEMBERS * most:
            raise ImageError(f"{path.name} lists too many files; give a zip of at most {most} images.")
    _check(path, infos)
    nameless = 0
    for info in sorted(infos, key=lambda info: info.filename):
        name = _name(info)
        if not _has_name(name):
            nameless += 1
            message = f'{path.name} holds a file without a name ("{_short(name)}"), left out; make a new zip to add it.'
            yield Item(f"without a name {nameless}", partial(_refuse, message), name)
        elif is_input(name) and name.lower().endswith(ARCHIVES):
            inner = f"{path.name} holds {_short(name)}, an archive inside an archive, left out"
            yield Item(tidy(name), partial(_refuse, f"{inner}; unpack it, or give it by itself."), name)
        elif is_input(name):
            yield Item(tidy(name), partial(_read, path, info), name)


class _Bounded(io.BufferedReader):
    """A file that refuses to be read further than a bound: for a parser that trusts the sizes it reads."""

    left = float("inf")  # bytes that may still be read

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = max(0, os.fstat(self.fileno()).st_size - self.tell())
        if size > self.left:
            raise _TooLongError
        data = super().read(size)
        self.left -= len(data)
        return data


class _TooLongError(Exception):
    """More of a file was asked for than its bound."""


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """A zip whose directory was read within :data:`MAX_DIRECTORY`, whatever sizes it gives (APPNOTE 4.3.14 to 4.3.16).

    Raises :class:`ImageError`.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(_Bounded(open_regular(path)))
            if not file.seek(0, os.SEEK_END):
                raise ImageError(f"{path.name} is an empty file; save or download it again.")
            file.left = MAX_DIRECTORY + 2**18  # and the end of the file, which is searched for the directory
            archive = stack.enter_context(zipfile.ZipFile(file))
        except ImageError:
            raise
        except _TooLongError:
            raise ImageError(f"{path.name} lists too many files; give a zip of fewer images.") from None
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError, OverflowError, struct.error):
            raise ImageError(_damaged(path)) from None
        except OSError as error:
            raise ImageError(f"{path.name} cannot be read ({error.strerror or error}); check the file.") from None
        file.left = _Bounded.left
        yield archive


def _check(path: Path, infos: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse a zip as a whole. The sizes in its directory are compared with the actual size of the file."""
    size = path.stat().st_size
    for info in infos:
        name = _name(info)
        leads_out = name.startswith("/") or DRIVE.match(name) or ".." in name.split("/")
        if _has_name(name) and (leads_out or "\0" in info.orig_filename):
            raise ImageError(f'{path.name} holds a name that leads out of it ("{_short(name)}"); make a new zip.')
        if info.flag_bits & 0x1:
            raise ImageError(f"{path.name} is locked with a password; save it without one.")
        if info.compress_type not in METHODS:
            raise ImageError(f"{path.name} is packed in an unusual way; save it as an ordinary zip (deflate).")
        if not 0 <= info.header_offset <= info.header_offset + info.compress_size <= size:
            raise ImageError(_damaged(path))
    unpacked, packed = sum(info.file_size for info in infos), sum(info.compress_size for info in infos)
    worst = max((info.file_size / max(1, info.compress_size) for info in infos if info.file_size > 2**20), default=0)
    if packed > size:  # members that share their bytes: a small file, and no bound to what it unpacks to
        raise ImageError(_damaged(path))
    if unpacked > MAX_UNPACKED:
        raise ImageError(f"{path.name} unpacks to more than {MAX_UNPACKED // 2**20} MB; give a smaller zip.")
    if worst > MAX_RATIO or unpacked > max(2**20, packed * MAX_RATIO):
        raise ImageError(f"{path.name} unpacks to over {MAX_RATIO} times its size; give a zip of ordinary images.")


def _read(path: Path, info: zipfile.ZipInfo) -> bytes:
    """One member, no further than an image may be large."""
    try:
        with _opened(path) as archive, archive.open(info) as member:
            return member.read(images.MAX_BYTES + 1)
    except Exception as error:  # the decompressors raise their own: zlib.error, LZMAError, EOFError, ...
        raise ImageError(f"{tidy(_name(info))} is damaged inside the zip; make the zip again.") from error


def _name(info: zipfile.ZipInfo) -> str:
    """The name of a member with "/" between folders, whatever system made the zip."""
    return info.filename.replace("\\", "/")


def _has_name(name: str) -> bool:
    """Whether a path ends in the name of a file, not in nothing, "." or ".."."""
    return name.rsplit("/", 1)[-1] not in ("", ".", "..")


def tidy(name: str) -> str:
    """A path that every archive and file system can hold: valid text, no control characters, names not too long."""
    text = "".join(letter if letter.isprintable() else "?" for letter in name.encode(errors="replace").decode())
    return "/".join(_shortened(part) for part in text.split("/"))


def _shortened(part: str) -> str:
    if len(part.encode()) <= MAX_NAME:
        return part
    ending = PurePosixPath(part).suffix if len(PurePosixPath(part).suffix) <= 10 else ""
    return part.encode()[: MAX_NAME - len(ending.encode())].decode(errors="ignore") + ending


def is_input(name: str) -> bool:
    """Whether a file or folder counts as an input: not hidden, not of the system."""
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and not parts[-1].lower().endswith(OF_SYSTEMS)


def _distinct(items: list[Item]) -> list[Item]:
    """Where two would give a mask of one name, the later one's has its ending too, and then a number.

    Likewise where the mask would have the name of a folder that holds the masks of others. Names that differ in case or
    in the composition of letters alone are one name on some systems.
    """
    taken = {same_name(str(folder)) for item in items for folder in PurePosixPath(item.stem).parents}
    return [replace(item, stem=first_free(_masks(item), taken).removesuffix(MASK)) for item in items]


def _masks(item: Item) -> Iterator[str]:
    """The names that the mask of an item may have, without an end."""
    whole = f"{item.stem}{PurePosixPath(item.name).suffix}"
    yield from (f"{item.stem}{MASK}", f"{whole}{MASK}")
    yield from (f"{whole}-{number}{MASK}" for number in count(2))


def _damaged(path: Path) -> str:
    return f"{path.name} is damaged or no zip at all; save or download it again."


def _short(name: str) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in name)
    return printable if len(printable) <= 40 else f"{printable[:39]}…"
