"""What is computed once per image and cached under the name of the image's content.

The method and the baselines share one instance, so an image is encoded once for all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, images
from ipseg.core.cache import Cache
from ipseg.core.images import Source
from ipseg.core.types import (
    Device,
    FeatureExtractor,
    FeatureMap,
    ImageArray,
    Mask,
    ObjectVectors,
    SaliencyMethod,
    Segmenter,
)
from ipseg.method import refinement
from ipseg.method.similarity import log_odds


class Named(NamedTuple):
    """An image with the name of its content, under which what is computed from it is cached."""

    pixels: ImageArray
    name: str


def named(source: Source) -> Named:
    """Open an image and name it. Raises as :func:`ipseg.core.images.open_image` does."""
    image = images.open_image(source)
    return Named(image, images.fingerprint(image))


class Encodings:
    """Feature extractor, saliency method and segmenter over one cache. It may be shared between threads.

    ``consensus``: whether the foreground probability of an image is its saliency map as it is, or the share of the
    segmenter's candidates for that map that hold a pixel. ``device``: where the networks run, for :meth:`prepare`.
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
        device: Device | None = None,
    ) -> None:
        self.extractor, self.detector, self.segmenter, self.consensus = extractor, detector, segmenter, consensus
        self.cache = cache or Cache(cache_bytes)
        self.device = device

    @property
    def parts(self) -> tuple[Any, ...]:
        """All that the cached values depend on beside the images."""
        return self.extractor, self.detector, self.segmenter, self.consensus

    def features(self, image: Named) -> tuple[FeatureMap, ...]:
        """F of section 3.3.1: dense features, every layer of them."""
        return self.compute_once("features", image, lambda: self.extractor(image.pixels))

    def prompt_features(self, image: Named) -> tuple[FeatureMap, ...]:
        """:meth:`features`, then the layers that the extractor has for prompt images alone."""
        return *self.features(image), *self.prompt_layers(image)

    def prompt_layers(self, image: Named) -> tuple[FeatureMap, ...]:
        """The layers that the extractor has for prompt images alone; () where it has none."""
        compute = getattr(self.extractor, "prompt_layers", lambda _: ())
        return self.compute_once("prompt layers", image, lambda: compute(image.pixels))

    def whole(self, image: Named, mask: Mask) -> ObjectVectors:
        """The extractor's vectors of what a mask (H, W) bool of an image holds as a whole; () where it has none."""
        compute = getattr(self.extractor, "whole", None)
        if compute is None:
            return ()
        digest = hashlib.blake2b(np.packbits(mask).tobytes(), digest_size=16).hexdigest()
        return self.compute_once(f"whole {digest}", image, lambda: compute(image.pixels, mask))

    def encoding(self, image: Named) -> Any:
        """Enc_I(I) of Eq. 1: what :meth:`ipseg.core.types.Segmenter.encode` returns."""
        return self.compute_once("encoding", image, lambda: self.segmenter.encode(image.pixels))

    def prepare(self, image: Named) -> None:
        """Cache :meth:`features` and :meth:`encoding` of a new image where the device computes them at once."""
        new = not self.has("features", image) and not self.has("encoding", image)
        if self.device is not None and self.device.overlaps and new:
            self.compute_once("both", image, partial(self._both, self.device, image))

    def saliency(self, image: Named) -> NDArray[np.float32]:
        """The saliency method's map, (H, W) in [0, 1]; not cached. Features are computed only if it asks for them."""
        if getattr(self.detector, "reads_features", False):
            found = self.features(image)
            return self.detector(image.pixels, lambda: found)
        return self.detector(image.pixels, lambda: self.features(image))

    def foreground(self, image: Named) -> NDArray[np.float32]:
        """MS of Eq. 5: the foreground probability, (H, W) in [0, 1]."""
        compute = self._consensus if self.consensus else self.saliency
        return self.compute_once("foreground", image, lambda: compute(image))

    def has(self, part: str, image: Named) -> bool:
        """Whether that part of an image's encodings is cached."""
        return self.cache.has((part, image.name))

    def compute_once(self, part: str, image: Named, compute: Callable[[], Any]) -> Any:
        """The value cached for an image under ``part``, or ``compute()``, which is then cached.

        ``part`` names everything that the value depends on beside the image."""
        return self.cache.get((part, image.name), compute)

    def _both(self, device: Device, image: Named) -> tuple[()]:
        calls = [partial(self.extractor, image.pixels), partial(self.segmenter.encode, image.pixels)]
        for part, value in zip(("features", "encoding"), device.at_once(calls), strict=True):
            self.cache.put((part, image.name), value)
        return ()

    def _consensus(self, image: Named) -> NDArray[np.float32]:
        agreed = refinement.consensus(self.segmenter, self.encoding(image), log_odds(self.saliency(image)))
        return geometry.to_image(agreed, geometry.squash_frame(image.pixels.shape[:2], agreed.shape))
