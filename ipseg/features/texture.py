"""Colour and texture without weights, in a form whose masked average is a density.

Each cell gets a short descriptor of its colour, its surroundings and their texture. It is lifted to random Fourier
features of a Gaussian kernel (Rahimi and Recht, 2007), so the masked average of Eq. 5 is the kernel mean embedding of
the object's descriptors (Smola et al., 2007) and its product with a cell is the density of those descriptors there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.classical.regions import to_lab, working_image
from ipseg.classical.texture import texture_energy
from ipseg.core.geometry import aspect_frame
from ipseg.core.types import FeatureMap, ImageArray


@dataclass(frozen=True)
class Settings:
    """The weights bring every part of the descriptor to about the units of Lab."""

    side: int = 400  # longest side of the working image, in pixels
    cells: int = 60  # cells along the longer side
    channels: int = 1024  # length of the Fourier features; more is closer to the kernel
    width: float = 8.0  # of the kernel, in the units of the descriptor
    lightness: float = 0.4  # weight of L: light changes more than colour does
    colour: float = 0.8  # weight of a and b
    chromaticity: float = 0.4  # weight of the shares of red and green in linear light, which shade leaves alone
    texture: float = 0.5  # weight of the texture of the surroundings
    surroundings: float = 0.04  # radius of the surroundings, the longer side of the image being 1
    seed: int = 0  # of the Fourier frequencies


class TextureFeatures:
    """Dense features; the frequencies are drawn once, from the seed."""

    density = True

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.frequencies = _frequencies(12, settings.channels // 2, settings.width, settings.seed)

    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """One layer, "texture": (rows, columns, channels) float32 of unit length, on square cells over the image."""
        frame = aspect_frame(image.shape[:2], self.settings.cells)
        small = working_image(image, self.settings.side)
        phase = describe(small, frame.grid, self.settings).reshape(-1, 12) @ self.frequencies
        lifted = np.hstack([np.cos(phase), np.sin(phase)]) / np.float32(np.sqrt(phase.shape[1]))
        return (FeatureMap("texture", lifted.reshape(*frame.grid, -1), frame),)


def describe(image: ImageArray, grid: tuple[int, int], settings: Settings) -> NDArray[np.float32]:
    """Colour, chromaticity, and colour and texture of the surroundings of each cell: (rows, columns, 12) float32."""
    lab = to_lab(image)
    scaled = lab * np.array((settings.lightness, settings.colour, settings.colour), dtype=np.float32)
    own = _cells(np.dstack([scaled, settings.chromaticity * _chromaticity(image)]), grid)
    around = np.dstack([scaled, settings.texture * texture_energy(lab)])
    sigma = settings.surroundings * max(grid)
    return np.dstack([own, cv2.GaussianBlur(_cells(around, grid), (0, 0), sigma)]).astype(np.float32)


def _chromaticity(image: ImageArray) -> NDArray[np.float32]:
    light = (image.astype(np.float32) / 255) ** 2.2
    return 100 * light[..., :2] / (light.sum(axis=2, keepdims=True) + 0.02)


def _cells(values: NDArray, grid: tuple[int, int]) -> NDArray[np.float32]:
    layers = [cv2.resize(layer, grid[::-1], interpolation=cv2.INTER_AREA) for layer in np.moveaxis(values, 2, 0)]
    return np.dstack([np.asarray(layer, dtype=np.float32).reshape(grid) for layer in layers])


def _frequencies(dimensions: int, count: int, width: float, seed: int) -> NDArray[np.float32]:
    """Orthogonal random frequencies (Yu et al., 2016), which estimate the kernel better than independent ones."""
    rng = np.random.default_rng(seed)
    blocks = []
    for _ in range(-(-count // dimensions)):
        rotation = np.linalg.qr(rng.standard_normal((dimensions, dimensions)))[0]
        blocks.append(rotation * np.sqrt(rng.chisquare(dimensions, dimensions))[:, None])
    return (np.vstack(blocks)[:count] / width).T.astype(np.float32)


def build(settings: Settings) -> TextureFeatures:
    """The plug-in."""
    return TextureFeatures(settings)
