"""The only way an image enters: open, orient, check, convert."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ipseg.core.files import open_regular
from ipseg.core.types import ImageArray, ImageError

MAX_BYTES = 64 * 2**20  # of one file
MAX_PIXELS = 50_000_000  # of one image: 150 MB once opened
MAX_DECODING = 400_000_000  # bytes while an image is opened
WEBP_ALPHA_BYTES = 8.6  # a pixel, at the peak of decoding a WebP with alpha, as measured at 50 megapixels
MAX_ANIMATED_PIXELS = 20_000_000  # of one frame of a WebP animation, whose decoder holds four copies of the frame
MAX_SIDE = 16_384  # pixels
MIN_SIDE = 16  # pixels: below, a grid of cells has no meaning
MAX_ASPECT = 400  # longer side to shorter side
BAND = 2**20  # pixels that are converted at a time
NOTE = "ipseg"  # the keyword of the text in a PNG file

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")  # what Pillow may try; its other readers stay closed

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray


def open_image(source: Source, *, name: str | None = None) -> ImageArray:
    """Open an image from a path, bytes, a binary file, a PIL image, an array or a torch tensor.

    Bounds are checked before anything is decoded: bytes, pixels, sides and their ratio. EXIF rotation is applied, CMYK,
    palette, grey and 16-bit images become 8-bit RGB, transparent pixels are laid on white, and of an animation the
    first frame is taken. Arrays are (H, W), (H, W, 3) or (H, W, 4) of uint8. Tensors are of uint8 or of floats in
    [0, 1], and their channels may be first.

    Returns (H, W, 3) uint8 RGB, read-only; an array that was returned before is returned as it is. Raises
    :class:`ImageError` with one message that states the remedy.
    """
    label = name or label_of(source)
    source = _channels_last(source, label)
    if _is_opened(source, label):
        pixels = source
    else:
        pixels = _pixels(source, label)
        pixels.setflags(write=False)
    height, width = pixels.shape[:2]
    if min(height, width) < MIN_SIDE:
        raise ImageError(f"{label} is {width}x{height} pixels; give one of at least {MIN_SIDE}x{MIN_SIDE}.")
    return pixels


def size_of(source: Source, *, name: str | None = None) -> tuple[int, int]:
    """The (height, width) of an image in pixels, by its header, as stored: nothing is decoded.

    Raises :class:`ImageError` as :func:`open_image` does for what is no image or is out of bounds.
    """
    label = name or label_of(source)
    if isinstance(source, np.ndarray):
        return _from_array(source, label).shape[:2]
    with _errors(label):
        width, height = _header(source, label).size
    return height, width


def encode_png(pixels: np.ndarray, note: str = "") -> bytes:
    """(H, W) or (H, W, 3|4) uint8 as the bytes of a PNG file.

    ``note``: Latin-1 text in the file beside the pixels, which :func:`png_note` reads.
    """
    buffer, text = io.BytesIO(), PngInfo()
    if note:
        text.add_text(NOTE, note)
    Image.fromarray(pixels).save(buffer, format="PNG", pnginfo=text)
    return buffer.getvalue()


def png_note(path: str | os.PathLike[str]) -> str:
    """The note that :func:`encode_png` wrote into a PNG file, without decoding its pixels; "" where there is none."""
    try:
        with open_regular(path) as file, Image.open(file, formats=["PNG"]) as image:
            return str(image.info.get(NOTE, ""))
    except (OSError, ValueError, SyntaxError):
        return ""


def fingerprint(*arrays: np.ndarray | None) -> str:
    """A name for the content of ``arrays`` (shape, dtype, bytes): equal images, equal names."""
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        digest.update(b"-" if array is None else repr((array.shape, array.dtype.str)).encode())
        digest.update(b"" if array is None else np.ascontiguousarray(array).data)
    return digest.hexdigest()


def orientation(source: Any) -> int:
    """The EXIF orientation (1 to 8) that an image's file states; 1 where it states none or cannot be read.

    The pixels are not decoded, and a binary file is left where it stood.
    """
    try:
        if not hasattr(source, "seek") or isinstance(source, Image.Image):
            return 1 if isinstance(source, np.ndarray) else _orientation(_header(source, ""), "")
        place = source.tell()
        found = _orientation(_header(source, ""), "")
        source.seek(place)
        return found
    except Exception:  # open_image reports what is wrong with the file
        return 1


def decode(source: Source, label: str) -> tuple[Image.Image | NDArray[np.uint8], int]:
    """The pixels of a file as they are stored, and the EXIF orientation that makes them upright.

    An image in the mode of the file, loaded, or an array (H, W, 3|4) uint8. Raises :class:`ImageError` for what is no
    image, is damaged or out of bounds.
    """
    with _errors(label):
        return _decode(source, label)


def as_array(source: Any) -> Any:
    """A torch tensor as a numpy array of its shape, half precision as float32; anything else as it is."""
    if type(source).__module__.partition(".")[0] != "torch" or not hasattr(source, "detach"):
        return source
    tensor = source.detach().cpu()
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def label_of(source: Any, what: str = "The image") -> str:
    """What an error message calls ``source``: the name of a file, else ``what``."""
    if isinstance(source, str | os.PathLike):
        return Path(source).name
    return f"{what} given as {type(source).__name__}" if isinstance(source, bytes | bytearray | memoryview) else what


def _channels_last(source: Any, label: str) -> Any:
    """A tensor as an array (H, W) or (H, W, C), where its shape leaves no doubt; anything else as it is.

    Floats in [0, 1] become uint8.
    """
    array = as_array(source)
    if array is source or array.ndim != 3:
        return array
    first, last = (array.shape[place] in (1, 3, 4) for place in (0, 2))
    if first and last:
        raise ImageError(
            f"{label} is a tensor of the shape {array.shape}, whose channels may be first or last; give an array "
            "of shape (H, W, 3)."
        )
    array = np.moveaxis(array, 0, -1) if first else array
    if array.dtype.kind == "f":
        if not (array.size and array.min() >= 0 and array.max() <= 1):  # also where one is NaN
            raise ImageError(f"{label} is a tensor of floats beyond 0 to 1; give floats from 0 to 1, or uint8.")
        array = np.rint(array * 255).astype(np.uint8)
    return np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array)


def _check_type(source: Any, label: str) -> None:
    if isinstance(source, str | os.PathLike | bytes | bytearray | memoryview | Image.Image) or hasattr(source, "read"):
        return
    given = "None, as cv2.imread returns it for a file it cannot read" if source is None else type(source).__name__
    raise ImageError(
        f"{label} is {given}; give a path, the bytes of an image file, an open binary file, a PIL image, "
        "a numpy array or a torch tensor."
    )


def _is_opened(source: Any, label: str) -> TypeGuard[ImageArray]:
    """Whether it is what :func:`open_image` returns: an array that owns its memory and is read-only."""
    return (
        isinstance(source, np.ndarray)
        and source.dtype == np.uint8
        and source.ndim == 3
        and source.shape[2] == 3
        and source.flags.owndata
        and source.flags.c_contiguous
        and not source.flags.writeable
        and within_bounds(source.shape[1::-1], label)
    )


def _pixels(source: Source, label: str) -> NDArray[np.uint8]:
    """A new (H, W, 3) uint8 array, upright; transparent pixels are laid on white."""
    if isinstance(source, np.ndarray):
        return _to_rgb(_from_array(source, label))
    with _errors(label):
        decoded, orientation = _decode(source, label)
        pixels = _to_rgb(decoded)
        del decoded  # before the copy that a rotation takes
        return _upright(pixels, orientation)


@contextmanager
def _errors(label: str) -> Iterator[None]:
    """Whatever a decoder raises as one message; a lack of memory is no fault of the file."""
    try:
        yield
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(_too_large(label)) from None
    except UnidentifiedImageError:
        raise ImageError(f"{label} is not an image that can be read; give a JPEG, PNG or WebP file.") from None
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # the decoders raise whatever they like on a damaged file: OSError, SyntaxError, ...
        raise ImageError(f"{label} is damaged or cut short; save or download it again.") from error


def _header(source: Any, label: str) -> Image.Image:
    """The image with nothing but its header read, within bounds."""
    _check_type(source, label)
    opened = isinstance(source, Image.Image)
    image = source if opened else Image.open(io.BytesIO(_read(source, label)), formats=FORMATS)
    within_bounds(image.size, label)
    return image


def _decode(source: Any, label: str) -> tuple[Image.Image | NDArray[np.uint8], int]:
    """The decoded image as stored, (H, W, 3|4) uint8 where it is an array, and its EXIF orientation, 1 to 8."""
    image = _header(source, label)
    if image.format == "WEBP" and image is not source:
        return _decode_webp(image, label)
    orientation = _orientation(image, label)
    if image is not source:
        _check_progressive(image, label)
        _leave_unrotated(image)
    image.load()
    vars(image).pop("load_end", None)  # it refers to the image, whose memory would stay
    file: Any = getattr(image, "fp", None)
    if image is not source and isinstance(file, io.BytesIO):
        file.close()  # the bytes of the file are done with
    return image, orientation


def _check_progressive(image: Any, label: str) -> None:
    """Raise :class:`ImageError` for a progressive JPEG whose coefficients, all held at once, need too much memory.

    libjpeg holds two bytes for each sample of each channel, and Pillow four for each pixel.
    """
    if image.format != "JPEG" or not image.info.get("progressive"):
        return
    factors = [horizontal * vertical for _, horizontal, vertical, _ in image.layer]
    each = 4.5 + 2 * sum(factors) / max(factors)
    if image.width * image.height * each > MAX_DECODING:
        raise ImageError(
            f"{label} is a progressive JPEG of more than {MAX_DECODING / each / 1e6:.0f} megapixels; save it as a "
            "baseline JPEG, or smaller."
        )


def _leave_unrotated(image: Any) -> None:
    """Have Pillow leave the pixels of a TIFF as they are stored; it would rotate a second copy of them."""
    if image.format == "TIFF":
        image.load_end = lambda: setattr(image, "_size", image.im.size)


def _decode_webp(image: Image.Image, label: str) -> tuple[Image.Image | NDArray[np.uint8], int]:
    """OpenCV decodes a WebP image once, where Pillow holds four copies of it."""
    orientation = _orientation(image, label)
    if getattr(image, "n_frames", 1) > 1:
        if image.width * image.height > MAX_ANIMATED_PIXELS:
            limit = MAX_ANIMATED_PIXELS // 1_000_000
            raise ImageError(f"{label} is an animation of more than {limit} megapixels a frame; save one frame of it.")
        image.load()
        return image, orientation
    if image.mode == "RGBA" and image.width * image.height * WEBP_ALPHA_BYTES > MAX_DECODING:
        largest = MAX_DECODING / WEBP_ALPHA_BYTES / 1e6
        raise ImageError(f"{label} is a WebP with alpha of more than {largest:.0f} megapixels; save it without alpha.")
    file: Any = image  # Pillow's type does not show its file
    data = file.fp.getvalue()
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.shape[:2] != (image.height, image.width):
        raise ValueError("cannot be decoded")
    for rows in _row_slices(decoded.shape[1], decoded.shape[0]):
        decoded[rows] = decoded[rows][..., [2, 1, 0, 3][: decoded.shape[2]]]  # from OpenCV's order
    return decoded.astype(np.uint8, copy=False), orientation


def _read(source: Any, label: str) -> bytes:
    try:
        if isinstance(source, str | os.PathLike):
            with io.BufferedReader(open_regular(source)) as file:
                data = file.read(MAX_BYTES + 1)
        else:
            data = source.read(MAX_BYTES + 1) if hasattr(source, "read") else bytes(source)
    except FileNotFoundError:
        raise ImageError(f"{label} does not exist; check the path.") from None
    except IsADirectoryError:
        raise ImageError(f"{label} is a folder; give an image file.") from None
    except OSError as error:
        raise ImageError(f"{label} cannot be read ({error.strerror}); check the file.") from None
    except ValueError:  # a null byte in the path
        raise ImageError(f"{label!r} is no path; check it.") from None
    if not data:
        raise ImageError(f"{label} is an empty file; save or download it again.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{label} is larger than {MAX_BYTES // 2**20} MB; save it smaller.")
    return data


def _from_array(array: np.ndarray, label: str) -> NDArray[np.uint8]:
    """The array, checked; not copied."""
    good = array.dtype == np.uint8 and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)))
    if not good or array.size == 0:
        raise ImageError(
            f"{label} is an array of {array.dtype} with the shape {array.shape}; "
            "give uint8 of shape (H, W), (H, W, 3) or (H, W, 4)."
        )
    within_bounds((array.shape[1], array.shape[0]), label)
    return array


def within_bounds(size: Sequence[int], label: str) -> bool:
    """True; raises :class:`ImageError` for a (width, height) that is out of bounds."""
    width, height = size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise ImageError(_too_large(label, f" ({width}x{height} pixels)"))
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(
            f"{label} is too thin ({width}x{height} pixels); give one whose longer side is at most {MAX_ASPECT} times "
            "its shorter side."
        )
    return True


def _too_large(label: str, size: str = "") -> str:
    return (
        f"{label} is too large{size}; make it at most {MAX_SIDE} pixels on a side "
        f"and {MAX_PIXELS // 1_000_000} megapixels."
    )


def _orientation(image: Image.Image, label: str) -> int:
    """The EXIF orientation, 1 to 8; what is none of these is 1."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except MemoryError:
        raise
    except Exception as error:  # EXIF blocks are as damaged as their writers
        raise ImageError(f"{label} has a damaged EXIF block; save it again.") from error
    return found if found in UPRIGHT else 1


UPRIGHT: dict[Any, Callable[[NDArray], NDArray]] = {  # EXIF 2.32, tag 274: from the stored pixels to upright ones
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored.swapaxes(0, 1)[:, ::-1],
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored.swapaxes(0, 1)[::-1],
}


def _upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    return np.ascontiguousarray(UPRIGHT[orientation](pixels))


def _to_rgb(decoded: Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A new (H, W, 3) uint8 array, filled a band of rows at a time: no second copy of the whole is made."""
    size = decoded.size if isinstance(decoded, Image.Image) else decoded.shape[1::-1]
    pixels = np.empty((size[1], size[0], 3), np.uint8)
    top = _range(decoded) if isinstance(decoded, Image.Image) and decoded.mode.startswith(("I", "F")) else 0.0
    for rows, band in _bands(decoded):
        pixels[rows] = np.asarray(_flatten(band, top))
    return pixels


def _bands(decoded: Image.Image | NDArray[np.uint8]) -> Iterator[tuple[slice, Image.Image]]:
    """The image in bands of about ``BAND`` pixels from the top down, each with its rows."""
    width, height = decoded.size if isinstance(decoded, Image.Image) else decoded.shape[1::-1]
    for rows in _row_slices(width, height):
        if isinstance(decoded, Image.Image):
            yield rows, decoded.crop((0, rows.start, width, rows.stop))
        else:
            yield rows, Image.fromarray(decoded[rows])


def _row_slices(width: int, height: int) -> Iterator[slice]:
    step = max(1, BAND // width)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))


def _flatten(image: Image.Image, top: float) -> Image.Image:
    """8-bit RGB; transparent pixels are laid on white. ``top``: the value of white in a deep image."""
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_to_8_bit(image, top))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        base = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(base, image).convert("RGB")
    return image.convert("RGB")


def _range(image: Image.Image) -> float:
    """The value of white: 1 or 255 in an image of floats, 255 or 65535 in one of integers."""
    most = max(float(_values(band).max(initial=0)) for _, band in _bands(image))
    if image.mode.startswith("F"):
        return 1.0 if most <= 1 else 255.0
    return 65535.0 if most > 255 else 255.0


def _values(image: Image.Image) -> NDArray[np.float32]:
    """(H, W) float32, without what is not a number."""
    return np.nan_to_num(np.asarray(image, dtype=np.float32))


def _to_8_bit(image: Image.Image, top: float) -> NDArray[np.uint8]:
    return np.rint(np.clip(_values(image) / top, 0, 1) * 255).astype(np.uint8)
