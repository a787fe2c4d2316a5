"""One question asked about many images: the prompt is encoded once, and every answer is kept on the disk at once.

The folder of the answers is named by everything that decides them: prompt, engine, numbers, code. An image is named by
its pixels. So a run that was stopped or killed goes on where it was, and no answer is ever taken for another question.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.annotations import rle
from ipseg.core import images
from ipseg.core.masks import GivenMask, with_masks
from ipseg.core.serialize import to_json
from ipseg.core.types import ImageArray, Mask, Progress
from ipseg.engine.protocol import Engine

Stop = Callable[[], bool]
"""Asked again and again while a run goes on; True ends it."""


class Stopped(Exception):  # noqa: N818 - it was asked for; nothing went wrong
    """The run was told to stop in the middle of an image."""


@dataclass(frozen=True)
class Look:
    """The engine's answer about one image, as it is kept."""

    size: tuple[int, int]  # height, width
    counts: list[int]  # of the best guess, as rle.encode has them
    found: bool
    score: float
    threshold: float

    @property
    def guess(self) -> Mask:
        """(H, W) bool, even where the object was not found."""
        return rle.decode(self.counts, self.size)

    @property
    def mask(self) -> Mask:
        """(H, W) bool: the guess where the object was found, else nothing."""
        return self.guess if self.found else np.zeros(self.size, bool)


class Question:
    """One prompt and the numbers, to be asked about any number of images.

    ``pictures`` are the prompt's, opened, (H, W, 3) uint8 each; ``masks`` one mask or None for each. ``folder`` is
    where answers are kept, None to keep none. ``numbers``: k, clusters and threshold, as ``engine.segment`` takes
    them; one that is None or left out is the engine's own. ``stop`` is asked between the steps of the engine too.
    ``progress`` is called while the prompt is encoded; what it raises ends that.
    """

    def __init__(
        self,
        engine: Engine,
        pictures: Sequence[ImageArray],
        masks: Sequence[GivenMask | Mask | None] | None = None,
        *,
        folder: Path | None = None,
        stop: Stop = lambda: False,
        progress: Progress | None = None,
        **numbers: Any,
    ) -> None:
        shown = with_masks(list(pictures), list(masks) if masks else None)
        given = [mask for _, mask in shown]
        self.engine, self.stop, self.numbers = engine, stop, numbers
        self.folder = folder / _key(engine, shown, numbers) if folder else None
        report: dict[str, Any] = {"progress": progress} if progress else {}
        self.prompt = engine.prompt(list(pictures), given, **report)
        self.asked = 0  # looks that the engine took; the others were kept from before

    def look(self, picture: ImageArray) -> Look:
        """The answer about one image, kept from before or asked now. Raises :class:`Stopped` and InputError."""
        kept = self.folder / f"{images.fingerprint(picture)}.json" if self.folder else None
        earlier = _read(kept)
        if earlier is not None:
            return earlier
        self._check()
        result = self.engine.segment(self.prompt, picture, progress=lambda *_: self._check(), **self.numbers)
        self.asked += 1
        height, width = result.mask.shape
        counts, score = rle.encode(result.mask), float(result.score)
        look = Look((height, width), counts, bool(result.found), score, float(result.threshold))
        _write(kept, look)
        return look

    def _check(self) -> None:
        if self.stop():
            raise Stopped


def _key(engine: Engine, shown: Sequence[tuple[ImageArray, GivenMask | None]], numbers: dict[str, Any]) -> str:
    content = [images.fingerprint(picture, mask.mask if mask else None) for picture, mask in shown]
    settings = [
        engine.info.name,
        dict(engine.info.record),
        repr(engine.config),
        repr(engine.scorer),
        content,
        numbers,
        _code(),
    ]
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@functools.cache
def _code() -> str:
    """A name for the source of the whole package."""
    digest, package = hashlib.blake2b(digest_size=16), Path(__file__).resolve().parents[1]
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def _read(path: Path | None) -> Look | None:
    """None when there is nothing, or nothing whole."""
    try:
        fields = json.loads(path.read_bytes()) if path else None
        if not fields:
            return None
        look = Look(**{**fields, "size": tuple(fields["size"])})
        return look if sum(look.counts) == look.size[0] * look.size[1] else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(path: Path | None, look: Look) -> None:
    """Whole or not at all; without room, nothing is saved. Two that ask the same write the same."""
    if path is None:
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(to_json(asdict(look)))
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
