"""Labels as index images: one number for each pixel."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg.annotations.formats._target import Target
from ipseg.annotations.labels import LabelledImage

OVERLAPPED = "instances partly under another one, which takes the pixels"


def maps(image: LabelledImage, target: Target) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """The number of the class, from 1, and of the instance, from 1, at each pixel, both (H, W); 0 where there is none.

    Instances are numbered in their order. Where two overlap, as after corrections, the earlier one takes the pixels.
    """
    classes, instances = np.zeros(image.size, np.uint16), np.zeros(image.size, np.uint16)
    for number, one in reversed(list(enumerate(image.instances, 1))):
        hidden = set(np.unique(instances[one.mask]).tolist()) - {0}
        target.lost.update({OVERLAPPED: len(hidden)} if hidden else {})
        classes[one.mask], instances[one.mask] = target.number(one.label) + 1, number
    return classes, instances


def voc_palette() -> list[int]:
    """The 256 colours of PASCAL VOC's label images, as RGB, RGB, ...: the bits of a number, spread (VOC2012 devkit)."""
    numbers = np.arange(256)
    channels = [np.zeros(256, int) for _ in range(3)]
    for shift in range(8):
        for channel in range(3):
            channels[channel] |= (numbers >> (3 * shift + channel) & 1) << (7 - shift)
    return np.stack(channels, axis=1).ravel().tolist()


def palette_png(values: NDArray[np.uint16]) -> bytes:
    """(H, W) of numbers up to 255 as a palette PNG in the colours of PASCAL VOC."""
    indexed = Image.fromarray(values.astype(np.uint8))
    indexed.putpalette(voc_palette())
    return _png(indexed)


def deep_png(values: NDArray[np.uint16]) -> bytes:
    """(H, W) as a grey PNG of 16 bits."""
    return _png(Image.fromarray(values))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
