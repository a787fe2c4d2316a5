"""The exported files of a run: a zip of masks, written one by one, and one COCO file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.annotations.rle import Record
from ipseg.core import images
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
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
        """One (H, W) mask as ``<stem>.png``, 0 and 255; all 0 where the object is not detected."""
        exported = mask & status.has_mask
        self._archive.writestr(f"{stem}.png", images.encode_png(exported.astype(np.uint8) * 255))
        self._record.add(name, exported, status=status, score=score)

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: Any) -> None:
        self._archive.close()
        self.coco.write_text(to_json(self._record.data()))
