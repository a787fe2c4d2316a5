"""Images of more than 8 bits a channel, and of floats: the range that is used becomes 0 to 255.

A file of 16 bits may hold 10, 12 or 14 of them, one of floats any range, and neither says which. So black is 0 (the
lowest value where there are negative ones), and white the highest value of the least usual depth that holds what is
there. What uses less than a sixteenth of that is stretched, as fewer than 16 of the 256 levels would be left.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

DEPTHS = (8, 10, 12, 14, 16, 24)  # bits of a channel, beside those of the type; white is 2**bits - 1
LEVELS = 16  # of 256: what uses fewer is stretched
OUTLIERS = 0.1  # per cent of the pixels at either end that may lie far from the rest, as hot pixels do
SAMPLE = 2**20  # values of which the outliers are found
BAND = 2**20  # pixels that are converted at a time


def to_8_bit(values: NDArray) -> NDArray[np.uint8]:
    """(H, W) or (H, W, C) whole numbers or floats as uint8 of the same shape; the last of 2 or 4 channels is alpha.

    NaN becomes black, infinity white. Done a band of rows at a time: no second copy of the whole is made.
    """
    scaled = np.empty(values.shape, np.uint8)
    colours, alpha = _channels(values)
    parts = [(colours, slice(None) if alpha is None else slice(-1), limits(colours))]
    if alpha is not None:
        parts.append((alpha, slice(-1, None), (0.0, _white(_extremes(alpha)[1], alpha.dtype))))
    for part, channels, (low, high) in parts:
        target = scaled if part is values else scaled[..., channels]
        for rows in _rows(part):
            band = part[rows].astype(np.float64 if part.dtype.itemsize == 8 else np.float32)
            band = np.nan_to_num(band, copy=False, nan=low, posinf=high, neginf=low)
            target[rows] = np.rint(np.clip((band - low) / (high - low), 0, 1) * 255)
    return scaled


def limits(values: NDArray) -> tuple[float, float]:
    """The values that become black and white; the first is less than the second."""
    least, most = _extremes(values)
    kind, flat = values.dtype, values.reshape(-1)
    sample = flat[:: max(1, flat.size // SAMPLE)]
    sample = sample[np.isfinite(sample)] if kind.kind == "f" else sample
    if not sample.size or least == most:
        return min(least, 0.0), _white(most, kind)
    low, high = (float(value) for value in np.percentile(sample.astype(np.float64), (OUTLIERS, 100 - OUTLIERS)))
    black, white = min(least, 0.0), _white(most, kind)
    if _white(high, kind) * LEVELS <= white:
        white = _white(high, kind)
    if 0 < (high - low) * LEVELS < white - black:
        return (low, high) if high - low > np.spacing(abs(high)) else (least, most)
    return black, white


def _white(most: float, kind: np.dtype) -> float:
    """The value of white for a highest value ``most``: of the least usual depth, or ``most`` where that is far more."""
    if most <= 0:
        return 1.0
    bits = 8 * kind.itemsize - (kind.kind == "i")
    depths = sorted({*DEPTHS, bits}) if kind.kind in "iu" else DEPTHS
    whites = [*([1.0] if kind.kind == "f" else []), *(2.0**each - 1 for each in depths)]
    white = next((white for white in whites if most <= white), most)
    return most if most * LEVELS < white and (kind.kind == "f" or white > 255) else white


def _extremes(values: NDArray) -> tuple[float, float]:
    """The least and the highest finite value; 0 and 0 where there is none."""
    least, most = np.inf, -np.inf
    for rows in _rows(values):
        band = values[rows]
        band = band[np.isfinite(band)] if band.dtype.kind == "f" else band
        if band.size:
            least, most = min(least, float(band.min())), max(most, float(band.max()))
    return (least, most) if least <= most else (0.0, 0.0)


def _channels(values: NDArray) -> tuple[NDArray, NDArray | None]:
    """The colours, and alpha (H, W, 1) or None."""
    if values.ndim == 3 and values.shape[2] in (2, 4):
        return values[..., :-1], values[..., -1:]
    return values, None


def _rows(values: NDArray) -> Iterator[slice]:
    step = max(1, BAND // max(1, values[:1].size))
    for start in range(0, values.shape[0], step):
        yield slice(start, start + step)
