"""The exported files of a run: a zip of masks, written one by one, and one COCO file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.annotations.coco import Record
from ipseg.core import images
from ipseg.core.status import Status
from ipseg.core.store import atomic_write
from ipseg.core.types import Mask

MASKS, COCO = "masks.zip", "coco.json"


class Archive:
    """The two exported files of a run in ``folder``.

    Use as a context: the files are complete after the block, also after an error.
    """

    def __init__(self, folder: Path, about: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.masks, self.coco = folder / MASKS, folder / COCO
        self._archive = zipfile.ZipFile(self.masks, "w", zipfile.ZIP_STORED)  # PNG is packed already
        self._record = Record(about=about)

    def add(self, name: str, stem: str, mask: Mask, *, status: Status, score: float) -> None:
        """One (H, W) mask as ``<stem>.png``, 0 and 255; all 0 where the object is not detected.

        ``name``: the ``file_name`` of the image in the COCO file, whose ``mask_file`` is the file in the zip.
        """
        exported, file = mask & status.has_mask, f"{stem}.png"
        self._archive.writestr(file, images.encode_png(exported.astype(np.uint8) * 255))
        self._record.add(name, exported, status=status, score=score, mask_file=file)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: Any) -> None:
        self._archive.close()
        atomic_write(self.coco, self._record.text())
