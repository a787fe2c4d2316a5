"""What every engine can do, whether its networks are in this process or in another one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ipseg.core.images import Source
from ipseg.core.result import Result, SegmentationMethod
from ipseg.core.types import Points, Progress, Scorer
from ipseg.method.config import EngineInfo, IPSegConfig
from ipseg.method.encodings import Encodings, Named
from ipseg.method.prompt import Prompt, PromptSource


class Engine(Protocol):
    """:class:`ipseg.method.pipeline.IPSeg`, or :class:`ipseg.engine.zerogpu.ZeroGPUEngine` on a Space."""

    @property
    def label(self) -> str:
        """Its name in a table of methods."""
        ...

    @property
    def about(self) -> str:
        """What differs from the published method, in a message; "" when nothing does."""
        ...

    @property
    def config(self) -> IPSegConfig:
        """The numbers of the method."""
        ...

    @property
    def info(self) -> EngineInfo:
        """Name, reason, record and placement."""
        ...

    @property
    def scorer(self) -> Scorer:
        """How prompt and input image are compared."""
        ...

    @property
    def encodings(self) -> Encodings:
        """What is computed once per image, with its cache."""
        ...

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
        ...

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
        ...

    def apply(
        self, images: Sequence[Named], step: Callable[..., Any], *arguments: Any, progress: Progress | None = None
    ) -> Any:
        """``step(engine, *arguments, progress)`` in the process that has the networks, with what is cached of images.

        ``step`` is a function of a module, as another process finds it by its name.
        """
        ...

    def baseline(self, name: str, settings: Any) -> SegmentationMethod:
        """The method of that name from :mod:`ipseg.baselines`, on the parts of this engine."""
        ...
