"""Masks as COCO's run lengths (RLE): counts of pixels outside, inside, outside, ... down the columns.

The first count is that of the pixels outside, and may be 0 (cocodataset.org, "Data format"). The compressed form is the
ASCII string of the COCO API (``maskApi.c``, ``rleToString``): each count, from the third on less the count two before
it, in groups of five bits with the lowest first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ipseg.core.types import Mask

GROUP, MORE, SIGN, FIRST = 5, 0x20, 0x10, 48  # bits of a character, its two flags, and the character of 0


def encode(mask: Mask) -> list[int]:
    """(H, W) bool to counts of outside, inside, outside, ... pixels in column order; their sum is H * W."""
    pixels = np.asarray(mask, dtype=bool).ravel(order="F")
    turns = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    counts = np.diff(np.concatenate([[0], turns, [pixels.size]])).tolist()
    return [0, *counts] if pixels.size and pixels[0] else counts


def decode(counts: Sequence[int], size: tuple[int, int]) -> Mask:
    """The (H, W) bool mask of ``counts``. Raises ValueError when they do not sum to H * W."""
    if sum(counts) != size[0] * size[1] or min(counts, default=0) < 0:
        raise ValueError(f"expected counts that sum to {size[0]} * {size[1]}, got {sum(counts)}")
    inside = np.arange(len(counts)) % 2 == 1
    return np.repeat(inside, counts).reshape(size, order="F")


def compress(counts: Sequence[int]) -> str:
    """Counts as the ASCII string that ``pycocotools.mask.decode`` reads."""
    text: list[str] = []
    for number, count in enumerate(counts):
        value, more = count - counts[number - 2] if number > 2 else count, True
        while more:
            group = value & (MORE - 1)
            value >>= GROUP
            more = value != -1 if group & SIGN else value != 0
            text.append(chr(group + MORE * more + FIRST))
    return "".join(text)


def decompress(text: str) -> list[int]:
    """The counts of :func:`compress`. Raises ValueError for a string that is no such text."""
    counts: list[int] = []
    value = bits = 0
    for character in text:
        group = ord(character) - FIRST
        if not 0 <= group < 2 * MORE:
            raise ValueError(f"expected the characters of COCO's run lengths, got {character!r}")
        value |= (group & (MORE - 1)) << bits
        bits += GROUP
        if not group & MORE:
            value -= bool(group & SIGN) << bits
            counts.append(value + counts[-2] if len(counts) > 2 else value)
            value = bits = 0
    if bits:
        raise ValueError("expected a whole number of run lengths, got a string that ends within one")
    return counts
