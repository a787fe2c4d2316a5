"""The value objects that flow through the method, and the protocols a plug-in meets.

Everything here is frozen and checked when it is made. Coordinates are always (x, y); sizes and array axes are always
(height, width), as numpy has them. "Image pixels" means the frame of the original image: continuous, origin at the
outer corner of the first pixel: the centre of the pixel in column ``i`` and row ``j`` is ``(i + 0.5, j + 0.5)``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

ImageArray = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, upright, as :func:`ipseg.core.images.open_image` returns it."""

Mask = NDArray[np.bool_]
"""(H, W) bool, in the pixels of the image it belongs to."""

Array = Any
"""A numpy array or a torch tensor: the steps use only the operators that both share."""

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done, in [0, 1], and what is being done now."""


class InputError(ValueError):
    """Something given from outside cannot be used. Its text is one message that a visitor can act on."""


class Stopped(Exception):  # noqa: N818 - not an error: the caller ended the computation
    """A computation was ended by its caller before it was complete."""


class ImageError(InputError):
    """A file or array is not an image that can be segmented."""


class MaskError(InputError):
    """A prompt mask is empty, or does not fit its image."""


class SettingError(InputError):
    """A setting is out of its range, or is not known."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def require_rows(values: Array, channels: int | None, label: str, *, least: int = 1) -> int:
    """Raise ValueError unless ``values`` is (n, C) floating point, n >= ``least``; returns C, which is ``channels``."""
    _require_floats(values, ("n", "C" if channels is None else channels), label)
    _require(len(values) >= least, f"expected {label} of at least {least} rows, got {len(values)}")
    return int(values.shape[1])


def _require_floats(values: Array, shape: tuple[str | int, ...], label: str) -> None:
    """Raise ValueError unless ``values`` is floating point and of that shape, whose texts stand for any size."""
    got, kind = tuple(getattr(values, "shape", ())), str(getattr(values, "dtype", type(values).__name__))
    wanted = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
    fits = len(got) == len(shape) and all(
        isinstance(one, str) or one == size for one, size in zip(shape, got, strict=True)
    )
    _require(fits and got[-1] > 0, f"expected {label} of shape {wanted}, got {got}")
    _require("float" in kind, f"expected {label} in floating point, got {kind}")


class Brief:
    """A dataclass (with repr=False) that prints one short entry for each field: of an array its shape and dtype."""

    def __repr__(self) -> str:
        entries = (f"{one.name}={_brief(getattr(self, one.name))}" for one in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(entries)})"


def _brief(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_brief(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple) and any(hasattr(one, "shape") for one in value):
        return "[" + ", ".join(map(_brief, value)) + "]"
    return repr(value)


@dataclass(frozen=True)
class Frame:
    """Where a grid of cells lies on an image: ``rows`` x ``columns`` equal cells that span ``box``.

    ``box`` is (left, top, right, bottom) in image pixels. A letterboxed square reaches beyond the image on two
    sides, so its box does too; a grid laid over an image squashed to a square has the image itself as its box.
    """

    image_size: tuple[int, int]  # (height, width) of the original image, in pixels
    grid: tuple[int, int]  # (rows, columns)
    box: tuple[float, float, float, float]  # (left, top, right, bottom), image pixels

    def __post_init__(self) -> None:
        _require(min(self.image_size) > 0, f"expected an image of at least 1x1 pixels, got {self.image_size}")
        _require(min(self.grid) > 0, f"expected a grid of at least 1x1 cells, got {self.grid}")
        left, top, right, bottom = self.box
        _require(right > left and bottom > top, f"expected a box (left < right, top < bottom), got {self.box}")

    @property
    def cell(self) -> tuple[float, float]:
        """(width, height) of one cell, in image pixels."""
        left, top, right, bottom = self.box
        return (right - left) / self.grid[1], (bottom - top) / self.grid[0]


@dataclass(frozen=True, repr=False)
class FeatureMap(Brief):
    """One layer of dense features: ``values`` is (rows, columns, C) floating point, on the cells of ``frame``."""

    name: str
    values: Array
    frame: Frame

    def __post_init__(self) -> None:
        shape = tuple(self.values.shape)
        _require(len(shape) == 3, f"expected features of shape (rows, columns, C), got {shape}")
        _require(shape[:2] == self.frame.grid, f"expected features on a grid of {self.frame.grid}, got {shape[:2]}")


@dataclass(frozen=True, repr=False)
class Prototype(Brief):
    """The prompt's object as vectors: one (C,) mean for each feature layer (Eq. 5), and perhaps of its background."""

    foreground: Mapping[str, Array]
    background: Mapping[str, Array] = field(default_factory=dict)  # empty when the method uses no negative prototype
    descriptors: tuple[NDArray[np.float32], ...] = ()  # per prompt image (n, C): object cells of unit length

    def __post_init__(self) -> None:
        _require(len(self.foreground) > 0, "expected at least one feature layer, got none")
        for name, vector in [*self.foreground.items(), *self.background.items()]:
            _require_floats(vector, ("C",), f"a mean of {name}")
        shapes = {name: tuple(vector.shape) for name, vector in self.foreground.items()}
        others = {name: tuple(vector.shape) for name, vector in self.background.items()}
        _require(not others or others == shapes, f"expected background means like {shapes}, got {others}")
        channels = next(iter(shapes.values()))[0]
        for sample in self.descriptors:
            _require_floats(sample, ("n", channels), "descriptors of the first layer")


@dataclass(frozen=True, repr=False)
class View(Brief):
    """One image of the object, and which part of it is the object."""

    image: ImageArray
    saliency: NDArray[np.float32]  # (H, W) in [0, 1]: the saliency map, or the given mask as 0 and 1
    given: bool  # whether the mask came from outside instead of the saliency method
    cells: NDArray[np.bool_]  # (rows, columns): the object's cells in the first feature layer
    frame: Frame  # of ``cells``

    def __post_init__(self) -> None:
        size = self.image.shape[:2]
        _require(self.saliency.shape == size, f"expected saliency of shape {size}, got {self.saliency.shape}")
        _require(self.cells.shape == self.frame.grid, f"expected {self.frame.grid} cells, got {self.cells.shape}")


@dataclass(frozen=True, repr=False)
class Similarity(Brief):
    """The similarity of each cell of the input image to the prototype (S of Eq. 6).

    ``values`` is (rows, columns) float32 numpy, ``inside`` (rows, columns) bool: the cells whose centre lies on the
    image. Only those may become points.
    """

    values: NDArray[np.float32]
    inside: NDArray[np.bool_]
    frame: Frame

    def __post_init__(self) -> None:
        _require(self.values.shape == self.frame.grid, f"expected {self.frame.grid} cells, got {self.values.shape}")
        _require(self.inside.shape == self.frame.grid, f"expected {self.frame.grid} cells, got {self.inside.shape}")


@dataclass(frozen=True, repr=False)
class Points(Brief):
    """Positive and negative point prompts: each (n, 2) float32, (x, y) in image pixels."""

    positive: NDArray[np.float32]
    negative: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in ("positive", "negative"):
            shape = getattr(self, name).shape
            _require(len(shape) == 2 and shape[1] == 2, f"expected {name} points of shape (n, 2), got {shape}")


@dataclass(frozen=True, repr=False)
class Candidates(Brief):
    """The ``n`` masks that a segmenter predicts for one set of prompts, in the order of the segmenter.

    ``masks`` (n, H, W) bool in image pixels; ``scores`` (n,) float32, the segmenter's own scores, higher is better;
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


@dataclass(frozen=True, repr=False)
class Proposal(Brief):
    """A region that stands out in an image, whatever the prompt, and the parts it consists of if it is several objects.

    ``logits`` and each of ``parts`` are (h, w) float32 in a segmenter's own low resolution, over the whole image,
    positive inside: what :meth:`Segmenter.predict` takes as ``mask_logits``. Without several parts there are none.
    """

    logits: NDArray[np.float32]
    parts: tuple[NDArray[np.float32], ...] = ()

    def __post_init__(self) -> None:
        _require(self.logits.ndim == 2, f"expected logits of shape (h, w), got {self.logits.shape}")
        _require(len(self.parts) != 1, "expected no part or several, got 1")
        wrong = [part.shape for part in self.parts if part.shape != self.logits.shape]
        _require(not wrong, f"expected parts of shape {self.logits.shape}, got {wrong[:1]}")


LazyFeatures = Callable[[], tuple[FeatureMap, ...]]
"""The features of an image, computed on the first call and cached."""


ObjectVectors = tuple[NDArray[np.float32], ...]
"""Vectors (C,) of unit length of a whole object, each compared with that of another one by their product in [-1, 1]."""


@dataclass(frozen=True, repr=False)
class PromptFeatures(Brief):
    """What a scorer gets of one prompt image."""

    features: tuple[FeatureMap, ...]  # every layer; the first is the coarsest that a scorer needs
    cells: Callable[[Frame], NDArray[np.bool_]]  # the object's cells on a grid, (rows, columns), at least one
    image: ImageArray | None = None  # the image itself, for a scorer that compares colours
    whole: Callable[[], ObjectVectors] = tuple  # of the object, for a scorer that compares whole objects

    def __post_init__(self) -> None:
        _require(len(self.features) > 0, "expected at least one feature layer, got none")


@dataclass(frozen=True, repr=False)
class InputFeatures(Brief):
    """What a scorer gets of the input image."""

    features: tuple[FeatureMap, ...]
    foreground: Callable[[], NDArray[np.float32]]  # foreground probability, (H, W) in [0, 1]; computed when called
    image: ImageArray | None = None  # the image itself, for a scorer that compares colours
    whole: Callable[[Mask], ObjectVectors] = lambda _: ()  # of what a mask (H, W) holds; () where there are none

    def __post_init__(self) -> None:
        _require(len(self.features) > 0, "expected at least one feature layer, got none")


class FeatureExtractor(Protocol):
    """Dense features of an image. The first layer returned is the one on which cells of the prompt are chosen.

    One that has a method ``prompt_layers``, of the same arguments, has layers that only a prompt image needs. One that
    has a method ``whole``, of an image and a mask (H, W) bool, gives the :data:`ObjectVectors` of what that holds.
    One that is made of several has ``sources``, each of which gives the layers of one for an image, and ``joined``,
    which makes of the layers of all of them what the call returns.
    """

    @property
    def density(self) -> bool:
        """Whether the product of two cells is a kernel, so that the product with a mean of cells is a density."""
        ...

    def __call__(self, image: ImageArray, /) -> tuple[FeatureMap, ...]:
        """The layers of an image (H, W, 3) uint8 RGB, each (rows, columns, C) floating point with its frame."""
        ...


class SaliencyMethod(Protocol):
    """What stands out in an image, with no training on it: (H, W) float32 in [0, 1], in image pixels.

    One that always asks for the features has an attribute ``reads_features``, True, and one that never does, False.
    Where it is True they are computed before the call, and not inside of it, where it may hold a lock on a device that
    another thread needs for the same features.
    """

    def __call__(self, image: ImageArray, features: LazyFeatures, /) -> NDArray[np.float32]:
        """The saliency map (H, W) of an image (H, W, 3) uint8 RGB; ``features()`` computes the extractor's layers."""
        ...


class Segmenter(Protocol):
    """A promptable segmenter: encodes an image once, then predicts masks for any number of prompts.

    One that has a method ``proposals``, of an encoding, returns a tuple of :class:`Proposal`: what stands out in the
    image without any prompt.
    """

    @property
    def accepts_prior(self) -> bool:
        """Whether :meth:`predict` takes a foreground prior; without it ``prior`` raises ValueError."""
        ...

    @property
    def is_sam(self) -> bool:
        """Whether it is a :class:`SAMSegmenter`."""
        ...

    def encode(self, image: ImageArray, /) -> Any:
        """All that does not depend on the prompts, cached by the caller and handed back to :meth:`predict`."""
        ...

    def predict(
        self,
        encoding: Any,
        points: Points,
        /,
        *,
        mask_logits: NDArray[np.float32] | None = None,
        prior: NDArray[np.float32] | None = None,
        box: tuple[float, float, float, float] | None = None,
        several: bool = False,
    ) -> Candidates:
        """Masks for ``points``.

        ``mask_logits`` (h, w): logits of an earlier prediction, as in :class:`Candidates`, to go on from. ``prior``
        (rows, columns): log odds of the foreground over the whole image, from evidence outside the segmenter; not
        together with ``mask_logits``. ``box`` (left, top, right, bottom) in image pixels. ``several``: several
        candidates instead of one mask.
        """
        ...


class SAMSegmenter(Segmenter, Protocol):
    """A segmenter around a ``Sam`` of the segment-anything package."""

    @property
    def sam(self) -> Any:
        """The module."""
        ...

    @property
    def device(self) -> Any:
        """``torch.device`` of its inputs."""
        ...

    @property
    def squash(self) -> bool:
        """Whether its input images are squashed to its square instead of scaled and padded."""
        ...

    def unsquashed(self) -> SAMSegmenter:
        """The same network on images that are scaled and padded."""
        ...

    def predict(
        self,
        encoding: Any,
        points: Points,
        /,
        *,
        mask_logits: NDArray[np.float32] | None = None,
        prior: NDArray[np.float32] | None = None,
        box: tuple[float, float, float, float] | None = None,
        several: bool = False,
        decoder: Any = None,
    ) -> Candidates:
        """As :meth:`Segmenter.predict`; ``decoder`` takes the place of the module's own mask decoder for this call."""
        ...

    def enlarge(
        self, encoding: Any, logits: NDArray[np.float32], size: tuple[int, int] | None = None, /
    ) -> NDArray[np.float32]:
        """(n, h, w) logits brought to the image, bilinear: (n, H, W) float32, or ``(n, *size)`` of a reduced one."""
        ...


class Scorer(Protocol):
    """How the prompt is compared with an input image: of cells, of whole masks, and whether the object is there.

    ``model`` is what :meth:`model` made of a prompt; ``negative`` the same of a negative prompt, or None. What the
    negative prompt explains better than the prompt scores less; elsewhere it changes nothing.
    """

    @property
    def log_odds(self) -> bool:
        """Whether the similarity is the log odds of the foreground, which a segmenter may take as its prior."""
        ...

    @property
    def needs_density(self) -> bool:
        """Whether the features must be a density (:attr:`FeatureExtractor.density`)."""
        ...

    @property
    def of_small_masks(self) -> Scorer | None:
        """The scorer whose :meth:`presence` scores a small mask, by the features of a crop around it.

        None where a small mask is scored as any other, by the features of the whole image.
        """
        ...

    def model(self, images: Sequence[PromptFeatures], /) -> Any:
        """The prompt's model of one or more prompt images: plain data that can be pickled."""
        ...

    def similarity(self, model: Any, image: InputFeatures, negative: Any, /) -> Similarity:
        """The similarity of each cell of the input to the prompt, on the frame of whichever layer it takes."""
        ...

    def mask_scores(
        self, model: Any, image: InputFeatures, negative: Any, masks: NDArray[np.bool_], /
    ) -> NDArray[np.float32] | None:
        """Scores of whole masks (n, h, w), over the image at any resolution, to add to the segmenter's own: (n,).

        None: it does not score masks.
        """
        ...

    @property
    def presence_without(self) -> Mapping[str, Scorer]:
        """The scorer without each term that can lower its presence score, by the name of the term; {}: none can."""
        ...

    def presence(self, model: Any, image: InputFeatures, negative: Any, mask: Mask, /) -> float:
        """The presence score of a mask (H, W) bool for the prompt's object, in [0, 1]; 0 for an empty mask."""
        ...

    def cell_scores(self, models: Sequence[Any], image: InputFeatures, /) -> tuple[NDArray[np.float32], Frame]:
        """How well each of ``n`` models explains each cell: (n, rows, columns) in [0, 1], and the frame of the cells.

        A cell's score is about the presence score of a mask of that cell alone. All come of one matrix product with a
        sample of each model, so that many objects cost little more than one: it tells which of them can be there.
        """
        ...

    def region_scores(
        self,
        models: Sequence[Any],
        image: InputFeatures,
        cells: NDArray[np.float32],
        regions: NDArray[np.bool_],
        frame: Frame,
        /,
    ) -> NDArray[np.float32]:
        """About the presence score of each of ``m`` regions for each of ``n`` models: (n, m) in [0, 1].

        ``cells`` (n, rows, columns) on ``frame``: what :meth:`cell_scores` returned for these models. ``regions``
        (m, rows, columns) bool, none empty. It takes what is computed already: no region is seen on a crop.
        """
        ...

    def layer_weights(self, layers: Sequence[str], /) -> Mapping[str, float]:
        """The weight of each named feature layer in the similarity; a layer that takes no part is left out."""
        ...

    def variants(self, layers: Sequence[str], /) -> Mapping[str, Scorer]:
        """The scorer and what is left of it without some of its terms, by name, for ablations; itself among them."""
        ...


class Device(Protocol):
    """Where the models of an engine run: :class:`ipseg.engine.placement.Placement`."""

    @property
    def device(self) -> Any:
        """The ``torch.device`` of inputs."""
        ...

    @property
    def dtype(self) -> Any:
        """The ``torch.dtype`` of heavy parts."""
        ...

    def place(self, model: Any, *parts: Any, dtype: Any = None) -> Any:
        """Bring a torch module, of which ``parts`` are heavy, where it runs; returns it."""
        ...

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The network made for ``key``, shared by all parts that ask for it."""
        ...

    def run(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """``function(*arguments, **settings)``, one call at a time on a GPU."""
        ...

    def run_alone(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """:meth:`run` for a pass of an encoder, which uses every core of a CPU: there too one call at a time."""
        ...

    @property
    def overlaps(self) -> bool:
        """Whether :meth:`at_once` computes at once."""
        ...

    def at_once(self, calls: Sequence[Callable[[], Any]]) -> list[Any]:
        """The results of independent passes of encoders, in their order; a call must not wait for another thread."""
        ...

    def guard(self, kind: str, part: Any) -> Any:
        """The plug-in of ``kind``, such as ``"features"``, its calls through :meth:`run`."""
        ...

    def describe(self) -> dict[str, str]:
        """For the record of a run."""
        ...
