"""What is computed once per image and cached under the name of the image's content.

One instance serves the method and the baselines, so an image is encoded once whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, images
from ipseg.core.cache import Cache
from ipseg.core.images import Source
from ipseg.core.types import FeatureExtractor, FeatureMap, ImageArray, SaliencyMethod, Segmenter
from ipseg.method import refinement
from ipseg.method.similarity import log_odds


class Named(NamedTuple):
    """An image with the name of its content, under which what is computed from it is cached."""

    pixels: ImageArray
    name: str


def named(source: Source) -> Named:
    """Open an image and name it. Raises as :func:`ipseg.core.images.open_image` does."""
    picture = images.open_image(source)
    return Named(picture, images.fingerprint(picture))


class Encodings:
    """Feature extractor, saliency method and segmenter over one cache. It may be shared between threads.

    ``consensus``: whether the foreground probability of an image is its saliency map as it is, or the share of the
    segmenter's candidates for that map that hold a pixel.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        detector: SaliencyMethod,
        segmenter: Segmenter,
        *,
        consensus: bool = False,
        cache: Cache | None = None,
        cache_bytes: int = 128 * 2**20,
    ) -> None:
        self.extractor, self.detector, self.segmenter, self.consensus = extractor, detector, segmenter, consensus
        self.cache = cache or Cache(cache_bytes)

    @property
    def parts(self) -> tuple[Any, ...]:
        """All that the cached values depend on beside the images."""
        return self.extractor, self.detector, self.segmenter, self.consensus

    def features(self, picture: Named) -> tuple[FeatureMap, ...]:
        """F of section 3.3.1: dense features, every layer of them."""
        return self.keep("features", picture, lambda: self.extractor(picture.pixels))

    def encoding(self, picture: Named) -> Any:
        """Enc_I(I) of Eq. 1: the segmenter's own."""
        return self.keep("encoding", picture, lambda: self.segmenter.encode(picture.pixels))

    def saliency(self, picture: Named) -> NDArray[np.float32]:
        """The saliency method's map, (H, W) in [0, 1]; not cached. Features are computed only if it asks for them."""
        return self.detector(picture.pixels, lambda: self.features(picture))

    def foreground(self, picture: Named) -> NDArray[np.float32]:
        """MS of Eq. 5: the foreground probability, (H, W) in [0, 1]."""
        compute = self._consensus if self.consensus else self.saliency
        return self.keep("foreground", picture, lambda: compute(picture))

    def has(self, part: str, picture: Named) -> bool:
        """Whether that part of an image's encodings is cached."""
        return self.cache.has((part, picture.name))

    def keep(self, part: str, picture: Named, compute: Callable[[], Any]) -> Any:
        """What is cached of an image under ``part``, which names all that it depends on beside the image."""
        return self.cache.get((part, picture.name), compute)

    def _consensus(self, picture: Named) -> NDArray[np.float32]:
        agreed = refinement.consensus(self.segmenter, self.encoding(picture), log_odds(self.saliency(picture)))
        return geometry.to_image(agreed, geometry.squash_frame(picture.pixels.shape[:2], agreed.shape))
