"""What SegGPT and Painter share: one network that paints the second of two images as the first is painted.

Both images are squashed to 448 x 448 pixels and laid one above the other, as are the prompt's mask, white on black,
and an empty canvas. What the network paints on the canvas goes back to the image's own size, nearest as torch has it;
a pixel that is nearer to white than to black belongs to the object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg.baselines import _networks
from ipseg.baselines._baseline import Baseline, Prediction, Reference
from ipseg.core import geometry
from ipseg.core.pixels import denormalise, normalise
from ipseg.core.types import ImageArray, Mask
from ipseg.method.encodings import Named
from ipseg.method.pipeline import IPSeg
from ipseg.method.steps import Steps


class InContext(Baseline):
    """A baseline around a ``SegGptForImageSegmentation`` that ``network`` returns."""

    def __init__(self, engine: IPSeg, network: Callable[[], Any], embedding: str) -> None:
        super().__init__(engine.encodings)
        self.engine, self.network, self.embedding = engine, network, embedding

    def predict(self, reference: Reference, image: Named, step: Steps) -> Prediction:
        """Paint the image as the reference is painted."""
        with step("network", 0.1):
            network = self.network()
        with step("mask", 0.3):
            white = _networks.run(self.engine, self._paint, network, reference, image.pixels)
        mask = white > 0.5
        return Prediction(mask, score=float(white[mask].mean()) if mask.any() else 0.0)

    def _paint(self, network: Any, reference: Reference, image: ImageArray) -> NDArray[np.float32]:
        """How white each pixel of the image is painted: (H, W) float32 in [0, 1]."""
        import torch

        side, (height, width) = network.config.image_size[1], image.shape[:2]

        def place(values: NDArray) -> Any:
            return torch.from_numpy(normalise(values)).to(_networks.device(self.engine))

        painted = network(
            pixel_values=place(squashed(image, side)),
            prompt_pixel_values=place(squashed(reference.image.pixels, side)),
            prompt_masks=place(painted_mask(reference.mask, side)),
            embedding_type=self.embedding,
        ).pred_masks[0, :, side:]
        levels = denormalise(painted.float().cpu().numpy())
        shade = np.clip(levels, 0, 1).mean(axis=-1)
        return geometry.sample_cells(shade, geometry.squash_frame((side, side), (height, width)))


def squashed(image: ImageArray, side: int) -> ImageArray:
    """An image on a square, bicubic, as released."""
    return geometry.squash(image, (side, side), Image.Resampling.BICUBIC)


def painted_mask(mask: Mask, side: int) -> ImageArray:
    """A mask in white on a black square, nearest."""
    shown = geometry.squash(mask.astype(np.uint8) * np.uint8(255), (side, side), Image.Resampling.NEAREST)
    return np.repeat(shown[..., None], 3, axis=2)
