"""The result of a segmentation: the mask, the points and similarity that led to it, and images of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, images, viz
from ipseg.core.detections import to_detections
from ipseg.core.status import Status
from ipseg.core.types import Brief, ImageArray, Mask, Points, Progress, Similarity


@dataclass(frozen=True, repr=False)
class Instance(Brief):
    """One object of those that the prompt shows."""

    mask: Mask  # (H, W) bool, in the pixels of the image; those of different instances do not overlap
    points: Points  # the group of points that led to it; (x, y) in image pixels
    score: float  # in [0, 1], as of :class:`ipseg.core.result.Result`
    status: Status  # of this instance by its own score


@dataclass(frozen=True, repr=False)
class Result:
    """The answer for one input image. Every array is numpy, and every frame is the original image's own."""

    image: ImageArray  # (H, W, 3) uint8 RGB: the input image, upright
    mask: Mask  # (H, W) bool: the best guess, even where the object is not detected
    status: Status  # detected, uncertain or not detected; an empty mask is not detected
    score: float  # in [0, 1]: how sure the engine is that the object is in the image
    threshold: float  # detected from this score on
    reject_threshold: float  # not detected below this score; at most ``threshold``
    points: Points  # (x, y) in image pixels
    similarity: Similarity | None  # Eq. 6, on cells; None from a method that has none
    seconds: Mapping[str, float]  # wall-clock seconds of each step; a step whose result was cached is absent
    instances: tuple[Instance, ...] = ()  # all of them, the best first, where ``all_instances`` was requested

    def __repr__(self) -> str:
        parts = [
            f"status={self.status.value!r}",
            f"score={self.score:.2f}",
            f"mask={self.mask.shape} bool, {self.mask.mean():.1%} of the image",
            f"points={len(self.points.positive)} positive and {len(self.points.negative)} negative",
        ]
        if self.instances:
            parts.append(f"instances={len(self.instances)}")
        return f"Result({', '.join(parts)}, seconds={sum(self.seconds.values()):.2f})"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the mask with its points, or all instances where they were requested."""
        return images.encode_png(self.overlay_instances() if self.instances else self.overlay())

    def overlay(self, *, points: bool = True) -> ImageArray:
        """The object in its own colours, the rest dimmed, and, unless ``points=False``, the point prompts.

        (H, W, 3) uint8. The outline is amber where the object is detected, blue where it is uncertain, and dashed and
        grey where it is not detected and the mask only the best guess, whose pixels are then dimmed, too.
        """
        return viz.overlay_of(self.image, self.mask, self.status, self.points if points else None)

    @property
    def answer_mask(self) -> Mask:
        """The mask to write, (H, W) bool: ``mask`` where the object is detected or uncertain, else empty."""
        return self.mask & self.status.has_mask

    @property
    def all_instances(self) -> Mask:
        """The instances together: (H, W) bool; empty where none was asked for or detected."""
        together = np.zeros(self.mask.shape, dtype=bool)
        for one in self.instances:
            together |= one.mask
        return together

    def labels(self) -> NDArray[np.uint8]:
        """The number of the instance that holds each pixel, from 1, and 0 elsewhere: (H, W) uint8."""
        numbers = np.zeros(self.mask.shape, dtype=np.uint8)
        for number, one in enumerate(self.instances, 1):
            numbers[one.mask] = number
        return numbers

    def overlay_instances(self) -> ImageArray:
        """The image with each instance in its colour, with its number: (H, W, 3) uint8."""
        return viz.numbered(self.image, [one.mask for one in self.instances])

    def record(self) -> dict[str, Any]:
        """The answer without pixels, as plain data; points are (x, y) in pixels of the upright image."""
        return {
            "status": self.status.value,
            "score": round(self.score, 4),
            "threshold": self.threshold,
            "reject_threshold": self.reject_threshold,
            "positive_points": self.points.positive.astype(float).round(2).tolist(),
            "negative_points": self.points.negative.astype(float).round(2).tolist(),
            **({"instances": [_of_instance(one) for one in self.instances]} if self.instances else {}),
            "seconds": {step: round(seconds, 4) for step, seconds in self.seconds.items()},
        }

    def to_supervision(self, *, class_id: int = 0, class_name: str = "object") -> Any:
        """The answer as a ``supervision.Detections``: one detection for each instance, or one for the mask.

        ``mask`` (n, H, W) bool, ``xyxy`` (n, 4) float32 in pixels, right and lower sides exclusive, ``confidence`` (n,)
        float32, ``class_id`` (n,) int; ``data`` holds ``class_name`` and ``status``. What is not detected is no
        detection. Raises :class:`~ipseg.core.types.SettingError` where supervision is not installed.
        """
        found = [(one.mask, one.score, one.status) for one in self.instances] or [(self.mask, self.score, self.status)]
        found = [each for each in found if each[2].has_mask and each[0].any()]
        names, numbers = [class_name] * len(found), [class_id] * len(found)
        masks, scores, statuses = zip(*found, strict=True) if found else ((), (), ())
        return to_detections(masks, scores, numbers, names, statuses, self.mask.shape)

    def cut_out(self) -> NDArray[np.uint8]:
        """The object alone on a transparent background: (H, W, 4) uint8 RGBA."""
        return viz.cut_out(self.image, self.mask)

    def similarity_map(self) -> NDArray[np.float32]:
        """Eq. 6 brought to the image's pixels, bilinear: (H, W) float32. Raises ValueError where there is none."""
        if self.similarity is None:
            raise ValueError("expected a similarity, got a result of a method that has none")
        return geometry.to_image(self.similarity.values, self.similarity.frame)

    def heat_map(self) -> ImageArray:
        """The similarity as a heat map over the image: (H, W, 3) uint8."""
        return viz.heat_map(self.image, self.similarity_map())


class SegmentationMethod(Protocol):
    """A method that segments what a prompt shows: IPSeg and every baseline.

    Its prompts have ``notices`` (messages for a person) and ``source`` (where the mask comes from).
    """

    @property
    def label(self) -> str:
        """Its name in a table, with what differs from the published method."""
        ...

    @property
    def about(self) -> str:
        """What differs from the published method, in a message; "" when nothing does."""
        ...

    def prompt(self, prompt_images: Any, masks: Any = None, /, *, progress: Progress | None = None) -> Any:
        """Make a prompt of images of the object, each with its mask or None."""
        ...

    def segment(self, prompt: Any, image: Any, /, *, progress: Progress | None = None) -> Result:
        """Segment what the prompt shows in ``image``."""
        ...


def _of_instance(one: Instance) -> dict[str, Any]:
    return {
        "status": one.status.value,
        "score": round(one.score, 4),
        "pixels": int(one.mask.sum()),
        "box": list(geometry.bounding_box(one.mask) or ()),
    }
