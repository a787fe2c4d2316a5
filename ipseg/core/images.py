"""The only way an image enters: open, orient, check, convert."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from ipseg.core import depth, formats
from ipseg.core.files import open_regular, reading
from ipseg.core.formats import Tiff
from ipseg.core.types import ImageArray, ImageError

MAX_BYTES = 64 * 2**20  # of one file
MAX_PIXELS = 50_000_000  # of one image: 150 MB once opened
MAX_DECODING = 400_000_000  # bytes while an image is opened
WEBP_ALPHA_BYTES = 8.6  # a pixel, at the peak of decoding a WebP with alpha, as measured at 50 megapixels
MAX_ANIMATED_PIXELS = 20_000_000  # of one frame of a WebP animation, whose decoder holds four copies of the frame
MAX_SIDE = 16_384  # pixels
MIN_SIDE = 16  # pixels: below, a grid of cells has no meaning
MAX_ASPECT = 400  # longer side to shorter side
WHOLE_ASPECT = 16  # the same for what sees an image as a whole: squashed to a square, what is thinner loses the object
BAND = 2**20  # pixels that are converted at a time
NOTE = "ipseg"  # the keyword of the text in a PNG file
RGB_OR_GREY, CMYK = (0, 1, 2), 5  # PhotometricInterpretation of a TIFF

MAX_AVIF_PIXELS = 25_000_000  # Pillow's decoder holds the planes of the file, and two copies of four bytes a pixel

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")  # what Pillow may try; the rest stays closed

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Image.Image | np.ndarray


def open_image(source: Source, *, name: str | None = None) -> ImageArray:
    """Open an image from a path, bytes, a binary file, a PIL image, an array or a torch tensor.

    Bounds are checked before anything is decoded: bytes, pixels, sides and their ratio. EXIF rotation is applied, CMYK,
    palette and grey images become 8-bit RGB, as do those of more than 8 bits and of floats
    (:func:`ipseg.core.depth.to_8_bit`); transparent pixels are laid on white, and of an animation the first frame is
    taken. Arrays are (H, W), (H, W, 3) or (H, W, 4) of uint8, or of floats in [0, 1]. Tensors are the same, and their
    channels may be first.

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
    if isinstance(source, str | os.PathLike):
        with suppress(Exception):  # the way below reads the whole file, and reports what is wrong with it
            return _orientation_of_file(source)
    try:
        if not hasattr(source, "seek") or isinstance(source, Image.Image):
            return 1 if isinstance(source, np.ndarray) else _orientation(_header(source, ""), "")
        place = source.tell()
        found = _orientation(_header(source, ""), "")
        source.seek(place)
        return found
    except Exception:  # open_image reports what is wrong with the file
        return 1


def _orientation_of_file(path: str | os.PathLike[str]) -> int:
    """The same by the header alone, of which Pillow reads no more than it needs. Raises what Pillow raises."""
    with io.BufferedReader(open_regular(path)) as file, Image.open(file, formats=FORMATS) as image:
        within_bounds(image.size, "")
        return _orientation(image, "")


def decode(source: Source, label: str) -> tuple[Image.Image | NDArray, int]:
    """The pixels of a file as they are stored, and the EXIF orientation that makes them upright.

    An image in the mode of the file, loaded, or an array (H, W) or (H, W, 2|3|4) of the numbers in the file, the last
    of 2 or 4 channels alpha. Raises :class:`ImageError` for what is no image, is damaged or out of bounds.
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
        return _from_floats(array, label) if array is not source else array
    first, last = (array.shape[place] in (1, 3, 4) for place in (0, 2))
    if first and last:
        raise ImageError(
            f"{label} is a tensor of the shape {array.shape}, whose channels may be first or last; give an array "
            "of shape (H, W, 3)."
        )
    array = _from_floats(np.moveaxis(array, 0, -1) if first else array, label)
    return np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array)


def _from_floats(array: NDArray, label: str) -> NDArray:
    """Floats in [0, 1] as uint8; other arrays as they are."""
    if array.dtype.kind != "f" or not array.size:
        return array
    least, most = float(array.min()), float(array.max())
    if not (least >= 0 and most <= 1):  # also where one is NaN
        raise ImageError(f"{label} has floats from {least:g} to {most:g}; give floats from 0 to 1, or uint8.")
    return np.rint(array * np.float32(255)).astype(np.uint8)


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
        if _is_deep(decoded):
            decoded = depth.to_8_bit(np.asarray(decoded))
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


def _header(source: Any, label: str) -> Image.Image | _Deep:
    """The image with nothing but its header read, within bounds."""
    _check_type(source, label)
    if isinstance(source, Image.Image):
        within_bounds(source.size, label)
        return source
    data = _read(source, label)
    tiff = formats.tiff(data)
    if tiff is not None:
        _check_tiff(tiff, label)
        if tiff.beyond_pillow and tiff.photometric in RGB_OR_GREY:
            return _Deep(data, tiff)
    data = formats.plain_png(data) if data.startswith(formats.PNG) else data
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        kind, archive = formats.unreadable(data), formats.archive(data)
        if formats.clip(data[:32]):
            raise ImageError(
                f"{label} is a clip; give one of its frames, or the clip alone under Or a video clip (tab Batch and "
                "video) or to ipseg batch."
            ) from None
        if archive:
            raise ImageError(f"{label} is {archive}; unpack it, and give the images or a folder of them.") from None
        if kind:
            raise ImageError(f"{label} is {kind}, which is not read here; save it as JPEG, PNG or WebP.") from None
        raise
    within_bounds(image.size, label)
    return image


@dataclass(frozen=True)
class _Deep:
    """A TIFF that Pillow does not read as it is (:attr:`ipseg.core.formats.Tiff.beyond_pillow`), not decoded."""

    data: bytes
    about: Tiff

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.about.size


def _check_tiff(tiff: Tiff, label: str) -> None:
    within_bounds(tiff.size, label)
    if tiff.raw:
        raise ImageError(f"{label} is a camera's raw image; save it as JPEG, PNG or WebP.")
    if tiff.channels > 4 or (tiff.deep and tiff.photometric not in (*RGB_OR_GREY, CMYK)):
        raise ImageError(
            f"{label} has {tiff.channels} channels of {tiff.bits} bits that are no RGB image; save it as RGB or grey."
        )
    if tiff.planar and tiff.photometric not in (*RGB_OR_GREY, *(() if tiff.deep else (CMYK,))):
        raise ImageError(
            f"{label} has channels of another kind than RGB that are stored apart; save it as RGB, or with its "
            "channels together."
        )
    if tiff.beyond_pillow and tiff.apart and tiff.packed:
        raise ImageError(f"{label} is packed in a way that is not read here; save it without compression, or as PNG.")


def _decode(source: Any, label: str) -> tuple[Image.Image | NDArray, int]:
    """The decoded image as stored, (H, W) or (H, W, 2|3|4) where it is an array, and its EXIF orientation, 1 to 8."""
    image = _header(source, label)
    if isinstance(image, _Deep):
        _check_deep(image.about.size, image.about.bytes_per_pixel, label)
        values = formats.decode_tiff(image.data, image.about)
        if values is None:
            raise ValueError("cannot be decoded")
        return values, _orientation(image, label)
    if image.format == "WEBP" and image is not source:
        return _decode_webp(image, label)
    orientation = _orientation(image, label)
    if image is not source:
        _check_progressive(image, label)
        _leave_unrotated(image)
        if image.format == "AVIF" and image.width * image.height > MAX_AVIF_PIXELS:
            limit = MAX_AVIF_PIXELS // 1_000_000
            raise ImageError(f"{label} is an AVIF image of more than {limit} megapixels; save it as JPEG, or smaller.")
        if _has_16_bits(image):
            return _decode_16_bits(image, label), orientation
    image.load()
    vars(image).pop("load_end", None)  # it refers to the image, whose memory would stay
    file: Any = getattr(image, "fp", None)
    if image is not source and isinstance(file, io.BytesIO):
        file.close()  # the bytes of the file are done with
    return image, orientation


def _is_deep(decoded: Image.Image | NDArray) -> bool:
    return decoded.mode.startswith(("I", "F")) if isinstance(decoded, Image.Image) else decoded.dtype != np.uint8


def _check_deep(size: Sequence[int], bytes_per_pixel: float, label: str) -> None:
    if size[0] * size[1] * bytes_per_pixel > MAX_DECODING:
        limit = MAX_DECODING / bytes_per_pixel / 1e6
        raise ImageError(
            f"{label} has more than 8 bits a channel and more than {limit:.0f} megapixels; save it with 8 bits, or "
            "smaller."
        )


def _has_16_bits(image: Any) -> bool:
    """Whether the file is one of 16 bits a channel of which Pillow would drop the lower 8, or which it copies."""
    if image.format == "PNG":
        return formats.png_depth(image.fp.getvalue()) == 16
    if image.format == "PPM":
        return image.mode in ("I", "RGB", "F") and image.tile[0].args not in ("RGB", "L")
    return False


def _decode_16_bits(image: Any, label: str) -> NDArray:
    """A PNG or PPM by OpenCV: (H, W) or (H, W, 3|4)."""
    _check_deep(image.size, 3 * len(image.getbands()), label)
    data = image.fp.getvalue()
    if image.format == "PNG":
        image.verify()  # OpenCV would print what is wrong with it
    values = formats.decode_quietly(data)
    if values is None or values.shape[:2] != (image.height, image.width):
        raise ValueError("cannot be decoded")
    return formats.to_rgb_order(values)


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


def _decode_webp(image: Image.Image, label: str) -> tuple[Image.Image | NDArray, int]:
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
    decoded = formats.decode_quietly(data)
    if decoded is None or decoded.shape[:2] != (image.height, image.width):
        raise ValueError("cannot be decoded")
    return formats.to_rgb_order(decoded), orientation


def _read(source: Any, label: str) -> bytes:
    with reading(label, ImageError, "an image file"):
        if isinstance(source, str | os.PathLike):
            with io.BufferedReader(open_regular(source)) as file:
                data = file.read(MAX_BYTES + 1)
        else:
            data = source.read(MAX_BYTES + 1) if hasattr(source, "read") else bytes(source)
    if not data:
        raise ImageError(f"{label} is an empty file; save or download it again.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{label} is larger than {MAX_BYTES // 2**20} MB; save it smaller.")
    return data


def _from_array(array: np.ndarray, label: str) -> NDArray[np.uint8]:
    """The array of uint8 that it is or, of floats in [0, 1], becomes."""
    if array.size and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        within_bounds((array.shape[1], array.shape[0]), label)
        array = _from_floats(array, label)
    good = array.dtype == np.uint8 and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4)))
    if not good or array.size == 0:
        raise ImageError(
            f"{label} is an array of {array.dtype} with the shape {array.shape}; "
            "give uint8, or floats from 0 to 1, of shape (H, W), (H, W, 3) or (H, W, 4)."
        )
    return array


def within_bounds(size: Sequence[int], label: str) -> bool:
    """True; raises :class:`ImageError` for a (width, height) that is out of bounds."""
    width, height = size
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise ImageError(_too_large(label, f" ({width}x{height} pixels)"))
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(
            f"{label} is too thin ({width}x{height} pixels); cut it up, and give parts whose longer side is at most "
            f"{MAX_ASPECT} times their shorter side."
        )
    return True


def check_whole(image: ImageArray, what: str, aspect: float = WHOLE_ASPECT) -> None:
    """Raise :class:`ImageError` where an image (H, W, 3) is too thin for ``what``, which sees images as a whole."""
    height, width = image.shape[:2]
    if max(height, width) > aspect * min(height, width):
        raise ImageError(
            f"An image of {width}x{height} pixels is too thin for {what}; cut it up, and give parts whose longer side "
            f"is at most {aspect:g} times their shorter side."
        )


def _too_large(label: str, size: str = "") -> str:
    return (
        f"{label} is too large{size}; make it at most {MAX_SIDE} pixels on a side "
        f"and {MAX_PIXELS // 1_000_000} megapixels."
    )


def _orientation(image: Image.Image | _Deep, label: str) -> int:
    """The EXIF orientation, 1 to 8; what is none of these, or stands in a damaged block, is 1."""
    if isinstance(image, _Deep):
        return image.about.orientation if image.about.orientation in UPRIGHT else 1
    try:
        # of a PNG as of the others: its own method would decode the image to find EXIF after the pixels
        exif = Image.Image.getexif(image) if image.format == "PNG" else image.getexif()
        found = exif.get(ExifTags.Base.Orientation, 1)
    except MemoryError:
        raise
    except Exception:  # EXIF blocks are as damaged as their writers; the pixels may be sound
        found = 1
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
    for rows, band in _bands(decoded):
        pixels[rows] = np.asarray(_flatten(band))
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


def _flatten(image: Image.Image) -> Image.Image:
    """8-bit RGB; transparent pixels are laid on white."""
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        base = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(base, image).convert("RGB")
    return image.convert("RGB")
