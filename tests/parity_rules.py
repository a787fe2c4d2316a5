"""The rules behind the numbers of ``tests/golden``: a network and an image that follow from names alone.

The released implementations were run on networks whose every weight is a function of its state-dict name, its shape and
a seed, and on images that are a function of a name and a size. Repeating the rules here repeats both, so a golden
file holds answers only.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def _generator(name: str, seed: int = 0) -> np.random.RandomState:
    return np.random.RandomState((zlib.crc32(name.encode()) + seed) % 2**32)  # the legacy stream is frozen for good


def weight(name: str, shape: Sequence[int], seed: int = 0) -> NDArray[np.float32]:
    """The weight called ``name``: float32 of ``shape``, drawn from normal numbers N.

    Two or more axes: N over the root of the fan-in. Fewer: a scale or a running variance is 1 + 0.1 |N|; anything else,
    biases and running means above all, is 0.1 N.
    """
    shape = tuple(shape)
    drawn = np.asarray(_generator(name, seed).standard_normal(shape or None), dtype=np.float32)
    if len(shape) > 1:
        return drawn / np.sqrt(np.prod(shape[1:]), dtype=np.float32)
    if name.endswith(("weight", "running_var")):
        return 1 + np.float32(0.1) * np.abs(drawn)
    return np.float32(0.1) * drawn


def fill_(module, seed: int = 0):
    """Give every floating-point entry of a torch module its :func:`weight`; returns the module, ready to evaluate."""
    import torch

    entries = module.state_dict()
    made = {name: value for name, value in entries.items() if value.is_floating_point()}
    with torch.no_grad():
        for name, value in made.items():
            value.copy_(torch.from_numpy(np.asarray(weight(name, value.shape, seed))))
    return module.eval()


def scene(name: str, height: int, width: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """An image (H, W, 3) uint8 RGB of a textured ellipse on a textured background, and the ellipse (H, W) bool."""
    draw = _generator(name)
    y = (np.arange(height)[:, None] + 0.5) / height
    x = (np.arange(width)[None, :] + 0.5) / width
    centre_y, centre_x = (draw.uniform(0.35, 0.65) for _ in range(2))
    radius_y, radius_x = (draw.uniform(0.15, 0.3) for _ in range(2))
    inside = ((y - centre_y) / radius_y) ** 2 + ((x - centre_x) / radius_x) ** 2 < 1
    background, figure = _texture(draw, y, x), _texture(draw, y, x)
    image = np.where(inside[..., None], figure, background)
    return np.rint(image).clip(0, 255).astype(np.uint8), inside


def _texture(draw: np.random.RandomState, y: NDArray, x: NDArray) -> NDArray[np.float64]:
    """Four plane waves on a base in each channel. The order of the draws is part of the rule, and so is 6.28."""
    frequency = draw.uniform(1, 14, (3, 4, 2))
    phase = draw.uniform(0, 6.28, (3, 4))
    amplitude = draw.uniform(8, 26, (3, 4))
    base = draw.uniform(60, 190, 3)
    channels = []
    for c in range(3):
        waves = (
            amplitude[c, i] * np.sin(6.28 * (frequency[c, i, 0] * x + frequency[c, i, 1] * y) + phase[c, i])
            for i in range(4)
        )
        channels.append(base[c] + sum(waves))
    return np.stack(channels, axis=-1)
