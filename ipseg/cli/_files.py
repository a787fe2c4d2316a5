"""Atomic writes of results, and checks that no input is overwritten."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ipseg.core.images import encode_png
from ipseg.core.types import SettingError


def write_png(path: Path, pixels: np.ndarray) -> None:
    """(H, W) or (H, W, 3|4) uint8 as a PNG."""
    write(path, encode_png(pixels))


def write(path: Path, data: bytes) -> None:
    """Write atomically: a run that is killed leaves no partial file."""
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(data)
    os.replace(partial, path)


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
    """Raise SettingError when it cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"The folder {folder} cannot be made ({error.strerror}); choose another --output.") from None


def check_json(path: Path | None) -> None:
    """Raise SettingError when a record could not be written there."""
    if path is not None and not path.parent.is_dir():
        raise SettingError(f"--json {path}: the folder {path.parent} does not exist; make it first.")
    if path is not None and path.is_dir():
        raise SettingError(f"--json is {path.name}, which is a folder; give the name of a file.")
