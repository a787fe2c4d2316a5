"""What a run leaves behind: a zip of masks, written as they come, and one COCO file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.annotations.rle import Record
from ipseg.core import images
from ipseg.core.serialize import to_json
from ipseg.core.types import Mask

MASKS, COCO = "masks.zip", "coco.json"


class Parcel:
    """The two files of a run in ``folder``. Use as a context: they are whole when the block ends, however it ends."""

    def __init__(self, folder: Path, about: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.masks, self.coco = folder / MASKS, folder / COCO
        self._archive = zipfile.ZipFile(self.masks, "w", zipfile.ZIP_STORED)  # PNG is packed already
        self._record = Record(about=about)

    def add(self, name: str, stem: str, mask: Mask, *, found: bool, score: float) -> None:
        """One (H, W) mask as ``<stem>.png``, 0 and 255; nothing is white where the object was not found."""
        kept = mask & found
        self._archive.writestr(f"{stem}.png", images.encode_png(kept.astype(np.uint8) * 255))
        self._record.add(name, kept, found=found, score=score)

    def __enter__(self) -> Parcel:
        return self

    def __exit__(self, *_: Any) -> None:
        self._archive.close()
        self.coco.write_text(to_json(self._record.data()))
