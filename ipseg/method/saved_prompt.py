"""The file of a saved prompt: one NPZ without pickles, which holds all that is needed to use the prompt again.

Its parts are the images with the masks that were given; of each engine that used them what it took as the object and
its model; what is not meant, likewise; the name of the object; and the numbers to segment it with. The member
``about`` is JSON (UTF-8) of which the other members are the arrays; images, masks and saliency maps are PNG files.

Images are saved at a longest side of at most :data:`SIDE` pixels, without loss. No part sees more of a prompt image:
features are computed at 960 pixels or fewer, Segment Anything works at 1024, and crops are taken at 1280. A smaller
image is saved as it is, so that another engine makes the same prompt of it as of the original file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg.core import geometry, images, npz, plugins, tree
from ipseg.core.files import open_regular, reading
from ipseg.core.serialize import to_json
from ipseg.core.store import Described, atomic_write, run_key, writing
from ipseg.core.types import Brief, Frame, ImageArray, InputError, Mask, Prototype, View
from ipseg.method.config import Parameters
from ipseg.version import __version__

SIDE = 1280  # pixels of the longer side of a saved image, at most, unless its shorter side would become too short
MAX_IMAGES = 64  # of a prompt and of what is not meant, together
MAX_BYTES = 256 * 2**20  # of a file
MAX_UNPACKED = 256 * 2**20  # bytes of its arrays before images are decoded
MAX_MEMBERS = 8192
MAX_PIXELS = 4 * MAX_IMAGES * SIDE * SIDE  # of all images, masks and maps together
MAX_COORDINATE = 1e6  # of a box in the pixels of a saved image; a letterboxed square reaches beyond the image
MAX_ABOUT = 4 * 2**20  # bytes of the JSON
MAX_NAME = 200  # characters of the name of the object, and of the names of engines

FORMAT, VERSION, ENDING = "ipseg prompt", 1, ".npz"
AS_PNG = 4096  # numbers from which on an array that can be a PNG is one
AGAIN = "make it again with `ipseg prompt create` or Prompt.save"


class PromptFileError(InputError):
    """A saved prompt cannot be read or written; one message that says why, and what to do."""


@dataclass(frozen=True)
class MadeBy:
    """Which engine made a model: the model fits an engine of the same ``key``, and no other."""

    key: str = ""  # of :func:`ipseg.core.store.run_key`; "" of an engine without a record of its parts
    engine: str = ""  # its name
    version: str = ""  # of ipseg
    settings: str = ""  # its record and the numbers of its method, JSON

    @classmethod
    def of(cls, engine: Described) -> MadeBy:
        """The identity of an engine. One that was put together by hand, without a record, has no key."""
        key = run_key(engine) if engine.info.record else ""
        settings = to_json({"parts": dict(engine.info.record), "config": repr(engine.config)})
        return cls(key, engine.info.name, __version__, settings)


@dataclass(frozen=True, repr=False)
class SavedImage(Brief):
    """An image of the object, and perhaps its mask."""

    image: ImageArray  # (h, w, 3) uint8
    size: tuple[int, int]  # (height, width) of the original, in pixels
    mask: Mask | None = None  # (h, w) bool, where one was given

    def __post_init__(self) -> None:
        _require(self.image.ndim == 3 and self.image.shape[2] == 3 and self.image.dtype == np.uint8, "an image")
        _require(min(self.image.shape[:2]) >= images.MIN_SIDE, "an image that is not too small")
        _require(len(self.size) == 2 and all(type(each) is int and each > 0 for each in self.size), "a size")
        if self.mask is not None:
            good = self.mask.dtype == np.bool_ and self.mask.shape == self.image.shape[:2] and self.mask.any()
            _require(bool(good), "a mask of the image's size")


@dataclass(frozen=True, repr=False)
class SavedView(Brief):
    """What an engine took as the object in one image."""

    cells: NDArray[np.bool_]  # (rows, columns): the object's cells in the first feature layer
    box: tuple[float, float, float, float]  # which these cells span, in pixels of the saved image
    saliency: NDArray[np.uint8] | None = None  # (h, w), 255 for 1; None where the mask was given

    def __post_init__(self) -> None:
        _require(self.cells.dtype == np.bool_ and self.cells.ndim == 2, "cells")
        _require(len(self.box) == 4 and all(isinstance(each, float | int) for each in self.box), "a box")
        _require(max(map(abs, self.box)) <= MAX_COORDINATE, "a box near the image")
        _require(self.saliency is None or self.saliency.dtype == np.uint8, "a saliency map")


@dataclass(frozen=True, repr=False)
class SavedModel(Brief):
    """What one engine made of the images: ``tree`` is JSON whose arrays are ``arrays`` (:mod:`ipseg.core.tree`)."""

    made_by: MadeBy
    views: tuple[SavedView, ...]
    tree: str
    arrays: tuple[NDArray[Any], ...]

    def __post_init__(self) -> None:
        _require(isinstance(self.made_by, MadeBy) and isinstance(self.tree, str), "a model")
        texts = self.made_by.engine, self.made_by.version, self.made_by.key
        _require(all(isinstance(each, str) and is_name(each) for each in texts), "names")
        _require(
            isinstance(self.made_by.settings, str) and isinstance(json.loads(self.made_by.settings or "{}"), dict),
            "JSON",
        )
        _require(all(map(_is_finite, self.arrays)), "finite numbers")
        with suppress(tree.UnknownTypeError):  # of a scorer that is not here: this engine makes a model of its own
            _, tensors = tree.flatten(self.decode(None), model_types())
            _require(all(map(_is_finite, tensors)), "finite tensors")

    def decode(self, device: Any = "cpu") -> Any:
        """The model; its tensors on ``device``, arrays for None. Raises ValueError and others where it is damaged."""
        return tree.restore(json.loads(self.tree), self.arrays, model_types(), device)


@dataclass(frozen=True, repr=False)
class SavedPrompt(Brief):
    """The content of a file."""

    images: tuple[SavedImage, ...]
    models: tuple[SavedModel, ...]  # of each engine that used the images, the last one last
    name: str = ""  # of the object
    negative: SavedPrompt | None = None  # what is not meant
    parameters: Parameters = field(default_factory=Parameters)  # to segment with; None: those of the engine

    def __post_init__(self) -> None:
        _require(len(self.images) > 0 and len(self.models) > 0, "an image and a model")
        _require(all(isinstance(each, SavedImage) for each in self.images), "images")
        _require(all(isinstance(each, SavedModel) for each in self.models), "models")
        _require(isinstance(self.name, str) and is_name(self.name), "a name")
        _require(isinstance(self.parameters, Parameters), "parameters")
        if self.negative is not None:
            _require(isinstance(self.negative, SavedPrompt) and self.negative.negative is None, "a negative prompt")
        for model in self.models:
            _require(len(model.views) == len(self.images), "a view of each image")
            self.views(model)

    @property
    def count(self) -> int:
        """How many images it has, those of the negative prompt included."""
        return len(self.images) + (self.negative.count if self.negative else 0)

    def views(self, model: SavedModel) -> tuple[View, ...]:
        """What the engine of a model took as the object, in the pixels of the saved images."""
        return tuple(_view(*each) for each in zip(self.images, model.views, strict=True))


FILE_TYPES: tree.Types = {
    each.__name__: each for each in (SavedPrompt, SavedImage, SavedView, SavedModel, MadeBy, Parameters)
}


def is_name(text: str) -> bool:
    """Whether a text can be shown as a name: printable, and not too long; it may be empty."""
    return text.isprintable() and len(text) <= MAX_NAME


def model_types() -> tree.Types:
    """The dataclasses of models: :class:`~ipseg.core.types.Prototype`, and each scorer's own ``MODEL_TYPES``."""
    own = {
        f"{name}.{each.__name__}": each
        for name in plugins.names("scorers")
        for each in getattr(plugins.module("scorers", name), "MODEL_TYPES", ())
    }
    return {"Prototype": Prototype, **own}


def save_model(made_by: MadeBy, model: Any, views: tuple[View, ...], saved: tuple[SavedImage, ...]) -> SavedModel:
    """A model, and what it was made of, for a file with these images.

    Raises :class:`PromptFileError` for the model of a scorer that does not list its types.
    """
    try:
        flat, arrays = tree.flatten(model, model_types())
    except TypeError as error:
        raise PromptFileError(
            f"The prompt of this engine cannot be saved ({error}); give its scorer MODEL_TYPES, or another engine."
        ) from error
    seen = tuple(_saved_view(view, one.image.shape[:2]) for view, one in zip(views, saved, strict=True))
    return SavedModel(made_by, seen, json.dumps(flat, allow_nan=False), tuple(arrays))


def save_image(view: View) -> SavedImage:
    """An image at its saved size, with its mask where that was given."""
    height, width = view.image.shape[:2]
    size = saved_size((height, width))
    image = view.image if size == (height, width) else geometry.squash(view.image, size, Image.Resampling.LANCZOS)
    return SavedImage(_frozen(image), (height, width), _smaller(view.saliency > 0.5, size) if view.given else None)


def saved_size(size: tuple[int, int]) -> tuple[int, int]:
    """The (height, width) at which an image of ``size`` is saved."""
    scale = min(1.0, max(SIDE / max(size), images.MIN_SIDE / min(size)))
    return max(images.MIN_SIDE, round(size[0] * scale)), max(images.MIN_SIDE, round(size[1] * scale))


def fingerprint(saved: Any, types: tree.Types) -> str:
    """A name for the content of a value that :func:`ipseg.core.tree.flatten` takes: equal values, equal names."""
    flat, arrays = tree.flatten(saved, types)
    text = np.frombuffer(json.dumps(flat, sort_keys=True).encode(), np.uint8)
    return images.fingerprint(text, *arrays)


def write(path: str | os.PathLike[str], saved: SavedPrompt) -> None:
    """Write a file, whole or not at all. Its folder must exist.

    Raises :class:`PromptFileError` for more than it may hold, and :class:`~ipseg.core.store.OutputError` where it
    cannot be written.
    """
    if Path(path).suffix.lower() != ENDING:
        raise PromptFileError(f"{Path(path).name} has another ending; save a prompt as {Path(path).stem}{ENDING}.")
    if saved.count > MAX_IMAGES:
        raise PromptFileError(f"The prompt has {saved.count} images; give at most {MAX_IMAGES}.")
    flat, arrays = tree.flatten(saved, FILE_TYPES)
    about = {"format": FORMAT, "version": VERSION, "ipseg": __version__, "prompt": flat}
    members = dict(map(_member, range(len(arrays)), arrays))
    members["about"] = np.frombuffer(json.dumps(about, allow_nan=False).encode(), np.uint8)
    if sum(each.nbytes for each in members.values()) > 0.99 * MAX_BYTES or len(members) > MAX_MEMBERS:
        raise PromptFileError("The prompt is too large to be saved; give fewer images.")
    with writing(path):
        atomic_write(path, members)


def is_saved(source: Any) -> bool:
    """Whether ``source`` is the path of a file that is, or should be, a saved prompt, by its ending ``.npz``."""
    return isinstance(source, str | os.PathLike) and os.fspath(source).lower().endswith(ENDING)


def read(source: str | os.PathLike[str] | bytes) -> SavedPrompt:
    """Read a file or the bytes of one.

    Nothing in it is run: it holds numbers and plain data, of listed types. What it may hold is bounded before it is
    unpacked. Raises :class:`PromptFileError` with one message for what is no saved prompt, damaged or too large.
    """
    label = Path(source).name if isinstance(source, str | os.PathLike) else "The saved prompt"
    with _opened(source, label) as file:
        if file.seek(0, 2) > MAX_BYTES:
            raise PromptFileError(f"{label} is larger than {MAX_BYTES // 2**20} MB; save a prompt of fewer images.")
        file.seek(0)
        if file.read(len(npz.MAGIC)) != npz.MAGIC:
            raise PromptFileError(f"{label} is not a saved prompt; {AGAIN}.")
        try:
            return _decode(npz.read(file, max_bytes=MAX_UNPACKED, max_members=MAX_MEMBERS), label)
        except PromptFileError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, OSError) as error:
            raise PromptFileError(f"{label} is damaged, or is not a saved prompt; {AGAIN}.") from error


def _opened(source: str | os.PathLike[str] | bytes, label: str) -> BinaryIO:
    if isinstance(source, bytes):
        return BytesIO(source)
    with reading(label, PromptFileError, "a saved prompt"):
        return open_regular(source)


def _decode(members: Mapping[str, NDArray[Any]], label: str) -> SavedPrompt:
    if "about" not in members or members["about"].nbytes > MAX_ABOUT:
        raise PromptFileError(f"{label} is not a saved prompt; {AGAIN}.")
    about = json.loads(members["about"].tobytes())
    if about.get("format") != FORMAT:
        raise PromptFileError(f"{label} is not a saved prompt; {AGAIN}.")
    if about["version"] != VERSION:
        raise PromptFileError(f"{label} was saved by another version of ipseg; {AGAIN}.")
    _check_pixels(members)
    arrays = [_array(members, number) for number in range(len(members) - 1)]
    saved = tree.restore(about["prompt"], arrays, FILE_TYPES)
    _require(isinstance(saved, SavedPrompt) and saved.count <= MAX_IMAGES, "a prompt")
    return saved


def _member(number: int, array: NDArray[Any]) -> tuple[str, NDArray[Any]]:
    """The name and the array by which an array is saved: of an image, a mask or a map the bytes of a PNG."""
    colour = array.ndim == 3 and array.shape[2] == 3 and array.dtype == np.uint8
    grey = array.ndim == 2 and array.dtype in (np.uint8, np.bool_)
    if array.size >= AS_PNG and (colour or grey):
        return f"png_{number}", np.frombuffer(images.encode_png(np.ascontiguousarray(array)), np.uint8)
    return f"array_{number}", array


def _array(members: Mapping[str, NDArray[Any]], number: int) -> NDArray[Any]:
    """The inverse of :func:`_member`."""
    data = members.get(f"png_{number}")
    if data is None:
        return members[f"array_{number}"]
    decoded, _ = images.decode(data.tobytes(), "the image")
    _require(isinstance(decoded, Image.Image) and decoded.mode in ("1", "L", "RGB"), "a PNG of 8 bits")
    return _frozen(np.array(decoded))


def _check_pixels(members: Mapping[str, NDArray[Any]]) -> None:
    """Raise ValueError where the PNG files have more pixels together than a saved prompt can; nothing is decoded."""
    pixels = 0
    for name, data in members.items():
        if name.startswith("png_"):
            height, width = images.size_of(data.tobytes())
            pixels += height * width
    _require(pixels <= MAX_PIXELS, "fewer pixels")


def _saved_view(view: View, size: tuple[int, int]) -> SavedView:
    scale = size[1] / view.image.shape[1], size[0] / view.image.shape[0]
    left, top, right, bottom = view.frame.box
    box = (left * scale[0], top * scale[1], right * scale[0], bottom * scale[1])
    if view.given:
        return SavedView(view.cells, box)
    grey = np.rint(view.saliency * 255).astype(np.uint8)
    return SavedView(view.cells, box, grey if grey.shape == size else geometry.squash(grey, size, _AVERAGE))


def _view(one: SavedImage, seen: SavedView) -> View:
    size = one.image.shape[:2]
    if one.mask is not None:
        saliency = one.mask.astype(np.float32)
    else:
        _require(seen.saliency is not None, "a saliency map")
        saliency = seen.saliency.astype(np.float32) / np.float32(255)  # type: ignore[union-attr]
    return View(one.image, saliency, one.mask is not None, seen.cells, Frame(size, seen.cells.shape, seen.box))


_AVERAGE = Image.Resampling.BOX


def _smaller(mask: Mask, size: tuple[int, int]) -> Mask:
    """A mask at another size, by its share of each pixel; not empty where it was not."""
    if mask.shape == size:
        return _frozen(np.array(mask))
    share = geometry.squash(mask.astype(np.uint8) * 255, size, _AVERAGE)
    return _frozen(share >= 128 if (share >= 128).any() else share == share.max())


def _is_finite(array: NDArray[Any]) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def _require(condition: bool, what: str) -> None:
    if not condition:
        raise ValueError(f"expected {what}")


def describe(saved: SavedPrompt) -> dict[str, Any]:
    """What a file holds, as plain data, without pixels."""
    return {
        "name": saved.name,
        "images": [_describe_image(*each) for each in zip(saved.images, saved.models[-1].views, strict=True)],
        "engines": [_describe_model(each) for each in saved.models],
        "settings": {name: value for name, value in asdict(saved.parameters).items() if value is not None},
        "negative": describe(saved.negative) if saved.negative else None,
    }


def _describe_image(one: SavedImage, seen: SavedView) -> dict[str, Any]:
    view = _view(one, seen)
    return {
        "size": list(one.size),
        "saved_size": list(one.image.shape[:2]),
        "mask": "given" if view.given else "saliency",
        "area": round(float((view.saliency > 0.5).mean()), 4),
    }


def _describe_model(model: SavedModel) -> dict[str, Any]:
    made_by = model.made_by
    size = sum(each.nbytes for each in model.arrays)
    return {"engine": made_by.engine, "ipseg": made_by.version, "key": made_by.key, "bytes": size,
            "settings": json.loads(made_by.settings) if made_by.settings else {}}  # fmt: skip
