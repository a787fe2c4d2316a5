"""The only way an image enters: open, orient, check, convert."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ipseg.core.types import ImageError, Mask, MaskError, Picture

MAX_BYTES = 64 * 2**20  # of one file
MAX_PIXELS = 50_000_000  # of one image: 150 MB once opened
MAX_SIDE = 16_384  # pixels
MIN_SIDE = 16  # pixels: below, no grid of cells says anything

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # what Pillow may try; its other readers stay closed

Source = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | np.ndarray


def open_image(source: Source, *, name: str | None = None) -> Picture:
    """Open an image from a path, bytes, a binary file, a PIL image or an array.

    EXIF rotation is applied, CMYK, palette, grey and 16-bit images become 8-bit RGB, transparent pixels are laid on
    white, and of an animation the first frame is taken. Arrays are (H, W), (H, W, 3) or (H, W, 4) of uint8.

    Returns (H, W, 3) uint8 RGB, read-only. Raises :class:`ImageError` with one message that says what to do.
    """
    label = name or _label(source)
    image = _flatten(_upright(_decode(source, label), label))
    if min(image.size) < MIN_SIDE:
        width, height = image.size
        raise ImageError(f"{label} is {width}x{height} pixels; give one of at least {MIN_SIDE}x{MIN_SIDE}.")
    picture = np.array(image, dtype=np.uint8)
    picture.setflags(write=False)
    return picture


def open_mask(source: Source, size: tuple[int, int] | None = None, *, name: str | None = None) -> Mask:
    """Open a prompt mask: any channel above half its range means "the object". bool arrays are taken as they are.

    ``size`` is the (height, width) of the image it belongs to. Returns (H, W) bool in that image's pixels,
    read-only. Raises :class:`MaskError` when the mask is empty or of another size, :class:`ImageError` when it
    cannot be opened.
    """
    label = name or _label(source)
    if isinstance(source, np.ndarray) and source.dtype == bool:
        if source.ndim != 2:
            raise MaskError(f"{label} has the shape {source.shape}; give a mask of shape (height, width).")
        mask = source.copy()
    else:
        mask = np.asarray(_flatten(_upright(_decode(source, label), label), ground="black")).max(axis=-1) > 127
    if size is not None and mask.shape != tuple(size):
        raise MaskError(
            f"{label} is {mask.shape[1]}x{mask.shape[0]} pixels but its image is {size[1]}x{size[0]}; "
            "give a mask of the same size as the image."
        )
    if not mask.any():
        raise MaskError(f"{label} is empty; paint the object white (above 127) on black.")
    mask.setflags(write=False)
    return mask


def encode_png(pixels: np.ndarray) -> bytes:
    """(H, W) or (H, W, 3|4) uint8 as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def fingerprint(*arrays: np.ndarray | None) -> str:
    """A name for the content of ``arrays`` (shape, dtype, bytes): equal images, equal names."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(b"-" if array is None else repr((array.shape, array.dtype.str)).encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _label(source: Source) -> str:
    return Path(source).name if isinstance(source, str | os.PathLike) else "The image"


def _decode(source: Source, label: str) -> Image.Image:
    if isinstance(source, np.ndarray):
        return _within_bounds(_from_array(source, label), label)
    try:
        if isinstance(source, Image.Image):
            image = source
        else:
            image = Image.open(io.BytesIO(_read(source, label)), formats=FORMATS)
        _within_bounds(image, label).load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(_too_large(label)) from None
    except UnidentifiedImageError:
        raise ImageError(f"{label} is not an image that can be read; give a JPEG, PNG or WebP file.") from None
    except ImageError:
        raise
    except Exception as error:  # the decoders raise whatever they like on a damaged file: OSError, SyntaxError, ...
        raise ImageError(f"{label} is damaged or cut short; save or download it again.") from error
    return image


def _read(source: Any, label: str) -> bytes:
    try:
        if isinstance(source, str | os.PathLike):
            with open(source, "rb") as file:
                data = file.read(MAX_BYTES + 1)
        else:
            data = source if isinstance(source, bytes) else source.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ImageError(f"{label} does not exist; check the path.") from None
    except IsADirectoryError:
        raise ImageError(f"{label} is a folder; give an image file.") from None
    except OSError as error:
        raise ImageError(f"{label} cannot be read ({error.strerror}); check the file.") from None
    if not data:
        raise ImageError(f"{label} is an empty file; save or download it again.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{label} is larger than {MAX_BYTES // 2**20} MB; save it smaller.")
    return data


def _from_array(array: np.ndarray, label: str) -> Image.Image:
    good = array.dtype == np.uint8 and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)))
    if not good or array.size == 0:
        raise ImageError(
            f"{label} is an array of {array.dtype} with the shape {array.shape}; "
            "give uint8 of shape (H, W), (H, W, 3) or (H, W, 4)."
        )
    return Image.fromarray(array)


def _within_bounds(image: Image.Image, label: str) -> Image.Image:
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise ImageError(_too_large(label, f" ({width}x{height} pixels)"))
    return image


def _too_large(label: str, size: str = "") -> str:
    return (
        f"{label} is too large{size}; make it at most {MAX_SIDE} pixels on a side "
        f"and {MAX_PIXELS // 1_000_000} megapixels."
    )


def _upright(image: Image.Image, label: str) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception as error:  # EXIF blocks are as damaged as their writers
        raise ImageError(f"{label} has a damaged EXIF block; save it again.") from error


def _flatten(image: Image.Image, ground: str = "white") -> Image.Image:
    """8-bit RGB, whatever came in; transparent pixels are laid on ``ground``."""
    if image.mode.startswith(("I", "F")):
        image = _to_8_bit(image)
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        base = Image.new("RGBA", image.size, ground)
        return Image.alpha_composite(base, image).convert("RGB")
    return image.convert("RGB")


def _to_8_bit(image: Image.Image) -> Image.Image:
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    if image.mode.startswith("F"):
        top = 1.0 if values.max(initial=0) <= 1 else 255.0
    else:
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
    return Image.fromarray(np.rint(np.clip(values / top, 0, 1) * 255).astype(np.uint8))
