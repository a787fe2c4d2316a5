"""One prompt segmented in many images: the prompt is encoded once, and each prediction is saved to a cache on disk.

The cache folder is named by a hash of all that decides a prediction: prompt, engine, settings, code. A file in it is
named by a hash of the image's pixels. A run that was stopped or killed therefore resumes where it was, and predictions
of different prompts or settings are never mixed.
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

from ipseg.core import images, rle
from ipseg.core.masks import GivenMask, with_masks
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, Mask, Progress, Stopped
from ipseg.engine.protocol import Engine

Stop = Callable[[], bool]
"""Called repeatedly during a run; True ends it."""


@dataclass(frozen=True)
class Prediction:
    """The engine's result for one image, as it is saved: the mask as run lengths, and the presence score."""

    size: tuple[int, int]  # height, width
    counts: list[int]  # run lengths of the best guess, as rle.encode gives them
    status: Status
    score: float
    threshold: float
    reject_threshold: float

    @property
    def guess(self) -> Mask:
        """(H, W) bool, even where the object is not detected."""
        return rle.decode(self.counts, self.size)

    @property
    def mask(self) -> Mask:
        """(H, W) bool: the guess where the object is detected or uncertain, else empty."""
        return self.guess if self.status.has_mask else np.zeros(self.size, bool)


class Predictor:
    """Segments one prompt in any number of images, with a cache of the predictions on disk.

    ``prompt_images`` are (H, W, 3) uint8, RGB, upright; ``masks`` one mask or None for each. ``folder`` is the root of
    the cache, None for no cache. ``settings``: k, clusters, threshold and reject_threshold, as ``engine.segment``
    takes them; None or left out for the engine's defaults. ``stop`` is also called between the steps of the engine.
    ``progress`` is called while the prompt is encoded; an exception that it raises ends the encoding. Raises what
    ``engine.prompt`` raises.
    """

    def __init__(
        self,
        engine: Engine,
        prompt_images: Sequence[ImageArray],
        masks: Sequence[GivenMask | Mask | None] | None = None,
        *,
        folder: Path | None = None,
        stop: Stop = lambda: False,
        progress: Progress | None = None,
        **settings: Any,
    ) -> None:
        shown = with_masks(list(prompt_images), list(masks) if masks else None)
        given = [mask for _, mask in shown]
        self.engine, self.stop, self.settings = engine, stop, settings
        self.folder = folder / _key(engine, shown, settings) if folder else None
        report: dict[str, Any] = {"progress": progress} if progress else {}
        self.prompt = engine.prompt(list(prompt_images), given, **report)
        self.computed = 0  # predictions that the engine computed; the others were read from the cache

    def predict(self, image: ImageArray) -> Prediction:
        """The prediction for one (H, W, 3) uint8 RGB image, read from the cache or computed.

        Raises :class:`~ipseg.core.types.Stopped` when :attr:`stop` returns True, and what ``engine.segment`` raises.
        """
        path = self.folder / f"{images.fingerprint(image)}.json" if self.folder else None
        cached = _read(path)
        if cached is not None:
            return cached
        self._check()
        result = self.engine.segment(self.prompt, image, progress=lambda *_: self._check(), **self.settings)
        self.computed += 1
        height, width = result.mask.shape
        scores = float(result.score), float(result.threshold), float(result.reject_threshold)
        prediction = Prediction((height, width), rle.encode(result.mask), result.status, *scores)
        _write(path, prediction)
        return prediction

    def _check(self) -> None:
        if self.stop():
            raise Stopped


def _key(engine: Engine, shown: Sequence[tuple[ImageArray, GivenMask | None]], settings: dict[str, Any]) -> str:
    content = [images.fingerprint(image, mask.mask if mask else None) for image, mask in shown]
    parts = [
        engine.info.name,
        dict(engine.info.record),
        repr(engine.config),
        repr(engine.scorer),
        content,
        settings,
        _code(),
    ]
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@functools.cache
def _code() -> str:
    """A hash of the source of the whole package, in hexadecimal."""
    digest, package = hashlib.blake2b(digest_size=16), Path(__file__).resolve().parents[1]
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()


def _read(path: Path | None) -> Prediction | None:
    """The saved prediction; None when there is none, or it is incomplete or damaged."""
    try:
        fields = json.loads(path.read_bytes()) if path else None
        if not fields:
            return None
        prediction = Prediction(**{**fields, "size": tuple(fields["size"]), "status": Status(fields["status"])})
        return prediction if sum(prediction.counts) == prediction.size[0] * prediction.size[1] else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(path: Path | None, prediction: Prediction) -> None:
    """Whole or not at all; without room, nothing is saved. Two that ask the same write the same."""
    if path is None:
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(to_json(asdict(prediction)))
        os.replace(partial, path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
