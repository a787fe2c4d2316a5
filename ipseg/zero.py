"""ZeroGPU: the GPU of a Space is lent for one call, which runs in a forked worker; what it returns is pickled.

    prompt, picture, what is kept of them --> worker: the engine answers --> answer, what it saw --> kept here

The engine of the page is built before the page is launched, so that its networks are ready in every worker; what else
is asked for is built in the worker. The page itself holds no network: :class:`Borrower` asks, and keeps what comes
back. Import this module before torch. Where no GPU is lent, importing it does nothing.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2

from ipseg import images, options, registry, wire
from ipseg.images import Source
from ipseg.options import Options
from ipseg.perception import Named, Perception, named
from ipseg.pipeline import IPSeg, Progress
from ipseg.presets import PRESETS
from ipseg.result import Result
from ipseg.types import FeatureMap, InputError, PictureError, Prompt

QUICK, SLOW, LONG = 15, 45, 120  # seconds a call may take: preset for a CPU, preset for a GPU, a rival


def lent() -> bool:
    """Whether this is a Space whose GPU is lent for a call."""
    asked = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")
    return asked and importlib.util.find_spec("spaces") is not None


if lent():  # a forked worker has none of its parent's other threads, and would wait for them
    os.environ["OMP_NUM_THREADS"] = "1"
SPACES: Any = importlib.import_module("spaces") if lent() else None  # it has to come before torch


def gpu(function: Callable[..., Any], duration: Callable[..., int]) -> Callable[..., Any]:
    """``function`` run where the GPU is lent; itself where none is."""
    return SPACES.GPU(function, duration=duration) if SPACES else function


class Lender:
    """The engines on the side of the worker. Make it, and :meth:`ready` what shall be ready, before the launch.

    ``load`` builds the engine of options. A worker begins with what was there when it was forked.
    """

    def __init__(self, load: Callable[[Options], IPSeg]) -> None:
        self._load = load
        self._engines: dict[Options, IPSeg] = {}
        if SPACES:
            cv2.setNumThreads(1)  # as OMP_NUM_THREADS above
        self._call = gpu(self._work, _seconds)

    def ready(self, chosen: Options) -> IPSeg:
        """Its engine, with every network."""
        if chosen not in self._engines:
            self._engines[chosen] = self._load(chosen)
        return self._engines[chosen]

    def ask(self, chosen: Options, known: Mapping[Any, Any], names: Sequence[str], do: Any, *arguments: Any) -> Any:
        """``do(engine, *arguments)`` with the GPU, ``known`` being kept of the pictures ``names`` already.

        ``do`` is a function of a module. Returns the answer and what was kept beside ``known``, by key. Tensors come
        back on the CPU. Raises the InputError that it raises.
        """
        request = wire.pack((known, tuple(names), do, arguments))
        answer, learnt = wire.unpack(self._call(chosen, do is _of_method, request))
        if isinstance(answer, InputError):
            raise answer
        return answer, learnt

    def _work(self, chosen: Options, rival: bool, request: bytes) -> bytes:
        """In the worker, with the GPU."""
        try:
            engine = self.ready(chosen)
            known, names, do, arguments = wire.unpack(request, getattr(engine.placement, "device", "cpu"))
            cache = engine.perception.cache
            for key, value in known.items():
                cache.put(key, value)
            answer = do(engine, *arguments)
        except InputError as error:
            return wire.pack((error, {}))
        return wire.pack((answer, cache.kept(lambda key: key[1] in names and key not in known)))


class Borrower(IPSeg):
    """An engine without a network: it asks a :class:`Lender`, and keeps what was computed from pictures.

    A prompt whose pictures are known is made here, without the GPU.
    """

    perception: BorrowedPerception

    def __init__(self, chosen: Options, lender: Lender) -> None:
        preset = options.resolve(chosen)
        parts: tuple[Any, ...] = (_Part("extractor"), _Part("detector"), _Part("segmenter"))
        super().__init__(*parts, preset.method, name=chosen.name, cache_bytes=preset.cache)
        self._chosen, self._lender = chosen, lender
        self.perception = BorrowedPerception(*parts, settled=preset.method.settled, cache_bytes=preset.cache)
        self.perception.ask = self.ask
        for part in parts:
            part.ask = self.ask

    def ask(self, pictures: Sequence[Named], do: Callable[..., Any], *arguments: Any) -> Any:
        """``do(engine, *arguments)`` with the GPU; what it computes from ``pictures`` is kept here."""
        cache, names = self.perception.cache, [picture.name for picture in pictures]
        known = cache.kept(lambda key: key[1] in names)
        answer, learnt = self._lender.ask(self._chosen, known, names, do, *arguments)
        for key, value in learnt.items():
            cache.put(key, value)
        return answer

    def prompt(
        self, pictures: Source | Sequence[Source], masks: Any = None, *, progress: Progress | None = None
    ) -> Prompt:
        """As :meth:`ipseg.pipeline.IPSeg.prompt`."""
        sources: list[Any] = list(pictures) if isinstance(pictures, list | tuple) else [pictures]
        given = list(masks) if isinstance(masks, list | tuple) else [masks] * len(sources)
        if not sources or len(given) != len(sources):
            raise PictureError(f"Got {len(sources)} prompt pictures and {len(given)} masks; give as many of each.")
        seen = [named(source) for source in sources]
        opened = [picture.pixels for picture in seen]
        given = [
            mask if mask is None else images.open_mask(mask, picture.shape[:2])
            for mask, picture in zip(given, opened, strict=True)
        ]
        if all(self.perception.knows(picture, mask) for picture, mask in zip(seen, given, strict=True)):
            return super().prompt(opened, given, progress=progress)
        if progress:
            progress(0.0, "prompt")
        return self.ask(seen, _prompt, opened, given)

    def segment(self, prompt: Prompt, image: Source, *, progress: Progress | None = None, **numbers: Any) -> Result:
        """As :meth:`ipseg.pipeline.IPSeg.segment`."""
        picture = named(image)
        asked = {name: value for name, value in numbers.items() if value is not None}
        self.check(asked.get("k", self.method.k), asked.get("clusters", self.method.clusters))
        if progress:
            progress(0.05, "features")
        return self.ask([picture], _segment, prompt, picture.pixels, numbers)

    def make(self, name: str, settings: Mapping[str, Any]) -> BorrowedMethod:
        """The rival of that name, on the parts of this engine; :func:`ipseg.registry.method` asks for it."""
        return BorrowedMethod(self, name, settings)


class BorrowedPerception(Perception):
    """What is seen in a picture, looked at with the GPU and kept here."""

    ask: Callable[..., Any]

    def features(self, picture: Named) -> tuple[FeatureMap, ...]:
        """As :meth:`ipseg.perception.Perception.features`."""
        return self._look("features", picture)

    def encoding(self, picture: Named) -> Any:
        """As :meth:`ipseg.perception.Perception.encoding`."""
        return self._look("encoding", picture)

    def belief(self, picture: Named) -> Any:
        """As :meth:`ipseg.perception.Perception.belief`."""
        return self._look("belief", picture)

    def saliency(self, picture: Named) -> Any:
        """As :meth:`ipseg.perception.Perception.saliency`."""
        return self.ask([picture], _look, "saliency", picture)

    def knows(self, picture: Named, mask: Any) -> bool:
        """Whether a prompt can be made of a picture without looking at it again."""
        return self.has("features", picture) and (mask is not None or self.has("belief", picture))

    def _look(self, part: str, picture: Named) -> Any:
        return self.keep(part, picture, lambda: self.ask([picture], _look, part, picture))


class BorrowedMethod:
    """A rival whose prompts and answers are made with the GPU. ``label`` is known once it was given a prompt."""

    def __init__(self, engine: Borrower, name: str, settings: Mapping[str, Any]) -> None:
        self._engine, self._name, self._settings = engine, name, dict(settings)
        self.label, self.about = registry.module("methods", name).TITLE, ""

    def prompt(self, pictures: Any, masks: Any = None, *, progress: Progress | None = None) -> Any:
        """As :meth:`ipseg.methods._rival.Rival.prompt`."""
        several = isinstance(pictures, list | tuple)
        opened = [images.open_picture(each) for each in (pictures if several else [pictures])]
        return self._ask("prompt", opened, opened if several else opened[0], masks)

    def segment(self, prompt: Any, image: Source, *, progress: Progress | None = None) -> Result:
        """As :meth:`ipseg.methods._rival.Rival.segment`."""
        picture = images.open_picture(image)
        return self._ask("segment", [picture], prompt, picture)

    def _ask(self, call: str, pictures: Sequence[Any], *arguments: Any) -> Any:
        seen = [named(picture) for picture in pictures]
        answer, self.label, self.about = self._engine.ask(
            seen, _of_method, self._name, self._settings, call, *arguments
        )
        return answer


class _Part:
    """One part of the engine in the worker."""

    ask: Callable[..., Any]

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        return self.ask([], _of_part, self._name, "__call__", arguments, settings)

    def encode(self, *arguments: Any, **settings: Any) -> Any:
        """As :meth:`ipseg.types.Segmenter.encode`."""
        return self.ask([], _of_part, self._name, "encode", arguments, settings)

    def predict(self, *arguments: Any, **settings: Any) -> Any:
        """As :meth:`ipseg.types.Segmenter.predict`."""
        return self.ask([], _of_part, self._name, "predict", arguments, settings)


# What is done in the worker, on the engine that is there.


def _prompt(engine: IPSeg, pictures: Any, masks: Any) -> Prompt:
    return engine.prompt(pictures, masks)


def _segment(engine: IPSeg, prompt: Prompt, picture: Any, numbers: Mapping[str, Any]) -> Result:
    return engine.segment(prompt, picture, **numbers)


def _look(engine: IPSeg, part: str, picture: Named) -> Any:
    return getattr(engine.perception, part)(picture)


def _of_part(engine: IPSeg, part: str, call: str, arguments: Any, settings: Any) -> Any:
    return getattr(getattr(engine.perception, part), call)(*arguments, **settings)


def _of_method(engine: IPSeg, name: str, settings: Mapping[str, Any], call: str, *arguments: Any) -> Any:
    maker = registry.method(name, engine, **settings)
    return getattr(maker, call)(*arguments), maker.label, getattr(maker, "about", "")


def _seconds(chosen: Options, rival: bool, request: bytes) -> int:
    """How long a call may take, for the queue of the GPU; estimates with room, not measurements."""
    if rival:
        return LONG
    return SLOW if PRESETS[chosen.preset].gpu else QUICK
