"""Names of images inside an export, and which part of it an image belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import count
from pathlib import PurePosixPath

from ipseg.core.names import first_free

UNSAFE = '\\:*?"<>|'  # characters that some file system or archive refuses in a name
MAX_NAME = 200  # bytes of one file or folder name; file systems take 255
BETWEEN = "__"  # stands for "/" where a format's readers take no folders
TRAIN, VAL = "train", "val"


def part_of(name: str, split: float | None, seed: int) -> str:
    """``train`` for a share ``split`` of all names, else ``val``; ``train`` for all where ``split`` is None.

    The name and the seed alone decide (BLAKE2b of both, as a fraction of its range, below ``split``), so images that
    are added later move no other image to the other part.
    """
    if split is None:
        return TRAIN
    digest = hashlib.blake2b(f"{seed}:{name}".encode(errors="surrogateescape"), digest_size=8).digest()
    return TRAIN if int.from_bytes(digest, "big") < split * 2**64 else VAL


def safe(name: str) -> str:
    """A path below a folder that every file system and archive can hold, "/" between folders.

    Letters of any language stay; control characters and those of :data:`UNSAFE` become "_".
    """
    text = name.encode(errors="replace").decode()
    parts = [_component(part) for part in PurePosixPath(text).parts if part not in ("/", ".", "..")]
    return "/".join(parts) or "_"


def _component(part: str) -> str:
    text = "".join("_" if letter in UNSAFE or not letter.isprintable() else letter for letter in part)
    text = text.rstrip(" .") or "_"  # Windows drops them
    if len(text.encode()) <= MAX_NAME:
        return text
    suffix = PurePosixPath(text).suffix if len(PurePosixPath(text).suffix) <= 10 else ""
    mark = f"-{hashlib.blake2b(part.encode(), digest_size=4).hexdigest()}{suffix}"
    return text.encode()[: MAX_NAME - len(mark.encode())].decode(errors="ignore") + mark


class Names:
    """Unique names of images in one export.

    ``flat``: without folders, "/" becomes :data:`BETWEEN`. ``stems``: unique also without the ending, for formats that
    name a file by it. Names that differ in case or in the composition of letters alone are one name on some systems.
    """

    def __init__(self, *, flat: bool, stems: bool) -> None:
        self._flat, self._stems = flat, stems
        self._taken: set[str] = set()

    def take(self, name: str, suffix: str | None = None) -> str:
        """The name of the next image, of another ``suffix`` where it is saved in another format."""
        path = safe(name)
        path = _component(path.replace("/", BETWEEN)) if self._flat else path
        inner = PurePosixPath(path)
        ending = inner.suffix if suffix is None else suffix
        compared = "" if self._stems else ending
        found = first_free((f"{stem}{compared}" for stem in _stems(inner)), self._taken)
        return f"{found.removesuffix(compared)}{ending}"


def _stems(path: PurePosixPath) -> Iterator[str]:
    """The names without an ending that an image may have, without an end."""
    whole = f"{path.stem}_{path.suffix[1:]}" if path.suffix else path.stem
    yield from (str(path.with_name(stem)) for stem in (path.stem, whole))
    yield from (str(path.with_name(f"{whole}-{number}")) for number in count(2))
