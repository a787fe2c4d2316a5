"""What the parts of an engine see in an image: computed once, kept under the name of the image's content.

One perception serves the method and its rivals, so an image is encoded once whoever asks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, images
from ipseg.core.cache import Cache
from ipseg.core.images import Source
from ipseg.core.types import FeatureExtractor, FeatureMap, Picture, SaliencyMethod, Segmenter
from ipseg.method import refinement


class Named(NamedTuple):
    """An image with the name of its content, under which what is computed from it is kept."""

    pixels: Picture
    name: str


def named(source: Source) -> Named:
    """Open an image and name it. Raises as :func:`ipseg.core.images.open_image` does."""
    picture = images.open_image(source)
    return Named(picture, images.fingerprint(picture))


class Encodings:
    """Feature extractor, saliency method and segmenter over one cache. It may be shared between threads.

    ``settled``: whether the belief about an image is its saliency map as it is, or what the segmenter's own candidates
    make of that map.
    """

    def __init__(
        self,
        features: FeatureExtractor,
        saliency: SaliencyMethod,
        segmenter: Segmenter,
        *,
        settled: bool = False,
        cache_bytes: int = 96 * 2**20,
    ) -> None:
        self.extractor, self.detector, self.segmenter, self.settled = features, saliency, segmenter, settled
        self.cache = Cache(cache_bytes)

    def features(self, picture: Named) -> tuple[FeatureMap, ...]:
        """Dense features (section 3.3.1), every layer of them."""
        return self.keep("features", picture, lambda: self.extractor(picture.pixels))

    def encoding(self, picture: Named) -> Any:
        """Enc_I(I) of Eq. 1: the segmenter's own."""
        return self.keep("encoding", picture, lambda: self.segmenter.encode(picture.pixels))

    def saliency(self, picture: Named) -> NDArray[np.float32]:
        """What the saliency method says, (H, W) in [0, 1]; not kept."""
        detector: Any = self.detector
        if "features" not in inspect.signature(detector).parameters:
            return detector(picture.pixels)
        return detector(picture.pixels, features=self.features(picture))  # it is handed those that are there

    def belief(self, picture: Named) -> NDArray[np.float32]:
        """MS of Eq. 5: where the object of the image is, (H, W) in [0, 1]."""
        return self.keep("belief", picture, lambda: self._settled(picture) if self.settled else self.saliency(picture))

    def has(self, part: str, picture: Named) -> bool:
        """Whether that part of what is seen in an image is kept already."""
        return self.cache.has((part, picture.name))

    def keep(self, part: str, picture: Named, compute: Callable[[], Any]) -> Any:
        """What is kept of an image under ``part``, which names all that it depends on beside the image."""
        return self.cache.get((part, picture.name), compute)

    def _settled(self, picture: Named) -> NDArray[np.float32]:
        agreed = refinement.consensus(self.segmenter, self.encoding(picture), log_odds(self.saliency(picture)))
        return geometry.to_picture(agreed, geometry.squash_frame(picture.pixels.shape[:2], agreed.shape))


def log_odds(belief: NDArray) -> NDArray[np.float32]:
    """Belief in [0, 1] as log odds, kept within 0.05 and 0.95: nothing that is only believed is certain."""
    kept = np.clip(belief, 0.05, 0.95)
    return np.log(kept / (1 - kept)).astype(np.float32)
