"""CVAT for images 1.1, read by datumaro: ``annotations.xml`` and the folder ``images``.

Needs ``pip install "ipseg[convert]"``. Boxes are left out and counted.
"""

from __future__ import annotations

from pathlib import Path

from ipseg.annotations.readers import _datumaro
from ipseg.annotations.readers._source import Source

TITLE = "CVAT for images 1.1"


def detect(folder: Path) -> bool:
    """Whether a folder looks like this format."""
    return (folder / "annotations.xml").is_file()


def read(folder: Path) -> Source:
    """The labels of a folder. Raises :class:`DatasetError`, and SettingError where datumaro is not installed."""
    return _datumaro.read(folder, "cvat", TITLE)
