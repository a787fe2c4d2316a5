"""ZeroGPU: the GPU of a Space is lent for one call, which runs in a forked worker; what it returns is pickled.

    images, what is cached of them --> worker: the engine computes --> result, what it computed --> cached here

The engine of the page is built before the page is launched, so that its networks are ready in every worker; others are
built in the worker. Import this module before torch. Where no GPU is lent, importing it does nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg import weights
from ipseg.core import images, plugins, serialize
from ipseg.core.cache import Cache
from ipseg.core.images import Source
from ipseg.core.masks import GivenMask, with_masks
from ipseg.core.result import Result, SegmentationMethod
from ipseg.core.types import (
    Candidates,
    FeatureMap,
    ImageArray,
    InputError,
    LazyFeatures,
    Mask,
    ObjectVectors,
    Points,
    Progress,
    Scorer,
)
from ipseg.engine.spec import EngineSpec
from ipseg.method import points
from ipseg.method.config import EngineInfo, IPSegConfig
from ipseg.method.encodings import Encodings, Named, named
from ipseg.method.marks import Marks
from ipseg.method.pipeline import IPSeg
from ipseg.method.prompt import Prompt, PromptSource, fit, fitted, open_given
from ipseg.method.saved_prompt import MadeBy

SIZE = "large"  # of the GPU that is lent; ZeroGPU counts "xlarge" twice
START = 3.0  # seconds until a worker has its networks on the GPU: an estimate, as every number of seconds here
MOST_SECONDS = 120  # that a call asks for: what a visitor without an account has for a day
LARGE, LARGE_SECONDS = 1e9, 4.0  # bytes of weights, whatever the preset, from which an image takes so many seconds
STEP = 10.0  # images whose encoding takes as long as a step of the ablation
INSTANCES = 2.0  # the same, of what all instances take beside one
MOST = 3  # engines in a worker; each has a cache of image encodings
OWN = "ipseg"  # the file of :mod:`ipseg.baselines` that is the engine itself


def lent() -> bool:
    """Whether this is a Space whose GPU is lent for a call."""
    asked = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    return asked and importlib.util.find_spec("spaces") is not None


if lent():  # a forked worker has none of its parent's other threads, and would wait for them
    os.environ["OMP_NUM_THREADS"] = "1"
SPACES: Any = importlib.import_module("spaces") if lent() else None  # it has to come before torch


def gpu(function: Callable[..., Any], duration: Callable[..., int]) -> Callable[..., Any]:
    """``function`` run where the GPU is lent; itself where none is."""
    return SPACES.GPU(function, duration=duration, size=SIZE) if SPACES else function


class Worker:
    """The engines on the side of the worker. Make it, and :meth:`ready` the first engine, before the launch.

    ``build`` builds the engine of a specification. A worker begins with the engines that were there when it was forked.
    """

    def __init__(self, build: Callable[[EngineSpec], IPSeg]) -> None:
        self._build = build
        self._engines: dict[EngineSpec, IPSeg] = {}
        if SPACES:
            cv2.setNumThreads(1)  # as OMP_NUM_THREADS above
        self._call = gpu(self._work, _seconds)

    def ready(self, spec: EngineSpec) -> IPSeg:
        """The engine, with every network."""
        if spec not in self._engines:
            self._engines[spec] = self._build(spec)
            if len(self._engines) > MOST:  # the first stays: its networks serve the others
                del self._engines[list(self._engines)[1]]
        return self._engines[spec]

    def call(
        self,
        spec: EngineSpec,
        known: Mapping[Any, Any],
        names: Sequence[str],
        step: Callable[..., Any],
        arguments: Sequence[Any],
        work: float,
    ) -> tuple[Any, Mapping[Any, Any]]:
        """``step(engine, *arguments)`` with the GPU, ``known`` being cached of the images ``names`` already.

        ``work`` is how many images could be encoded meanwhile, for :func:`seconds`.
        ``step`` is a function of a module. Returns its result and what was cached beside ``known``, by key. Tensors
        come back on the CPU. Raises the InputError that it raises.
        """
        request = serialize.pack((known, tuple(names), step, tuple(arguments)))
        answer, computed = serialize.unpack(self._call(spec, work, request))
        if isinstance(answer, InputError):
            raise answer
        return answer, computed

    def _work(self, spec: EngineSpec, work: float, request: bytes) -> bytes:
        """In the worker, with the GPU."""
        try:
            engine = self.ready(spec)
            placement = engine.info.placement
            known, names, step, arguments = serialize.unpack(request, placement.device if placement else "cpu")
            cache = engine.encodings.cache
            for key, value in known.items():
                cache.put(key, value)
            answer = step(engine, *arguments)
        except InputError as error:
            return serialize.pack((error, {}))
        return serialize.pack((answer, cache.select(lambda key: key[1] in names and key not in known)))


def seconds(spec: EngineSpec, work: float) -> int:
    """How many seconds of the GPU a call asks for, at most :data:`MOST_SECONDS`: an estimate, not a measurement.

    ``work`` is how many images could be encoded meanwhile. A default request is two calls of one image each.
    """
    preset = spec.resolve()
    large = sum(weights.get(name).bytes for name in preset.weights) > LARGE
    each = max(preset.gpu_seconds, LARGE_SECONDS) if large else preset.gpu_seconds
    return min(MOST_SECONDS, math.ceil(START + work * each))


def _seconds(spec: EngineSpec, work: float, request: bytes) -> int:
    return seconds(spec, work)


@dataclass(frozen=True)
class Remote:
    """One engine of a worker, with a cache in this process of what it computed from images."""

    spec: EngineSpec
    worker: Worker
    cache: Cache

    def call(
        self,
        used_images: Sequence[Named],
        step: Callable[..., Any],
        *arguments: Any,
        each: float = 1.0,
        more: float = 0.0,
    ) -> Any:
        """``step(engine, *arguments)`` with the GPU; what it computes from ``used_images`` is cached here.

        The work is one for each image of which nothing is cached, and ``more`` beside.
        """
        names = list(dict.fromkeys(image.name for image in used_images))
        known = self.cache.select(lambda key: key[1] in names)
        new = len(set(names) - {key[1] for key in known})
        answer, computed = self.worker.call(self.spec, known, names, step, arguments, new + more)
        for key, value in computed.items():
            self.cache.put(key, value)
        return answer


class ZeroGPUEngine:
    """An :class:`ipseg.engine.protocol.Engine` whose networks are in the worker.

    ``local`` is the same engine over remote parts. It makes prompts of images whose encodings are cached here, without
    the GPU; everything else is one call of the worker. :func:`ipseg.engine.build.build_remote` builds it.
    """

    label = IPSeg.label

    def __init__(self, remote: Remote, local: IPSeg) -> None:
        self._remote, self._local = remote, local

    def __repr__(self) -> str:
        return f"ZeroGPUEngine({self.info.name!r})"

    @property
    def config(self) -> IPSegConfig:
        """The numbers of the method."""
        return self._local.config

    @property
    def about(self) -> str:
        """Which networks stand in for the paper's, in a message; "" when none does."""
        return self._local.about

    @property
    def info(self) -> EngineInfo:
        """Name and record."""
        return self._local.info

    @property
    def scorer(self) -> Scorer:
        """How prompt and input image are compared."""
        return self._local.scorer

    @property
    def encodings(self) -> Encodings:
        """What is computed once per image: by the worker, and cached here."""
        return self._local.encodings

    def prompt(
        self,
        prompt_images: PromptSource | Sequence[PromptSource],
        masks: Any = None,
        *,
        mask_value: int | None = None,
        boxes: Any = None,
        points: Any = None,
        progress: Progress | None = None,
    ) -> Prompt:
        """As :meth:`ipseg.method.pipeline.IPSeg.prompt`."""
        make = partial(self.prompt, progress=progress)
        shown = open_given(prompt_images, masks, boxes, points)
        if shown.alone:
            return fit(self, shown.prompts[0], make)
        pairs = with_masks(shown.sources, shown.masks, mask_value=mask_value)
        opened, given = [image for image, _ in pairs], [mask for _, mask in pairs]
        seen = [named(image) for image in opened]
        if not shown.marks and all(self._cached(image, mask) for image, mask in zip(seen, given, strict=True)):
            made = self._local.prompt(opened, given, progress=progress)
        else:
            if progress:
                progress(0.0, "prompt")
            made = self._remote.call(seen, _prompt, opened, given, shown.marks)
        return replace(made, made_by=MadeBy.of(self), **shown.about(make))

    def segment(
        self,
        prompt: Prompt,
        image: Source,
        *,
        k: int | None = None,
        clusters: int | None = None,
        threshold: float | None = None,
        reject_threshold: float | None = None,
        negative_prompt: Prompt | None = None,
        clicks: Points | None = None,
        all_instances: bool = False,
        progress: Progress | None = None,
    ) -> Result:
        """As :meth:`ipseg.method.pipeline.IPSeg.segment`."""
        input_image = named(image)
        k, clusters, threshold, reject_threshold = prompt.parameters.unless(k, clusters, threshold, reject_threshold)
        self.config.numbers(k, clusters, threshold, reject_threshold)
        points.check_inside(clicks, input_image.pixels.shape[:2])
        prompt, negative = fitted(self, prompt, negative_prompt)
        prompt = replace(prompt, saved=None, negative=None)  # the worker has no use for the file
        negative = negative and replace(negative, saved=None, negative=None)
        if progress:
            progress(0.05, "features")
        request = {
            "k": k,
            "clusters": clusters,
            "threshold": threshold,
            "reject_threshold": reject_threshold,
            "negative_prompt": negative,
            "clicks": clicks,
            "all_instances": all_instances,
        }
        more = INSTANCES if all_instances else 0.0
        return self._remote.call([input_image], _segment, prompt, input_image.pixels, request, more=more)

    def apply(
        self, used_images: Sequence[Named], step: Callable[..., Any], *arguments: Any, progress: Progress | None = None
    ) -> Any:
        """As :meth:`ipseg.engine.protocol.Engine.apply`; no progress comes from the worker."""
        return self._remote.call(used_images, step, *arguments, None, more=STEP)

    def baseline(self, name: str, settings: Any) -> SegmentationMethod:
        """As :meth:`ipseg.engine.protocol.Engine.baseline`."""
        return self if name == OWN else RemoteBaseline(self._remote, name, settings)

    def _cached(self, image: Named, mask: GivenMask | None) -> bool:
        """Whether a prompt can be made of an image without encoding it."""
        needed = ("features", "prompt layers") if mask is not None else ("features", "prompt layers", "foreground")
        return all(self.encodings.has(part, image) for part in needed)


class RemoteBaseline:
    """A baseline in the worker, as a :class:`ipseg.core.types.SegmentationMethod`.

    Which variant of the published method it is depends on the engine, so ``label`` and ``about`` are those of the
    published one until the first call.
    """

    def __init__(self, remote: Remote, name: str, settings: Any) -> None:
        self._remote, self._name, self._settings = remote, name, settings
        module = plugins.module("baselines", name)
        self.label, self.about = module.TITLE, ""
        self._work: tuple[float, float] = getattr(module, "GPU_WORK", (1.0, 1.0))

    def prompt(
        self, prompt_images: Any, masks: Any = None, *, mask_value: int | None = None, progress: Progress | None = None
    ) -> Any:
        """As the baseline's own."""
        shown = open_given(prompt_images, masks)
        pairs = with_masks(shown.sources, shown.masks, mask_value=mask_value)
        opened = [image for image, _ in pairs]
        masks = [mask for _, mask in pairs]
        return self._call(_prompt_of_baseline, opened, self._work[0] * len(opened), opened, masks)

    def segment(self, prompt: Any, image: Source, *, progress: Progress | None = None) -> Result:
        """As the baseline's own."""
        input_image = images.open_image(image)
        return self._call(_segment_by_baseline, [input_image], self._work[1], prompt, input_image)

    def _call(self, step: Callable[..., Any], used_images: Sequence[ImageArray], work: float, *arguments: Any) -> Any:
        """``work`` is what the method does beside the encoding of the images that are not cached."""
        seen = [named(image) for image in used_images]
        answer, self.label, self.about = self._remote.call(
            seen, step, self._name, self._settings, *arguments, more=work
        )
        return answer


@dataclass(frozen=True)
class RemoteFeatures:
    """The feature extractor in the worker."""

    remote: Remote
    density: bool

    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """As the extractor's own."""
        seen = named(image)
        return self.remote.call([seen], _features, seen)

    def prompt_layers(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """The extractor's own layers for prompt images alone."""
        seen = named(image)
        return self.remote.call([seen], _prompt_layers, seen)

    def whole(self, image: ImageArray, mask: Mask) -> ObjectVectors:
        """The extractor's own vectors of what a mask holds."""
        seen = named(image)
        return self.remote.call([seen], _whole, seen, mask)


@dataclass(frozen=True)
class RemoteSaliency:
    """The saliency method in the worker."""

    remote: Remote

    def __call__(self, image: ImageArray, features: LazyFeatures) -> NDArray[np.float32]:
        """As the method's own, on the features of the worker."""
        seen = named(image)
        return self.remote.call([seen], _saliency, seen)


@dataclass(frozen=True)
class RemoteSegmenter:
    """The segmenter in the worker."""

    remote: Remote
    accepts_prior: bool
    is_sam: bool

    def encode(self, image: ImageArray) -> Any:
        """As the segmenter's own."""
        seen = named(image)
        return self.remote.call([seen], _encoding, seen)

    def predict(
        self,
        encoding: Any,
        points: Points,
        *,
        mask_logits: NDArray[np.float32] | None = None,
        prior: NDArray[np.float32] | None = None,
        box: tuple[float, float, float, float] | None = None,
        several: bool = False,
    ) -> Candidates:
        """As the segmenter's own."""
        return self.remote.call([], _predict, encoding, points, mask_logits, prior, box, several)


# What is called in the worker, on the engine that is there.


def _prompt(
    engine: IPSeg, prompt_images: Sequence[ImageArray], masks: Sequence[GivenMask | None], marks: Sequence[Marks]
) -> Prompt:
    boxes, points = [each.boxes for each in marks], [each.points for each in marks]
    return engine.prompt(prompt_images, masks, boxes=boxes if marks else None, points=points if marks else None)


def _segment(engine: IPSeg, prompt: Prompt, image: ImageArray, request: Mapping[str, Any]) -> Result:
    return engine.segment(prompt, image, **request)


def _features(engine: IPSeg, image: Named) -> tuple[FeatureMap, ...]:
    return engine.encodings.features(image)


def _prompt_layers(engine: IPSeg, image: Named) -> tuple[FeatureMap, ...]:
    return engine.encodings.prompt_layers(image)


def _whole(engine: IPSeg, image: Named, mask: Mask) -> ObjectVectors:
    return engine.encodings.whole(image, mask)


def _saliency(engine: IPSeg, image: Named) -> NDArray[np.float32]:
    return engine.encodings.saliency(image)


def _encoding(engine: IPSeg, image: Named) -> Any:
    return engine.encodings.encoding(image)


def _predict(
    engine: IPSeg, encoding: Any, points: Points, mask_logits: Any, prior: Any, box: Any, several: bool
) -> Candidates:
    return engine.segmenter.predict(encoding, points, mask_logits=mask_logits, prior=prior, box=box, several=several)


def _prompt_of_baseline(
    engine: IPSeg, name: str, settings: Any, prompt_images: Any, masks: Any
) -> tuple[Any, str, str]:
    method = engine.baseline(name, settings)
    return method.prompt(prompt_images, masks), method.label, method.about


def _segment_by_baseline(engine: IPSeg, name: str, settings: Any, prompt: Any, image: Any) -> tuple[Any, str, str]:
    method = engine.baseline(name, settings)
    return method.segment(prompt, image), method.label, method.about
