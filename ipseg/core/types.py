"""The value objects that flow through the method, and the protocols a plug-in meets.

Everything here is frozen and checked when it is made. Coordinates are always (x, y); sizes and array axes are always
(height, width), as numpy has them. "Image pixels" means the frame of the original image: continuous, origin at the
outer corner of the first pixel: the centre of the pixel in column ``i`` and row ``j`` is ``(i + 0.5, j + 0.5)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, upright, as :func:`ipseg.core.images.open_image` returns it."""

Mask = NDArray[np.bool_]
"""(H, W) bool, in the pixels of the image it belongs to."""

Array = Any
"""A numpy array or a torch tensor: the steps use only the operators that both share."""


class InputError(ValueError):
    """Something given from outside cannot be used. Its text is one message that a visitor can act on."""


class ImageError(InputError):
    """A file or array is not an image that can be segmented."""


class MaskError(InputError):
    """A prompt mask is empty, or does not fit its image."""


class SettingError(InputError):
    """A setting is out of its range, or is not known."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


@dataclass(frozen=True)
class Frame:
    """Where a grid of cells lies on an image: ``rows`` x ``columns`` equal cells that span ``box``.

    ``box`` is (left, top, right, bottom) in image pixels. A letterboxed square reaches beyond the image on two
    sides, so its box does too; a grid laid over an image squashed to a square has the image itself as its box.
    """

    picture: tuple[int, int]  # (height, width) of the original image
    grid: tuple[int, int]  # (rows, columns)
    box: tuple[float, float, float, float]  # (left, top, right, bottom), image pixels

    def __post_init__(self) -> None:
        _require(min(self.picture) > 0, f"expected an image of at least 1x1 pixels, got {self.picture}")
        _require(min(self.grid) > 0, f"expected a grid of at least 1x1 cells, got {self.grid}")
        left, top, right, bottom = self.box
        _require(right > left and bottom > top, f"expected a box (left < right, top < bottom), got {self.box}")

    @property
    def cell(self) -> tuple[float, float]:
        """(width, height) of one cell, in image pixels."""
        left, top, right, bottom = self.box
        return (right - left) / self.grid[1], (bottom - top) / self.grid[0]


@dataclass(frozen=True)
class FeatureMap:
    """One layer of dense features: ``values`` is (rows, columns, C) floating point, on the cells of ``frame``."""

    name: str
    values: Array
    frame: Frame

    def __post_init__(self) -> None:
        shape = tuple(self.values.shape)
        _require(len(shape) == 3, f"expected features of shape (rows, columns, C), got {shape}")
        _require(shape[:2] == self.frame.grid, f"expected features on a grid of {self.frame.grid}, got {shape[:2]}")


@dataclass(frozen=True)
class Prototype:
    """What the prompt looks like, one (C,) vector for each feature layer (Eq. 5), and perhaps its background."""

    foreground: Mapping[str, Array]
    background: Mapping[str, Array] = field(default_factory=dict)  # empty when the method uses no negative prototype


@dataclass(frozen=True)
class View:
    """One image of the object, and which part of it counts as the object."""

    picture: Picture
    saliency: NDArray[np.float32]  # (H, W) in [0, 1]: the saliency map, or the given mask as 0 and 1
    given: bool  # whether the mask came from outside instead of the saliency method
    cells: NDArray[np.bool_]  # (rows, columns): the cells that were averaged
    frame: Frame  # of ``cells``
    look: NDArray[np.float32]  # (n, C): features of some of those cells, of unit length

    def __post_init__(self) -> None:
        size = self.picture.shape[:2]
        _require(self.saliency.shape == size, f"expected saliency of shape {size}, got {self.saliency.shape}")
        _require(self.cells.shape == self.frame.grid, f"expected {self.frame.grid} cells, got {self.cells.shape}")


@dataclass(frozen=True)
class Prompt:
    """One or more images of an object, made ready once and used on any number of input images."""

    views: tuple[View, ...]
    prototype: Prototype
    notices: tuple[str, ...] = ()  # what a person should know, one message each

    def __post_init__(self) -> None:
        _require(len(self.views) > 0, "expected at least one image in a prompt, got none")


@dataclass(frozen=True)
class Similarity:
    """How alike each cell of the input is to the prototype (Eq. 6).

    ``values`` is (rows, columns) float32 numpy, ``inside`` (rows, columns) bool: the cells whose centre lies on the
    image. Only those may become points.
    """

    values: NDArray[np.float32]
    inside: NDArray[np.bool_]
    frame: Frame

    def __post_init__(self) -> None:
        _require(self.values.shape == self.frame.grid, f"expected {self.frame.grid} cells, got {self.values.shape}")
        _require(self.inside.shape == self.frame.grid, f"expected {self.frame.grid} cells, got {self.inside.shape}")


@dataclass(frozen=True)
class Points:
    """Positive and negative point prompts: each (n, 2) float32, (x, y) in image pixels."""

    positive: NDArray[np.float32]
    negative: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("positive", "negative"):
            shape = getattr(self, name).shape
            _require(len(shape) == 2 and shape[1] == 2, f"expected {name} points of shape (n, 2), got {shape}")


@dataclass(frozen=True)
class Candidates:
    """What a segmenter answers: ``n`` masks for one set of prompts, best guess first or not, as the segmenter has them.

    ``masks`` (n, H, W) bool in image pixels; ``scores`` (n,) float32, the segmenter's own opinion, higher is better;
    ``logits`` (n, h, w) float32 in the segmenter's own low resolution, which it takes back as a mask prompt.
    """

    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    logits: NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.masks)
        _require(self.masks.ndim == 3 and n > 0, f"expected masks of shape (n, H, W), got {self.masks.shape}")
        _require(self.scores.shape == (n,), f"expected {n} scores, got {self.scores.shape}")
        _require(self.logits.ndim == 3 and len(self.logits) == n, f"expected {n} logit maps, got {self.logits.shape}")


class FeatureExtractor(Protocol):
    """Dense features of an image. The first layer returned is the one whose frame the similarity is laid on."""

    def __call__(self, picture: Picture) -> tuple[FeatureMap, ...]: ...


class SaliencyMethod(Protocol):
    """What stands out in an image, with no training on it: (H, W) float32 in [0, 1], in image pixels."""

    def __call__(self, picture: Picture) -> NDArray[np.float32]: ...


class Segmenter(Protocol):
    """A promptable segmenter: encodes an image once, then answers any number of prompts about it."""

    def encode(self, picture: Picture) -> Any:
        """All that does not depend on the prompts, kept by the caller and handed back to :meth:`predict`."""
        ...

    def predict(
        self,
        encoding: Any,
        points: Points,
        *,
        mask: NDArray[np.float32] | None = None,
        box: tuple[float, float, float, float] | None = None,
        several: bool = False,
    ) -> Candidates:
        """Masks for ``points``; ``mask`` is a (h, w) logit map as in :class:`Candidates`, ``box`` in image pixels."""
        ...
