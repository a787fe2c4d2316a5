"""The only way a mask enters: prompt masks, ground truth, painted masks, and exported masks that are read again.

A mask file does not define its values, so these rules apply, in this order:

1. Transparency that varies is the mask (a cut-out, also of a dark object): opaque is the object.
2. A palette image is read by its indices, not by its colours; 255 is a border that is ignored. A palette of greys from
   black to white is a painted mask, read as rule 3 reads greys.
3. Grey images and arrays of whole numbers: of two values the higher is the object (0/1, 0/38, 0/255, 0/65535); areas
   of several values are labels, of which ``mask_value`` chooses one; the greys of an anti-aliased, feathered or lossy
   mask are the object from half of the range on (128 of 255).
4. Colour images: the one colour on black, else every pixel with a channel above 127 (DAVIS, SegGPT); several plain
   colours are labels, of which ``mask_value = 0xRRGGBB`` chooses one.
5. Arrays of floats are probabilities in [0, 1]: the object from 0.5 on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from ipseg.core import images
from ipseg.core.images import Source
from ipseg.core.types import Brief, ImageArray, ImageError, Mask, MaskError, SettingError

BORDER = 255  # the value of a label image that belongs to no label (PASCAL VOC)
BORDER_COLOUR = 0xE0E0C0  # what VOC's palette makes of it
CLASSES = 64  # values up to this are numbers of classes rather than greys
MANY = 64  # distinct values: more are greys, not labels
WIDE = 8  # times the area of the labels: more is no border
THIN = 4  # rounds of 3x3 erosion that leave nothing of a border line
NOISE = 16  # how far lossy compression moves values
LISTED = 8  # values that an error message names


@dataclass(frozen=True, repr=False)
class GivenMask(Brief):
    """A mask that came from outside, in the upright pixels of its image.

    ``mask`` (H, W) bool, read-only: the object. ``ignored`` (H, W) bool, read-only, or None: the border of a label
    image, neither object nor background; :func:`iou` leaves it out. ``notices``: what was
    assumed, one message each.
    """

    mask: Mask
    ignored: Mask | None = None
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for array in (self.mask, self.ignored):
            if array is not None:
                array.setflags(write=False)

    @property
    def empty(self) -> bool:
        """Whether no pixel is the object."""
        return not self.mask.any()


def open_mask(
    source: Source | GivenMask,
    size: tuple[int, int] | None = None,
    *,
    mask_value: int | None = None,
    orientation: int = 1,
    name: str | None = None,
) -> Mask:
    """Open the mask of an object as :func:`read_mask` does: (H, W) bool, read-only, with at least one pixel set."""
    return read_mask(source, size, mask_value=mask_value, orientation=orientation, name=name).mask


def iou(one: Mask, other: Mask, ignored: Mask | None = None) -> float:
    """Intersection over union of two (H, W) bool masks at the image's own size, in [0, 1]; 1 for two empty masks.

    Pixels of ``ignored``, (H, W) bool, are left out of both (the border of PASCAL VOC's truths). Raises ValueError when
    the shapes differ.
    """
    if one.shape != other.shape or (ignored is not None and ignored.shape != other.shape):
        raise ValueError(f"expected masks of one size, got {one.shape} and {other.shape}")
    if ignored is not None:
        one, other = one & ~ignored, other & ~ignored
    union = np.count_nonzero(one | other)
    return float(np.count_nonzero(one & other) / union) if union else 1.0


def read_mask(
    source: Source | GivenMask,
    size: tuple[int, int] | None = None,
    *,
    mask_value: int | None = None,
    orientation: int = 1,
    empty: bool = False,
    name: str | None = None,
) -> GivenMask:
    """Open a mask from a path, bytes, a binary file, a PIL image, an array or a tensor, by the rules of this module.

    ``size`` is the (height, width) of the upright image it belongs to, ``orientation`` the EXIF orientation of that
    image's file (:func:`ipseg.core.images.orientation`): a mask drawn on the pixels as they are stored is turned with
    the image where the sizes decide it; where they do not, it is taken as upright, with a notice. ``mask_value``
    chooses one of several values: of a grey or palette image the value, of a colour image 0xRRGGBB. ``empty``: whether
    a mask without any object is allowed, as a ground truth without the object.

    Arrays and tensors are (H, W), (H, W, 1), (1, H, W), or with 3 or 4 channels first or last: bool, whole numbers, or
    floats in [0, 1].

    Raises :class:`MaskError` when the mask is empty, of another size, or has several objects and no ``mask_value``;
    :class:`ImageError` when it cannot be opened.
    """
    if isinstance(source, GivenMask):
        return _checked(source, size, empty, name or "The mask")
    if mask_value is not None and not _is_value(mask_value):
        raise SettingError(f"mask_value is {mask_value}; give a whole number from 0 on, or 0xRRGGBB of a colour.")
    label = name or images.label_of(source, "The mask")
    pixels = _decode(source, label)
    chosen, ignored = _object(pixels, mask_value, label, empty)
    turn, assumed = _orientation(chosen, pixels.orientation, orientation, size)
    assumed = assumed and not pixels.stated
    given = GivenMask(_turned(chosen, turn), None if ignored is None else _turned(ignored, turn))
    if assumed:
        given = replace(
            given,
            notices=(
                f"{label} fits its image both upright and as the file stores it; it was taken as drawn on the upright "
                "image, so save it rotated if it was not.",
            ),
        )
    return _checked(given, size, empty, label)


def read_values(
    source: Source, size: tuple[int, int] | None = None, *, orientation: int = 1, name: str | None = None
) -> NDArray[Any]:
    """The values of a label image or a grey image, upright and as they are stored: (H, W) whole numbers.

    For ground truths whose values have a meaning that is known, where the rules of this module decide nothing. Of a
    palette image the indices, of a colour image its luma (ITU-R BT.601, as Pillow converts to grey). ``size`` and
    ``orientation`` are those of the image, as in :func:`read_mask`. Raises :class:`MaskError` for floats and for
    another size, :class:`ImageError` when it cannot be opened.
    """
    label = name or images.label_of(source, "The mask")
    pixels = _decode(source, label)
    values = pixels.values
    if values.dtype.kind == "f":
        raise MaskError(f"{label} has floats, which are no labels; give whole numbers.")
    if values.ndim == 3:
        values = np.asarray(Image.fromarray(values.astype(np.uint8)).convert("L"))
    fitting = [turn for turn in (pixels.orientation, 1, orientation) if size is None or _fits(values, turn, size)]
    if not fitting:
        raise MaskError(_other_size(label, values.shape, size or (0, 0)))
    return np.ascontiguousarray(images.UPRIGHT[fitting[0]](values))


def with_masks(
    sources: Any, masks: Any = None, *, mask_value: int | None = None, report: Callable[[], None] = lambda: None
) -> list[tuple[ImageArray, GivenMask | None]]:
    """Open one image or a list of them, each with its mask or None.

    ``masks`` is one mask for one image, or a list as long as ``sources`` with None where there is no mask;
    ``mask_value`` as in :func:`read_mask`. ``report`` is called before each image and each mask is opened, and may
    raise, as when the time is up. Raises :class:`ImageError` for no image and for counts that differ, and what
    :func:`ipseg.core.images.open_image` and :func:`read_mask` raise.
    """
    given: list[Any] = list(sources) if isinstance(sources, list | tuple) else [sources]
    own: list[Any] = list(masks) if isinstance(masks, list | tuple) else [masks]
    own = own if isinstance(masks, list | tuple) or masks is not None else own * len(given)
    if not given or len(own) != len(given):
        raise ImageError(
            f"Got {len(given)} prompt images and {len(own)} masks; give a list of as many masks as images, with None "
            "where an image has no mask."
        )
    return [_with_mask(source, mask, mask_value, report) for source, mask in zip(given, own, strict=True)]


def _with_mask(
    source: Any, mask: Any, mask_value: int | None, report: Callable[[], None]
) -> tuple[ImageArray, GivenMask | None]:
    report()
    if mask is None:
        return images.open_image(source), None
    orientation = images.orientation(source)  # before a file is read to its end
    image = images.open_image(source)
    report()
    return image, read_mask(mask, image.shape[:2], orientation=orientation, mask_value=mask_value)


def _checked(given: GivenMask, size: tuple[int, int] | None, empty: bool, label: str) -> GivenMask:
    if size is not None and given.mask.shape != tuple(size):
        raise MaskError(_other_size(label, given.mask.shape, size))
    if given.empty and not empty and given.ignored is not None:
        raise MaskError(
            f"{label} has nothing but the border value {BORDER} of a label image; choose --mask-value {BORDER} "
            f"(mask_value={BORDER} in Python and the API) if that is the object."
        )
    if given.empty and not empty:
        raise MaskError(f"{label} is empty; paint the object white (above 127) on black.")
    return given


def _other_size(label: str, shape: tuple[int, ...], size: tuple[int, int]) -> str:
    return (
        f"{label} is {shape[1]}x{shape[0]} pixels but its image is {size[1]}x{size[0]}; "
        "give a mask of the same size as the image."
    )


@dataclass(frozen=True)
class _Pixels:
    """A mask as its file or array holds it, not yet upright."""

    values: NDArray[Any]  # (H, W) bool, whole numbers or floats; or (H, W, 3) uint8
    alpha: NDArray[Any] | None = None  # (H, W)
    labels: bool = False  # whether the values are indices of a palette
    lossy: bool = False  # whether the file's compression changes values
    orientation: int = 1  # of EXIF, of the values
    stated: bool = False  # whether the file states an orientation


def _decode(source: Any, label: str) -> _Pixels:
    source = images.as_array(source)
    if isinstance(source, np.ndarray):
        return _from_array(source, label)
    stated = images.orientation(source) != 1
    image, orientation = images.decode(source, label)
    if isinstance(image, np.ndarray):
        pixels = replace(_from_decoded(image, label), orientation=orientation)
    else:
        pixels = _from_image(image, orientation, label)
    return replace(pixels, stated=stated)


def _from_decoded(values: NDArray[Any], label: str) -> _Pixels:
    """Of an array as some files are decoded: (H, W), or (H, W, 2|3|4) whose last of 2 or 4 channels is alpha."""
    alpha = None
    if values.ndim == 3 and values.shape[2] in (2, 4):
        values, alpha = values[..., :-1], _narrow(values[..., -1])
        values = values[..., 0] if values.shape[2] == 1 else values
    values = _of_range(_whole(values), label)
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim == 3 and values.dtype.kind == "f":
        values = values * 255
    return _Pixels(_narrow(values) if values.ndim == 3 else values, alpha)


def _narrow(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Whole numbers of more than 8 bits by their upper 8 bits, where they do not fit into the lower."""
    most = float(values.max(initial=0))
    return (values if most <= 255 else values / (65535 if most <= 65535 else most) * 255).astype(np.uint8)


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    """Labels that a program saved as floats as whole numbers; other values as they are."""
    if values.dtype.kind == "f" and np.isfinite(values).all() and (values == np.rint(values)).all():
        return values.astype(np.int64)
    return values


def _from_image(image: Image.Image, orientation: int, label: str) -> _Pixels:
    lossy, alpha = image.format in ("JPEG", "MPO"), None
    deep = image.mode.startswith(("I", "F"))
    if image.mode in ("P", "PA"):
        if image.mode == "PA" or "transparency" in image.info:
            alpha = np.asarray(image.convert("RGBA"))[..., 3]
        values, labels = _indices(image)
        return _Pixels(values, alpha, labels, lossy, orientation)
    if image.mode in ("LA", "La", "RGBA", "RGBa") or ("transparency" in image.info and not deep):
        image = image.convert("LA" if image.mode in ("1", "L", "LA", "La") else "RGBA")
        alpha = np.asarray(image)[..., -1]
    elif image.mode not in ("1", "L", "RGB") and not deep:
        image = image.convert("RGB")
    values = np.asarray(image)
    if values.ndim == 3:
        values = values[..., 0] if image.mode == "LA" else values[..., :3]
    return _Pixels(_of_range(_whole(values), label), alpha, False, lossy, orientation)


def _indices(image: Image.Image) -> tuple[NDArray[np.uint8], bool]:
    """The values of a palette image, (H, W): its indices and True, or its greys and False where it is painted."""
    pixels = np.asarray(image)
    indices = pixels if pixels.ndim == 2 else pixels[..., 0]
    table = np.zeros((256, 3), np.uint8)
    colours = np.array(image.getpalette("RGB") or (), np.uint8).reshape(-1, 3)
    table[: len(colours)] = colours
    used = table[np.flatnonzero(np.bincount(indices.ravel(), minlength=256))]
    greys = (used == used[:, :1]).all()
    if greys and used.min(initial=255) == 0 and used.max(initial=0) == 255:
        return table[:, 0][indices], False
    return indices, True


def _from_array(array: NDArray[Any], label: str) -> _Pixels:
    kind, shape = array.dtype.kind, array.shape
    channels = (1,) if kind == "b" else (1, 3, 4)
    first, last = (array.ndim == 3 and shape[place] in channels for place in (0, 2))
    if array.ndim == 3 and first != last:
        array = np.moveaxis(array, 0, -1) if first else array
        array = array[..., 0] if array.shape[2] == 1 else array
    elif array.ndim != 2:
        raise MaskError(
            f"{label} is an array of {array.dtype} with the shape {shape}; give one mask of shape (H, W), or an image "
            "of shape (H, W, 3) or (H, W, 4)."
        )
    if array.size == 0 or kind not in "buif":
        raise MaskError(
            f"{label} is an array of {array.dtype} with the shape {shape}; "
            "give bool, whole numbers or floats from 0 to 1 of shape (H, W)."
        )
    images.within_bounds(array.shape[1::-1], label)
    array = _of_range(array, label)
    if array.ndim == 2:
        return _Pixels(array.copy())
    if kind == "f":
        array = np.rint(array * 255)
    if array.max() > 255:
        raise MaskError(f"{label} has colours up to {array.max()}; give channels from 0 to 255.")
    array = array.astype(np.uint8)
    return _Pixels(array[..., :3], array[..., 3] if array.shape[2] == 4 else None)


def _of_range(values: NDArray[Any], label: str) -> NDArray[Any]:
    """``values``, if they are floats in [0, 1] or whole numbers from 0 on. Raises :class:`MaskError`."""
    if values.dtype.kind == "f":
        low, high = float(values.min()), float(values.max())
        if not (low >= 0 and high <= 1):  # also where one is NaN
            raise MaskError(
                f"{label} has floats from {low:g} to {high:g}; give floats from 0 to 1, bool, or whole numbers."
            )
    elif values.dtype.kind == "i" and values.min() < 0:
        raise MaskError(f"{label} has the value {values.min()}; give values from 0 on.")
    return values


def _object(pixels: _Pixels, mask_value: int | None, label: str, empty: bool) -> tuple[Mask, Mask | None]:
    """The object and, of a label image, the border to ignore: (H, W) bool each, as the file stores them."""
    values, alpha = pixels.values, pixels.alpha
    if mask_value is None and alpha is not None:
        cut = _opaque(alpha)
        if cut is not None:
            return cut, None
    if values.ndim == 3 and (values == values[..., :1]).all():
        values = values[..., 0]
    if values.ndim == 3:
        return _of_colours(values, alpha, mask_value, label, empty, pixels.lossy)
    if values.dtype.kind == "f":
        return _of_floats(values, mask_value, label), None
    values = values.astype(np.uint8) if values.dtype == bool else values
    if mask_value is not None:
        return _chosen(values, mask_value, label, empty), _border(values, pixels.labels, mask_value)
    return _of_numbers(values, label, labels=pixels.labels, lossy=pixels.lossy)


def _opaque(alpha: NDArray[Any]) -> Mask | None:
    """What is opaque, (H, W) bool; None where transparency defines no mask."""
    low, high = int(alpha.min()), int(alpha.max())
    if low >= 128 or low == high != 0:
        return None
    if high < 128 or len(_distinct(alpha)) == 2:
        return alpha > (low + high) / 2
    return alpha >= 128


def _of_floats(values: NDArray[Any], mask_value: int | None, label: str) -> Mask:
    if mask_value is not None:
        raise MaskError(f"{label} has floats, which are no labels; give whole numbers, or no mask_value.")
    low, high = float(values.min()), float(values.max())
    if low < high and ((values == low) | (values == high)).all():
        return values == high
    return values >= 0.5


def _of_numbers(values: NDArray[Any], label: str, *, labels: bool, lossy: bool) -> tuple[Mask, Mask | None]:
    """Rules 2 and 3: (H, W) whole numbers."""
    known = _distinct(values)
    border = _border(values, labels)
    if border is not None:
        known = known[known != BORDER]
    if border is None and not labels and len(known) > 2:
        level = _level(values, known, lossy)
        if level is not None:
            return values > level, None
    if len(known) > 2:
        several = known[known > 0]
        raise MaskError(
            f"{label} has several objects, with the values {_listed(several)}; "
            "choose one with --mask-value N (mask_value=N in Python and the API)."
        )
    top = known[-1] if len(known) else 0
    return (values == top) & bool(top > 0), border


def _level(values: NDArray[Any], known: NDArray[Any], lossy: bool) -> float | None:
    """The grey above which a painted mask of more than two ``known`` values is the object; None for labels.

    Labels fill areas; the greys between two areas of a painted mask are its anti-aliased edge.
    """
    half = 127.5 if known[-1] <= 255 else 32767.5
    plain = _distinct(values[_plain(values)])
    edges = known[~np.isin(known, plain)]
    dark, light = known < NOISE, (known > 255 - NOISE) & (known < 255)
    noisy = known[-1] <= 255 and dark.any() and light.any()  # feathered, or copied from a lossy file
    noisy = noisy and bool((dark | (known > 255 - NOISE)).all() or (len(known) > LISTED and len(edges) > 0))
    between = len(plain) == 2 and bool(((edges > plain[0]) & (edges < plain[1])).all())
    if between and plain[1] - plain[0] >= 32:
        return float(plain[0] + plain[1]) / 2
    if lossy or noisy or len(known) > MANY:
        return half if known[-1] > half else float(known[0] + known[-1]) / 2
    return half if len(plain) < 2 and known[-1] == 255 else None


def _border(values: NDArray[Any], labels: bool, mask_value: int | None = None) -> Mask | None:
    """Where a label image has the value 255, (H, W) bool; None where that is the object, or absent.

    Without a palette, 255 is a border where it is a line around a label, or where all labels are numbers of classes.
    """
    if mask_value == BORDER:
        return None
    border = values == BORDER
    if not border.any():
        return None
    if not labels:
        known = _distinct(values)
        if len(known) < 3 or known[-1] != BORDER or _level(values, known, False) is not None:
            return None
        if ndimage.binary_erosion(border, np.ones((3, 3), bool), THIN).any():
            area = np.count_nonzero((values > 0) & ~border)
            if known[-2] > CLASSES or np.count_nonzero(border) > WIDE * area:
                return None
    return border


def _of_colours(
    rgb: NDArray[np.uint8], alpha: NDArray[Any] | None, mask_value: int | None, label: str, empty: bool, lossy: bool
) -> tuple[Mask, Mask | None]:
    """Rule 4: (H, W, 3)."""
    bright = rgb.max(axis=-1) > 127
    if mask_value is None and (lossy or len(_distinct(_packed(rgb[::8, ::8]))) > MANY):
        return bright, None
    packed = _packed(rgb)
    if mask_value is not None:
        chosen = _chosen(packed, mask_value, label, empty, colours=True)
        return chosen if alpha is None else chosen & (alpha >= 128), None
    known = _distinct(packed)
    if len(known) > MANY:
        return bright, None
    border = (packed == BORDER_COLOUR) if BORDER_COLOUR in known and len(known) > 2 else None
    objects = known[(known > 0) & ((known != BORDER_COLOUR) | (border is None))]
    if len(objects) == 1:
        return packed == objects[0], border
    if len(known) > LISTED and np.ptp(rgb, axis=-1).max() <= NOISE:
        return _of_numbers(rgb.max(axis=-1), label, labels=False, lossy=False)
    plain, counts = np.unique(packed[_plain(packed)], return_counts=True)
    several = plain[np.isin(plain, objects)]
    if len(known) > LISTED and len(plain):
        several = _without_noise(plain, counts)
    if len(several) == 1:
        colour = rgb[packed == several[0]][0]
        return rgb.max(axis=-1) > min(127, colour.max() / 2) if border is None else bright & ~border, border
    if len(several) > 1:
        if len(known) == 2 and len(_distinct(packed[bright])) == 1:
            return bright, None
        raise MaskError(
            f"{label} has several colours, {_listed(several, '#{:06x}')}; "
            "choose one with --mask-value 0xRRGGBB (mask_value=0xRRGGBB in Python and the API)."
        )
    return bright if border is None else bright & ~border, border


def _packed(rgb: NDArray[np.uint8]) -> NDArray[Any]:
    """(H, W, 3) as 0xRRGGBB: (H, W)."""
    red, green, blue = (rgb[..., channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def _without_noise(colours: NDArray[Any], counts: NDArray[Any]) -> NDArray[Any]:
    """The packed colours without those near black or near a more frequent one, the most frequent first."""
    found: list[int] = [0]
    for colour in colours[np.argsort(-counts, kind="stable")]:
        if all(_apart(int(colour), other) > NOISE for other in found):
            found.append(int(colour))
    return np.array(found[1:], np.int64)


def _apart(one: int, other: int) -> int:
    """The largest difference of two packed colours in a channel."""
    return max(abs((one >> shift & 255) - (other >> shift & 255)) for shift in (16, 8, 0))


def _chosen(values: NDArray[Any], mask_value: int, label: str, empty: bool, *, colours: bool = False) -> Mask:
    chosen = values == mask_value
    if not empty and not chosen.any():
        form = "#{:06x}" if colours else "{}"
        raise MaskError(
            f"{label} has no pixel of the value {form.format(mask_value)}; choose one of "
            f"{_listed(_distinct(values), form)}."
        )
    return chosen


def _plain(values: NDArray[Any]) -> Mask:
    """The pixels of an area: those whose neighbours, up to eight, have their value. (H, W) bool."""
    same = np.ones(values.shape, bool)
    across = values[:, 1:] == values[:, :-1]
    same[:, 1:] &= across
    same[:, :-1] &= across
    down = (values[1:] == values[:-1]) & same[1:] & same[:-1]
    area = same.copy()
    area[1:] &= down
    area[:-1] &= down
    return area


def _distinct(values: NDArray[Any]) -> NDArray[np.int64]:
    """The values that occur, sorted."""
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        return np.flatnonzero(np.bincount(values.ravel()))
    return np.unique(values)


def _listed(values: Iterable[Any], form: str = "{}") -> str:
    """ "1, 2 and 5"; of many the first, and how many more."""
    texts = [form.format(int(value)) for value in values]
    if len(texts) > LISTED:
        texts = [*texts[: LISTED - 1], f"{len(texts) - LISTED + 1} more"]
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]])) if texts else "none"


def _orientation(mask: Mask, own: int, image: int, size: tuple[int, int] | None) -> tuple[int, bool]:
    """The EXIF orientation that makes ``mask`` upright, and whether the sizes left it open.

    ``own`` is that of the mask's file, ``image`` that of the image's.
    """
    fitting = [turn for turn in dict.fromkeys((own, 1, image)) if size is None or _fits(mask, turn, size)]
    if not fitting:
        return own, False
    undecided = size is not None and own == 1 and image != 1 and {1, image} <= set(fitting)
    return fitting[0], undecided and not np.array_equal(mask, _turned(mask, image))


def _fits(mask: NDArray[Any], orientation: int, size: tuple[int, int]) -> bool:
    shape = mask.shape if orientation < 5 else mask.shape[::-1]
    return shape == tuple(size)


def _turned(mask: Mask, orientation: int) -> Mask:
    """Stored pixels as they are upright: (H, W) bool."""
    return np.ascontiguousarray(images.UPRIGHT[orientation](mask))


def _is_value(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 0)
