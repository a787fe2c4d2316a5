"""PASCAL VOC with index images, read by datumaro: ``JPEGImages``, ``SegmentationObject``, ``ImageSets``, ...

Needs ``pip install "ipseg[convert]"``. Boxes without a mask are left out and counted.
"""

from __future__ import annotations

from pathlib import Path

from ipseg.annotations.readers import _datumaro
from ipseg.annotations.readers._source import Source

TITLE = "PASCAL VOC"


def detect(folder: Path) -> bool:
    """Whether a folder looks like this format."""
    return (folder / "JPEGImages").is_dir() or (folder / "SegmentationClass").is_dir()


def read(folder: Path) -> Source:
    """The labels of a folder. Raises :class:`DatasetError`, and SettingError where datumaro is not installed."""
    return _datumaro.read(folder, "voc", TITLE)
