"""One prompt segmented in many images: the prompt is encoded once, and each prediction is saved to a cache on disk.

The cache folder is named by a hash of all that decides a prediction: prompt, engine, settings, code. A file in it is
named by a hash of the image's pixels. A run that was stopped or killed therefore resumes where it was, and predictions
of different prompts or settings are never mixed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ipseg.core import images, rle
from ipseg.core.cache import Cache
from ipseg.core.masks import GivenMask
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.store import Codec, ResultStore, run_key
from ipseg.core.types import ImageArray, Mask, Progress, Stopped
from ipseg.engine.protocol import Engine
from ipseg.engine.session import SegmentSession
from ipseg.method.config import Parameters
from ipseg.method.prompt import PromptSource, open_prompt

Stop = Callable[[], bool]
"""Called repeatedly during a run; True ends it."""


@dataclass(frozen=True)
class Prediction:
    """The engine's result for one image, as it is saved: the mask as run lengths, and the presence score."""

    size: tuple[int, int]  # height, width
    counts: list[int]  # run lengths of the best guess, or of all instances together, as rle.encode gives them
    status: Status
    score: float
    threshold: float
    reject_threshold: float
    instances: tuple[tuple[list[int], Status, float], ...] = ()  # of each: run lengths, status, score; where requested

    @property
    def masks(self) -> list[tuple[Mask, Status, float]]:
        """The (H, W) mask, status and score of each instance; of the one mask where instances were not requested."""
        whole = [(self.counts, self.status, self.score)]
        return [(rle.decode(counts, self.size), status, score) for counts, status, score in self.instances or whole]

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

    ``prompt_images`` are (H, W, 3) uint8, RGB, upright, or saved prompts; ``masks`` one mask or None for each.
    ``folder`` is the root of the cache, None for no cache. ``stop`` is also called between the steps of the engine.
    ``progress`` is called while the prompt is encoded; an exception that it raises ends the encoding. Raises what
    ``engine.prompt`` raises. Threads may share it; two that ask for the same image compute it once.
    """

    def __init__(
        self,
        engine: Engine,
        prompt_images: Sequence[PromptSource],
        masks: Sequence[GivenMask | Mask | None] | None = None,
        *,
        parameters: Parameters = Parameters(),  # noqa: B008 - frozen
        all_instances: bool = False,
        folder: Path | None = None,
        stop: Stop = lambda: False,
        progress: Progress | None = None,
    ) -> None:
        shown = open_prompt(prompt_images, masks or [None] * len(prompt_images))
        self.stop = stop
        self.session = SegmentSession.of(
            engine,
            shown.sources,
            shown.masks,
            parameters=parameters,
            all_instances=all_instances,
            progress=progress,
        )
        settings = {**parameters.arguments(), **({"all_instances": True} if all_instances else {})}
        key = run_key(engine, shown.content(self.session.prompt), settings)
        self.folder = folder / key if folder else None
        self._saved = ResultStore(self.folder, PREDICTION, max_bytes=None)
        self._running = Cache(-1)  # of no size: a thread waits for an image that another computes
        self._counting, self._fresh = threading.Lock(), set[str]()  # names of the images that were computed
        self.computed = 0  # predictions that the engine computed; the others were read from the cache

    def predict(self, image: ImageArray) -> Prediction:
        """The prediction for one (H, W, 3) uint8 RGB image, read from the cache or computed.

        Raises :class:`~ipseg.core.types.Stopped` when :attr:`stop` returns True, and what ``engine.segment`` raises.
        """
        name = images.fingerprint(image)
        return self._running.get(name, lambda: self._saved.get_or_compute(name, lambda: self._compute(image)))

    def is_fresh(self, image: ImageArray) -> bool:
        """Whether the prediction for an image was computed by this predictor; else it is from an earlier run."""
        with self._counting:
            return images.fingerprint(image) in self._fresh

    def _compute(self, image: ImageArray) -> Prediction:
        self._check()
        result = self.session.segment(image, progress=lambda *_: self._check())
        with self._counting:
            self.computed += 1
            self._fresh.add(images.fingerprint(image))
        height, width = result.mask.shape
        scores = float(result.score), float(result.threshold), float(result.reject_threshold)
        mask = result.all_instances if result.instances else result.mask
        instances = tuple((rle.encode(one.mask), one.status, float(one.score)) for one in result.instances)
        return Prediction((height, width), rle.encode(mask), result.status, *scores, instances)

    def _check(self) -> None:
        if self.stop():
            raise Stopped


def _encode(prediction: Prediction) -> bytes:
    return to_json(asdict(prediction)).encode()


def _decode(data: bytes) -> Prediction:
    """Raises an error for what is incomplete or damaged."""
    fields = json.loads(data)
    instances = tuple((counts, Status(status), score) for counts, status, score in fields["instances"])
    read = {"size": tuple(fields["size"]), "status": Status(fields["status"]), "instances": instances}
    prediction = Prediction(**{**fields, **read})
    every = [prediction.counts, *(counts for counts, _, _ in instances)]
    if any(sum(counts) != prediction.size[0] * prediction.size[1] for counts in every):
        raise ValueError("the run lengths do not have the size of the mask")
    return prediction


PREDICTION: Codec[Prediction] = Codec(".json", _encode, _decode)
