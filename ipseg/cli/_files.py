"""Atomic writes of results, and checks that no input is overwritten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ipseg.core.images import encode_png
from ipseg.core.store import atomic_write, check_writable, remove_partials, writing
from ipseg.core.types import SettingError

OTHER = "choose another --output"


def write_png(path: Path, pixels: np.ndarray) -> None:
    """(H, W) or (H, W, 3|4) uint8 as a PNG; its folder is made."""
    write(path, encode_png(pixels))


def write(path: Path, data: bytes | str) -> None:
    """Write a whole file or nothing; its folder is made. Raises :class:`~ipseg.core.store.OutputError`."""
    with writing(path, OTHER):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, data)


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

    Raises :class:`~ipseg.core.store.OutputError` when it cannot be made or written.
    """
    check_writable(folder, OTHER)
    remove_partials(folder)


def check_json(path: Path | None) -> None:
    """Raise SettingError when a record could not be written there."""
    if path is not None and not path.parent.is_dir():
        raise SettingError(f"--json {path}: the folder {path.parent} does not exist; make it first.")
    if path is not None and path.is_dir():
        raise SettingError(f"--json is {path.name}, which is a folder; give the name of a file.")
