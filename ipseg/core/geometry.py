"""The only place that converts between frames: image pixels, letterboxed square, feature cells.

A :class:`~ipseg.core.types.Frame` gives the position of a grid of cells on its image, so every conversion is an affine
map.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg.core.types import Array, Frame, ImageArray

THIN = 4.0  # longer to shorter side of an image, from which on small networks see little of it as a whole


def letterbox_frame(size: tuple[int, int], cells: int) -> Frame:
    """``cells`` x ``cells`` over the centred square that just holds an image of ``size`` (height, width)."""
    height, width = size
    side = max(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return Frame((height, width), (cells, cells), (left, top, left + side, top + side))


def squash_frame(size: tuple[int, int], grid: tuple[int, int]) -> Frame:
    """``grid`` (rows, columns) over exactly the image of ``size`` (height, width), whatever its aspect."""
    height, width = size
    return Frame((height, width), grid, (0.0, 0.0, float(width), float(height)))


def aspect_frame(size: tuple[int, int], cells: int) -> Frame:
    """About square cells over exactly the image, ``cells`` of them along its longer side."""
    height, width = size
    longest = max(height, width)
    grid = (max(1, round(height / longest * cells)), max(1, round(width / longest * cells)))
    return squash_frame(size, grid)


def letterbox(image: ImageArray, side: int) -> ImageArray:
    """The image scaled to a longest side of ``side`` (Lanczos), centred on a black square: (side, side, 3) uint8.

    The scaled size and its place are whole pixels, so it agrees with :func:`letterbox_frame` to 0.75 of them.
    """
    height, width = image.shape[:2]
    scale = side / max(height, width)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = Image.new("RGB", (side, side))
    scaled = Image.fromarray(image).resize(inner, Image.Resampling.LANCZOS)
    square.paste(scaled, ((side - inner[0]) // 2, (side - inner[1]) // 2))
    return np.asarray(square)


def squash(image: NDArray[np.uint8], size: tuple[int, int], how: Image.Resampling) -> NDArray[np.uint8]:
    """An image (H, W, 3) or grey (H, W) brought to ``size`` (height, width) by Pillow, whatever its aspect; writable.

    The new pixels are the cells of :func:`squash_frame`.
    """
    return np.array(Image.fromarray(image).resize(size[::-1], how))


def bounding_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """The smallest box that holds a mask (H, W): (left, top, right, bottom) in pixels, right and bottom excluded.

    None for an empty mask.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def is_thin(size: tuple[int, int], limit: float = THIN) -> bool:
    """Whether the longer side of an image of ``size`` (height, width) is more than ``limit`` times its shorter side."""
    return max(size) > limit * min(size)


def windows(size: tuple[int, int], aspect: float = THIN) -> list[tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom) that cover an image of ``size`` (height, width), in whole pixels.

    The image itself where its longer side is at most ``aspect`` times its shorter side; else boxes of that aspect, from
    one end to the other, of which each shares at least half with the next: what is no longer than half of a box is
    whole in one of them.
    """
    height, width = size
    longer, shorter = max(size), min(size)
    length = round(aspect * shorter)
    if longer <= length:
        return [(0, 0, width, height)]
    count = -(-2 * (longer - length) // length) + 1
    starts = np.linspace(0, longer - length, count).round().astype(int).tolist()
    return [(at, 0, at + length, height) if width > height else (0, at, width, at + length) for at in starts]


def window_around(
    size: tuple[int, int], box: tuple[int, int, int, int], aspect: float = THIN
) -> tuple[int, int, int, int]:
    """The box of ``aspect`` in an image of ``size`` (height, width) around the middle of another one in whole pixels.

    It is as long as the other one where that is longer, and the image itself where that is not thinner.
    """
    height, width = size
    axis = 0 if width > height else 1
    first, last = box[axis], box[axis + 2]
    length = min(max(size), max(round(aspect * min(size)), last - first))
    start = min(max(0, (first + last - length) // 2), max(size) - length)
    return (start, 0, start + length, height) if axis == 0 else (0, start, width, start + length)


def cells_to_image(cells: NDArray, frame: Frame) -> NDArray[np.float32]:
    """Centres of cells: (n, 2) of (column, row), whole or fractional, to (n, 2) float32 (x, y) in image pixels."""
    cells = np.asarray(cells, dtype=np.float64).reshape(-1, 2)
    return ((cells + 0.5) * frame.cell + frame.box[:2]).astype(np.float32)


def image_to_cells(points: NDArray, frame: Frame) -> NDArray[np.float64]:
    """(n, 2) of (x, y) in image pixels to fractional (column, row); the centre of the first cell is (0, 0)."""
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return (points - frame.box[:2]) / frame.cell - 0.5


def cells_inside(frame: Frame) -> NDArray[np.bool_]:
    """(rows, columns) bool: the cells whose centre lies on the image."""
    columns, rows = _centres(frame)
    height, width = frame.image_size
    return ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None, :]


def to_cells(values: NDArray, frame: Frame) -> NDArray[np.float32]:
    """A (H, W) map, or several as (..., H, W), averaged over each cell: (..., rows, columns) float32.

    A cell off the image is 0; a cell that lies partly on the image averages over the part that does. Raises ValueError
    when a map is not of the size of the frame's image.
    """
    from scipy.sparse import csr_array  # here, as the import takes a tenth of a second

    height, width = frame.image_size
    if values.shape[-2:] != (height, width):
        raise ValueError(f"expected a map of {(height, width)}, got {values.shape}")
    across = csr_array(_overlaps(frame.box[0], frame.cell[0], frame.grid[1], width))
    down = csr_array(_overlaps(frame.box[1], frame.cell[1], frame.grid[0], height))
    maps = values.reshape(-1, height, width).astype(np.float32)
    cells = [(across @ (down @ one).T).T for one in maps]  # a sparse product takes two axes
    return np.array(cells, np.float32).reshape(*values.shape[:-2], *frame.grid)


def sample_cells(values: NDArray, frame: Frame) -> NDArray[np.float32]:
    """A (H, W) map in image pixels sampled once per cell: (rows, columns) float32; 0 where that is off the image.

    The pixel is the one under the cell's upper left corner, found in float32, as torch's "nearest" resizing finds it.
    """
    (height, width), (left, top) = frame.image_size, frame.box[:2]
    rows, columns = (
        np.floor(np.float32(start) + np.arange(n, dtype=np.float32) * np.float32(cell)).astype(np.intp)
        for start, n, cell in zip((top, left), frame.grid, frame.cell[::-1], strict=True)
    )
    on_rows, on_columns = ((at >= 0) & (at < size) for at, size in ((rows, height), (columns, width)))
    sampled = np.asarray(values, dtype=np.float32)[rows.clip(0, height - 1)[:, None], columns.clip(0, width - 1)]
    return sampled * (on_rows[:, None] & on_columns)


def to_image(values: NDArray, frame: Frame, *, smooth: bool = True) -> NDArray[np.float32]:
    """A (rows, columns) map on cells, brought to the image: (H, W) float32, bilinear unless ``smooth=False``."""
    height, width = frame.image_size
    columns = (np.arange(width) + 0.5 - frame.box[0]) / frame.cell[0] - 0.5
    rows = (np.arange(height) + 0.5 - frame.box[1]) / frame.cell[1] - 0.5
    values = np.asarray(values, dtype=np.float32)
    if not smooth:
        return values[_nearest(rows, frame.grid[0])[:, None], _nearest(columns, frame.grid[1])[None, :]]
    return _interpolate(_interpolate(values, rows, 0), columns, 1)


def resample(values: NDArray, frame: Frame, target: Frame) -> NDArray[np.float32]:
    """(rows, columns, C) values on the cells of ``frame``, bilinear at the centres of the cells of ``target``.

    Both frames must be of the same image. Beyond the outermost centres of ``frame`` the values continue unchanged.
    """
    for axis, side in ((0, 1), (1, 0)):  # of the array, and in (width, height)
        centres = target.box[side] + (np.arange(target.grid[axis]) + 0.5) * target.cell[side]
        values = _interpolate(values, (centres - frame.box[side]) / frame.cell[side] - 0.5, axis)
    return values.astype(np.float32)


def crop_to_image(values: Array, frame: Frame, grid: tuple[int, int]) -> Array:
    """The cells of a letterboxed (rows, columns, C) map that the image covers, nearest to ``grid``.

    Along each side the number of cells that remain is rounded down and centred, as in the released script. ``values``
    (rows, columns, C), an array or a tensor, becomes (*grid, C) on ``squash_frame(frame.image_size, grid)``.
    """
    ranges = [
        _covered(n, extent, max(frame.image_size)) for n, extent in zip(frame.grid, frame.image_size, strict=True)
    ]
    rows, columns = (
        start + (np.arange(n) * (stop - start)) // n for (start, stop), n in zip(ranges, grid, strict=True)
    )
    return values[rows][:, columns]


def _covered(cells: int, extent: int, longest: int) -> tuple[int, int]:
    """The first cell that the image covers, and the one after the last, along one axis."""
    count = max(1, int(extent / (longest / cells)))
    return (cells - count) // 2, cells - (cells - count) // 2


def _centres(frame: Frame) -> tuple[NDArray, NDArray]:
    columns = frame.box[0] + (np.arange(frame.grid[1]) + 0.5) * frame.cell[0]
    rows = frame.box[1] + (np.arange(frame.grid[0]) + 0.5) * frame.cell[1]
    return columns, rows


def _overlaps(start: float, cell: float, count: int, pixels: int) -> NDArray[np.float32]:
    """(count, pixels): the share of each cell that each pixel fills, along one axis; rows sum to 1, or to 0 outside."""
    edges = start + cell * np.arange(count + 1)
    low, high = edges[:-1, None], edges[1:, None]
    pixel = np.arange(pixels)[None, :]
    share = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    total = share.sum(axis=1, keepdims=True)
    return (share / np.where(total > 1e-9, total, 1)).astype(np.float32)


def _nearest(positions: NDArray, count: int) -> NDArray[np.intp]:
    return np.clip(np.floor(positions + 0.5), 0, count - 1).astype(np.intp)


def _interpolate(values: NDArray[np.float32], positions: NDArray, axis: int) -> NDArray[np.float32]:
    positions = np.clip(positions, 0, values.shape[axis] - 1)
    low = np.floor(positions).astype(np.intp)
    high = np.minimum(low + 1, values.shape[axis] - 1)
    part = (positions - low).astype(np.float32)
    part = part.reshape([-1 if dimension == axis else 1 for dimension in range(values.ndim)])
    return values.take(low, axis) * (1 - part) + values.take(high, axis) * part
