"""What all baselines share: the mask of a prompt, the names of images, the times of steps, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import images
from ipseg.core.images import Source
from ipseg.core.masks import GivenMask, with_masks
from ipseg.core.result import Result
from ipseg.core.types import Brief, ImageError, Mask, Points, Progress, Similarity
from ipseg.method import presence
from ipseg.method.encodings import Encodings, Named, named
from ipseg.method.prompt import PromptSource, open_given
from ipseg.method.prototype import NOTHING_STANDS_OUT
from ipseg.method.steps import Steps

ON_PARTS = "on the engine's parts"
"""The variant of a baseline that has its models replaced by what the engine has."""


@dataclass(frozen=True, repr=False)
class Reference(Brief):
    """The prompt as a baseline wants it: one image with a mask."""

    image: Named
    mask: Mask  # (H, W) bool in the image's pixels, never empty
    given: bool  # whether the mask is the user's own; else the saliency mask that IPSeg itself uses
    learnt: Any = None  # what the method makes of the two, once
    notices: tuple[str, ...] = ()  # notices for the user, one message each

    @property
    def source(self) -> str:
        """Where the mask comes from, for records and captions."""
        return "given" if self.given else "saliency"


@dataclass(frozen=True, repr=False)
class Prediction(Brief):
    """The prediction of a method for one image."""

    mask: Mask  # (H, W) bool in the image's pixels
    points: Points = field(default_factory=lambda: Points(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)))
    similarity: Similarity | None = None  # where the method has one
    score: float = 1.0  # the method's own score, in [0, 1]; it decides nothing


class Baseline:
    """A method other than IPSeg. A subclass defines what it learns from a reference and how it predicts a mask.

    It stores nothing between two calls but what the encodings cache, so threads may share it.
    """

    title: str = ""
    variant: str = ""  # how it differs from what was published, in a word or two for its label; "" when it does not
    about: str = ""  # the same in a message

    def __init__(self, encodings: Encodings) -> None:
        self.encodings = encodings

    @property
    def label(self) -> str:
        """The title, and what is different about it."""
        return f"{self.title} ({self.variant})" if self.variant else self.title

    def learn(self, reference: Reference, step: Steps) -> Any:
        """What the method makes of a reference, whatever image comes later."""
        return None

    def predict(self, reference: Reference, image: Named, step: Steps) -> Prediction:
        """The method's prediction for one image."""
        raise NotImplementedError

    def prompt(
        self,
        prompt_images: PromptSource | Sequence[PromptSource],
        masks: Any = None,
        *,
        mask_value: int | None = None,
        progress: Progress | None = None,
    ) -> Reference:
        """Make a reference of one image. Its mask is the given one, else the saliency mask that IPSeg itself uses.

        Takes what :meth:`ipseg.method.pipeline.IPSeg.prompt` takes, with a single image, of a saved prompt its image
        and the mask that was given with it. Raises
        :class:`~ipseg.core.types.ImageError` when there are more, :class:`~ipseg.core.types.MaskError` when the mask
        is empty or does not fit.
        """
        shown = open_given(prompt_images, masks)
        ((image, mask),) = with_masks(_single(self.title, shown.sources), shown.masks, mask_value=mask_value)
        images.check_whole(image, self.title)
        reference = self._reference(named(image), mask)
        return replace(reference, learnt=self.learn(reference, Steps(progress)))

    def segment(self, prompt: Reference, image: Source, *, progress: Progress | None = None) -> Result:
        """Cut what ``prompt`` shows out of ``image``; a mask that is not empty counts as detected."""
        step, input_image = Steps(progress), named(image)
        images.check_whole(input_image.pixels, self.title)
        predicted = self.predict(prompt, input_image, step)
        return Result(
            input_image.pixels,
            predicted.mask,
            presence.status(predicted.score, predicted.mask, 0.0, 0.0),
            predicted.score,
            0.0,
            0.0,
            predicted.points,
            predicted.similarity,
            step.seconds,
        )

    def _reference(self, image: Named, mask: GivenMask | None) -> Reference:
        size = image.pixels.shape[:2]
        if mask is not None:
            return Reference(image, mask.mask, given=True, notices=mask.notices)
        shown: NDArray[np.bool_] = self.encodings.foreground(image) > 0.5
        if shown.any():
            return Reference(image, shown, given=False)
        return Reference(image, np.ones(size, dtype=bool), given=False, notices=(NOTHING_STANDS_OUT,))


def _single(title: str, given: Any) -> Any:
    """The only one of a list, or what is no list."""
    if not isinstance(given, list | tuple):
        return given
    if len(given) != 1:
        raise ImageError(f"{title} takes one prompt image, and {len(given)} were given; give one.")
    return given[0]
