"""One prompt, encoded once, and the numbers of a request: what the page, the API and the command line segment with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from ipseg.core.images import Source
from ipseg.core.result import Result
from ipseg.core.types import InputError, Points, Progress
from ipseg.engine.protocol import Engine
from ipseg.method.config import Parameters
from ipseg.method.marks import Marks
from ipseg.method.prompt import Prompt, PromptSource


@dataclass(frozen=True)
class Outcome:
    """The result for one image of several, or why there is none."""

    number: int  # of the image, from 0
    result: Result | None = None
    error: InputError | None = None


class SegmentImage(Protocol):
    """What is still to be given where prompt and numbers are fixed: an image, and what is its own."""

    def __call__(self, image: Source, *, clicks: Points | None = None, progress: Progress | None = None) -> Result:
        """As :meth:`ipseg.method.pipeline.IPSeg.segment`."""
        ...


@dataclass(frozen=True)
class SegmentSession:
    """An engine with its encoded prompt and the numbers of a request, for any number of images."""

    engine: Engine
    prompt: Prompt
    negative_prompt: Prompt | None = None
    parameters: Parameters = field(default_factory=Parameters)
    all_instances: bool = False

    @classmethod
    def of(
        cls,
        engine: Engine,
        prompt_images: PromptSource | Sequence[PromptSource],
        masks: Sequence[Any] | None,
        negative_images: Sequence[PromptSource] = (),
        *,
        mask_value: int | None = None,
        marks: Marks | None = None,
        parameters: Parameters = Parameters(),  # noqa: B008 - frozen
        all_instances: bool = False,
        progress: Progress | None = None,
    ) -> SegmentSession:
        """Encode the prompt images, each with its mask or None, and the images of what is not meant.

        ``marks``: boxes and points on the first prompt image of a list, in place of its mask. Where a saved prompt is
        among the prompt images, ``negative_images`` join what it has as not meant. Raises what ``engine.prompt``
        raises, and what ``progress`` raises, which is called before each image.
        """
        meant: dict[str, Any] = {}
        if marks is not None and not marks.empty:
            rest = [None] * (len(prompt_images) - 1 if isinstance(prompt_images, list | tuple) else 0)
            boxes, points = list(marks.boxes) or None, marks.points
            meant = {"boxes": [boxes, *rest], "points": [points, *rest]}
        prompt = engine.prompt(prompt_images, masks, mask_value=mask_value, progress=progress, **meant)
        if negative_images and prompt.negative:
            negative_images = [prompt.negative, *negative_images]
        negative = engine.prompt(negative_images, progress=progress) if negative_images else None
        return cls(engine, prompt, negative, parameters, all_instances)

    @property
    def segment(self) -> SegmentImage:
        """``engine.segment`` with the prompts and the numbers of the request, to be called with an image."""
        return partial(
            self.engine.segment,
            self.prompt,
            negative_prompt=self.negative_prompt,
            all_instances=self.all_instances,
            **self.parameters.arguments(),
        )

    def segment_each(
        self,
        images: Sequence[Source],
        clicks: Sequence[Points | None] | None = None,
        progress: Callable[[int], Progress] | None = None,
    ) -> Iterator[Outcome]:
        """The outcome for each image, in their order; an image that cannot be used is one with an error.

        ``clicks``: of each image. ``progress``: gives the progress of the image of a number. Raises the first
        InputError at the end where no image could be used.
        """
        first: InputError | None = None
        answered = False
        for number, (image, points) in enumerate(zip(images, clicks or [None] * len(images), strict=True)):
            try:
                result = self.segment(image, clicks=points, progress=progress(number) if progress else None)
            except InputError as error:
                first = first or error
                yield Outcome(number, error=error)
                continue
            answered = True
            yield Outcome(number, result)
        if first and not answered:
            raise first
