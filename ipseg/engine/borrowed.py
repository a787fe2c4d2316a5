"""An engine whose networks are in another process, where a GPU is lent for a call: see :mod:`ipseg.engine.zerogpu`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ipseg.core import images, plugins
from ipseg.core.images import Source
from ipseg.core.masks import with_masks
from ipseg.core.result import Result
from ipseg.core.types import FeatureMap, Progress, Prompt
from ipseg.engine import options
from ipseg.engine.options import Options
from ipseg.engine.zerogpu import Lender
from ipseg.method import points
from ipseg.method.config import EngineInfo
from ipseg.method.encodings import Encodings, Named, named
from ipseg.method.pipeline import IPSeg


class Borrower(IPSeg):
    """An engine without a network: it asks a :class:`Lender`, and keeps what was computed from images.

    A prompt whose images are known is made here, without the GPU.
    """

    def __init__(self, chosen: Options, lender: Lender) -> None:
        preset = options.resolve(chosen)
        accepts_prior = plugins.declares("segmenters", preset.segmenter[0], "accepts_prior")
        parts: tuple[Any, Any, Any] = (_Part("extractor"), _Part("detector"), _Part("segmenter", accepts_prior))
        record = {
            "engine": chosen.name,
            "features": {source: dict(settings) for source, settings in preset.sources.items()},
            "saliency": list(preset.saliency),
            "segmenter": list(preset.segmenter),
            "scorer": list(preset.scorer),
        }
        encodings = BorrowedPerception(*parts, consensus=preset.method.consensus, cache_bytes=preset.cache)
        scorer = plugins.build("scorers", preset.scorer[0], **preset.scorer[1])
        info = EngineInfo(chosen.name, record=record)
        super().__init__(*parts, scorer, preset.method, info=info, encodings=encodings)
        self._chosen, self._lender = chosen, lender
        encodings.ask = self.ask
        for part in parts:
            part.ask = self.ask

    def ask(self, pictures: Sequence[Named], do: Callable[..., Any], *arguments: Any, rival: bool = False) -> Any:
        """``do(engine, *arguments)`` with the GPU; what it computes from ``images`` is kept here."""
        cache, names = self.encodings.cache, [picture.name for picture in pictures]
        known = cache.kept(lambda key: key[1] in names)
        answer, learnt = self._lender.ask(self._chosen, known, names, do, arguments, rival)
        for key, value in learnt.items():
            cache.put(key, value)
        return answer

    def prompt(
        self,
        pictures: Source | Sequence[Source],
        masks: Any = None,
        *,
        mask_value: int | None = None,
        progress: Progress | None = None,
    ) -> Prompt:
        """As :meth:`ipseg.method.pipeline.IPSeg.prompt`."""
        pairs = with_masks(pictures, masks, mask_value=mask_value)
        opened, given = [picture for picture, _ in pairs], [mask for _, mask in pairs]
        seen = [named(picture) for picture in opened]
        if all(_knows(self.encodings, picture, mask) for picture, mask in zip(seen, given, strict=True)):
            return super().prompt(opened, given, progress=progress)
        if progress:
            progress(0.0, "prompt")
        return self.ask(seen, _prompt, opened, given)

    def segment(self, prompt: Prompt, image: Source, *, progress: Progress | None = None, **numbers: Any) -> Result:
        """As :meth:`ipseg.method.pipeline.IPSeg.segment`."""
        picture = named(image)
        asked = {name: value for name, value in numbers.items() if value is not None}
        points.check(asked.get("k", self.config.k), asked.get("clusters", self.config.clusters))
        if progress:
            progress(0.05, "features")
        return self.ask([picture], _segment, prompt, picture.pixels, numbers)

    def make(self, name: str, settings: Mapping[str, Any]) -> BorrowedMethod:
        """The rival of that name, on the parts of this engine; :func:`ipseg.core.plugins.method` asks for it."""
        return BorrowedMethod(self, name, settings)


class BorrowedPerception(Encodings):
    """What is seen in an image, looked at with the GPU and kept here."""

    ask: Callable[..., Any]

    def features(self, picture: Named) -> tuple[FeatureMap, ...]:
        """As :meth:`ipseg.method.encodings.Encodings.features`."""
        return self._look("features", picture)

    def encoding(self, picture: Named) -> Any:
        """As :meth:`ipseg.method.encodings.Encodings.encoding`."""
        return self._look("encoding", picture)

    def foreground(self, picture: Named) -> Any:
        """As :meth:`ipseg.method.encodings.Encodings.foreground`."""
        return self._look("foreground", picture)

    def saliency(self, picture: Named) -> Any:
        """As :meth:`ipseg.method.encodings.Encodings.saliency`."""
        return self.ask([picture], _look, "saliency", picture)

    def _look(self, part: str, picture: Named) -> Any:
        return self.keep(part, picture, lambda: self.ask([picture], _look, part, picture))


class BorrowedMethod:
    """A rival whose prompts and answers are made with the GPU. ``label`` is known once it was given a prompt."""

    def __init__(self, engine: Borrower, name: str, settings: Mapping[str, Any]) -> None:
        self._engine, self._name, self._settings = engine, name, dict(settings)
        self.label, self.about = plugins.module("baselines", name).TITLE, ""

    def prompt(
        self, pictures: Any, masks: Any = None, *, mask_value: int | None = None, progress: Progress | None = None
    ) -> Any:
        """As :meth:`ipseg.baselines._rival.Rival.prompt`."""
        pairs = with_masks(pictures, masks, mask_value=mask_value)
        opened = [picture for picture, _ in pairs]
        return self._ask("prompt", opened, opened, [mask for _, mask in pairs])

    def segment(self, prompt: Any, image: Source, *, progress: Progress | None = None) -> Result:
        """As :meth:`ipseg.baselines._rival.Rival.segment`."""
        picture = images.open_image(image)
        return self._ask("segment", [picture], prompt, picture)

    def _ask(self, call: str, pictures: Sequence[Any], *arguments: Any) -> Any:
        seen = [named(picture) for picture in pictures]
        answer, self.label, self.about = self._engine.ask(
            seen, _of_method, self._name, self._settings, call, *arguments, rival=True
        )
        return answer


class _Part:
    """One part of the engine in the worker."""

    ask: Callable[..., Any]

    density, is_sam = False, False

    def __init__(self, name: str, accepts_prior: bool = False) -> None:
        self._name, self.accepts_prior = name, accepts_prior

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        return self.ask([], _of_part, self._name, "__call__", arguments, settings)

    def encode(self, *arguments: Any, **settings: Any) -> Any:
        """As :meth:`ipseg.core.types.Segmenter.encode`."""
        return self.ask([], _of_part, self._name, "encode", arguments, settings)

    def predict(self, *arguments: Any, **settings: Any) -> Any:
        """As :meth:`ipseg.core.types.Segmenter.predict`."""
        return self.ask([], _of_part, self._name, "predict", arguments, settings)


def _knows(encodings: Encodings, picture: Named, mask: Any) -> bool:
    """Whether a prompt can be made of an image without encoding it again."""
    return encodings.has("features", picture) and (mask is not None or encodings.has("foreground", picture))


# What is done in the worker, on the engine that is there.


def _prompt(engine: IPSeg, pictures: Any, masks: Any) -> Prompt:
    return engine.prompt(pictures, masks)


def _segment(engine: IPSeg, prompt: Prompt, picture: Any, numbers: Mapping[str, Any]) -> Result:
    return engine.segment(prompt, picture, **numbers)


def _look(engine: IPSeg, part: str, picture: Named) -> Any:
    return getattr(engine.encodings, part)(picture)


def _of_part(engine: IPSeg, part: str, call: str, arguments: Any, settings: Any) -> Any:
    return getattr(getattr(engine.encodings, part), call)(*arguments, **settings)


def _of_method(engine: IPSeg, name: str, settings: Mapping[str, Any], call: str, *arguments: Any) -> Any:
    maker = plugins.method(name, engine, **settings)
    return getattr(maker, call)(*arguments), maker.label, getattr(maker, "about", "")
