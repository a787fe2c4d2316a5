"""Predict the episodes of a dataset with one method or with several settings of it at once.

Each image is encoded once: what does not fit into memory waits on disk, and is removed after the last episode that
needs it. Several settings go through the episodes together, so they share the encodings of an episode while they are
at hand.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from ipseg.core import images, overlap
from ipseg.core.disk_cache import DiskCache
from ipseg.core.result import SegmentationMethod
from ipseg.core.serialize import to_json
from ipseg.core.types import FeatureMap, ImageError, InputError, MaskError, SettingError
from ipseg.datasets import Annotated, Episode, missing
from ipseg.evaluation.metrics import Pixels, count
from ipseg.evaluation.runs import Prediction, Run
from ipseg.evaluation.scoring import running_miou
from ipseg.method.encodings import Encodings, Named

PROMPTS = 32  # prompts that are held in memory
MEMORY, DISK = 1.0, 20.0  # GB of encodings in memory and on disk
FAILED = "failed"
SHOWN = 3  # missing files that are named

Report = Callable[[int, int, float | None], None]
"""Called with the episodes that are done, how many there are, and the mIoU so far."""


@dataclass(frozen=True)
class Variant:
    """One setting: its run, and the method for a class (only methods that go by names have one for each)."""

    run: Run
    method: Callable[[str], SegmentationMethod]
    given: bool = False  # whether it sees the mask of the prompt
    episodes: Sequence[Episode] | None = None  # its own, with other prompts; None: those of all


class SharedEncodings(Encodings):
    """Encodings of one of several engines over one cache: what the engines have in common is computed once.

    ``record`` is that of the engine (:class:`ipseg.method.config.EngineInfo`): the features of each extractor depend on
    its own settings, the segmenter's encoding on the segmenter, the foreground on the saliency method and what that
    reads, and all the rest on the whole of it.
    """

    def __init__(self, own: Encodings, record: Mapping[str, Any], tier: DiskCache) -> None:
        super().__init__(own.extractor, own.detector, own.segmenter, consensus=own.consensus, cache=tier)
        features = record.get("features")
        reads = getattr(own.detector, "reads_features", True)  # one that does not say may ask for them
        shown = [record.get("saliency"), reads and features, own.consensus and record.get("segmenter")]
        parts = {"features": features, "prompt layers": features, "encoding": record.get("segmenter")}
        self._names = {part: to_json(each) for part, each in {**parts, "foreground": shown}.items()}
        sources = getattr(own.extractor, "sources", ())
        known = features if isinstance(features, Mapping) and len(features) == len(sources) else {}
        self._sources = {
            f"layers of {to_json([name, known[name]])}": source for name, source in zip(known, sources, strict=False)
        }
        self._whole = to_json({key: each for key, each in record.items() if key != "engine"})

    def features(self, image: Named) -> tuple[FeatureMap, ...]:
        """See :meth:`ipseg.method.encodings.Encodings.features`: of several extractors, the layers of each are cached,
        and joined in each call."""
        if not self._sources:
            return super().features(image)
        once = super().compute_once
        found = [once(name, image, partial(source, image.pixels)) for name, source in self._sources.items()]
        joined: Any = self.extractor
        return joined.joined([layer for layers in found for layer in layers])

    def has(self, part: str, image: Named) -> bool:
        """See :meth:`ipseg.method.encodings.Encodings.has`."""
        if part == "features" and self._sources:
            return all(super(SharedEncodings, self).has(name, image) for name in self._sources)
        return super().has(self._named(part), image)

    def compute_once(self, part: str, image: Named, compute: Callable[[], Any]) -> Any:
        """See :meth:`ipseg.method.encodings.Encodings.compute_once`."""
        return super().compute_once(self._named(part), image, compute)

    def _named(self, part: str) -> str:
        return f"{part} of {self._names.get(part, self._whole)}"


@contextmanager
def with_cache(
    engine: Any, folder: Path, memory: float = MEMORY, disk: float = DISK
) -> Iterator[tuple[Any, DiskCache]]:
    """The engine with a cache of encodings that has a disk tier in ``folder``, and that cache; the folder is removed
    at the end.

    ``engine`` is an :class:`ipseg.method.pipeline.IPSeg`; ``memory`` and ``disk`` bound the encodings, in GB. Raises
    :class:`SettingError` for numbers below 0.
    """
    if memory < 0 or disk < 0:
        raise SettingError(f"The caches are {memory:g} and {disk:g} GB; give 0 or more.")
    placement: Any = engine.info.placement
    device = "cpu" if placement is None else placement.device
    tier = DiskCache(folder, int(memory * 1e9), int(disk * 1e9), device=device)
    try:
        yield on_cache(engine, tier), tier
    finally:
        tier.clear()


def on_cache(engine: Any, tier: DiskCache) -> Any:
    """The engine with its encodings in ``tier``, which it may share with other engines."""
    return replace(engine, encodings=SharedEncodings(engine.encodings, engine.info.record, tier))


def check_files(episodes: Sequence[Episode]) -> None:
    """Raise :class:`InputError` that names files of the episodes that are not there."""
    absent = missing(episodes)
    if absent:
        named = ", ".join(str(file) for file in absent[:SHOWN]) + (" ..." if len(absent) > SHOWN else "")
        raise InputError(f"{len(absent)} files of these episodes are missing: {named}; complete the dataset.")


def predict(
    variants: Sequence[Variant],
    episodes: Sequence[Episode],
    numbers: Sequence[int],
    *,
    release: Callable[[str], None] = lambda name: None,
    report: Report = lambda done, of, miou: None,
) -> int:
    """Predict the episodes of these ``numbers`` that a run of ``variants`` lacks; returns how many predictions failed.

    ``release`` is called with the content name of each image after its last episode. An image or mask that cannot be
    used makes its episode fail, with an empty mask; every other error ends the run, which can be continued.
    """
    lacking: dict[int, list[int]] = {}
    done: list[tuple[Episode, Pixels]] = []
    failed = 0
    for number in numbers:
        found = [variant.run.load(number) for variant in variants]
        failed += sum(each is not None and each.status == FAILED for each in found)
        if found[0] is not None and found[0].pixels is not None:
            done.append((episodes[number], found[0].pixels))
        lacks = [at for at, each in enumerate(found) if each is None]
        if lacks:
            lacking[number] = lacks
    add, todo = running_miou(done), list(lacking)
    own = [episodes if variant.episodes is None else variant.episodes for variant in variants]
    last = {side.key: number for number in todo for at in lacking[number] for side in _sides(own[at][number])}
    prompts: _Prompts = _Prompts(variants)
    report(len(numbers) - len(todo), len(numbers), None)
    read = overlap.ahead(_input(episodes[number]) for number in todo)
    with closing(read) as inputs:
        for position, number in enumerate(todo, len(numbers) - len(todo) + 1):
            episode, miou = episodes[number], None
            opened, truth = next(inputs)
            for at in lacking[number]:
                prediction = _predict(variants[at], episode, opened, truth, partial(prompts.get, at, own[at][number]))
                failed += prediction.status == FAILED
                variants[at].run.save(number, prediction)
                if at == 0 and prediction.pixels is not None:
                    miou = add(episode, prediction.pixels)
            used = {side.key: side for at in lacking[number] for side in _sides(own[at][number])}
            for key, side in used.items():
                if last[key] == number:
                    release(images.fingerprint(side.pixels()))
            report(position, len(numbers), miou)
    return failed


def _input(episode: Episode) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The image and the truth of an episode, read; one that cannot be read raises its error where it is used."""
    readers = cache(episode.input.pixels), cache(episode.input.mask)
    for read in readers:
        with suppress(Exception):  # a failed call is not cached: the next one raises it
            read()
    return readers


def _predict(
    variant: Variant,
    episode: Episode,
    opened: Callable[[], Any],
    truth: Callable[[], Any],
    prompt: Callable[[], Any],
) -> Prediction:
    try:
        result = variant.method(episode.category).segment(prompt(), opened())
    except (ImageError, MaskError) as error:
        known = truth()
        empty = np.zeros(known.mask.shape, bool)
        return Prediction(empty, FAILED, 0.0, count(empty, known.mask, known.ignored), str(error))
    known = truth()
    return Prediction(result.mask, result.status.value, result.score, count(result.mask, known.mask, known.ignored))


class _Prompts:
    """Prompts of the variants, the ones used last held in memory."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self.variants = variants
        self._made: OrderedDict[Any, Any] = OrderedDict()

    def get(self, at: int, episode: Episode) -> Any:
        variant = self.variants[at]
        method = variant.method(episode.category)
        key = (at, id(method), episode.prompt.key, episode.category if variant.given else "")
        if key not in self._made:
            mask = episode.prompt.mask() if variant.given else None
            self._made[key] = method.prompt(episode.prompt.pixels(), mask)
            while len(self._made) > PROMPTS:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]


def _sides(episode: Episode) -> tuple[Annotated, Annotated]:
    return episode.prompt, episode.input
