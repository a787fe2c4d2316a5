"""What PerSAM and PerSAM-F see of a reference: the cells of SAM's own encoding that are the object."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from ipseg.core import geometry
from ipseg.core.types import Mask, Points, SAMSegmenter, Similarity
from ipseg.core.vectors import to_numpy
from ipseg.method import similarity
from ipseg.method.encodings import Named
from ipseg.method.pipeline import IPSeg
from ipseg.method.steps import Steps

LEVEL = 128  # of the object in PerSeg's mask files, which decides what the normalisation leaves above 0


class SAMEncodings:
    """SAM and its encodings of images, shared with the engine; unsquashed even where the engine squashes."""

    def __init__(self, engine: IPSeg) -> None:
        self.encodings, self.segmenter = engine.encodings, cast(SAMSegmenter, engine.segmenter)
        self.own = self.segmenter.squash
        if self.own:
            self.segmenter = self.segmenter.unsquashed()

    def encoding(self, image: Named) -> Any:
        """The engine's encoding of an image, or one of its own where the engine's is squashed."""
        if not self.own:
            return self.encodings.encoding(image)
        return self.encodings.compute_once("unsquashed", image, lambda: self.segmenter.encode(image.pixels))

    def compared(self, target: Tensor, image: Named, step: Steps) -> tuple[Any, Tensor, Tensor]:
        """The encoding of an image, and the cosine of a (C,) vector with its cells (h, w) and over the image (H, W)."""
        with step("encoding", 0.1, self.has(image)):
            encoding = self.encoding(image)
        with step("similarity", 0.6):
            cells = cosine(target, encoding)
            return encoding, cells, onto_image(cells, encoding, self.segmenter)

    def has(self, image: Named) -> bool:
        """Whether it is cached already."""
        return self.encodings.has("unsquashed" if self.own else "encoding", image)

    def cells(self, mask: Mask, encoding: Any) -> NDArray[np.bool_]:
        """The cells of the embedding that are the object, as released: (h, w) bool.

        The mask is scaled and padded like its image, normalised like it, brought to the cells without antialiasing,
        and cut at 0. An object too thin to reach a cell gets the cells that hold most of it.
        """
        sam = self.segmenter.sam
        levels = np.repeat(mask[..., None].astype(np.uint8) * LEVEL, 3, axis=2)
        scaled = geometry.squash(levels, encoding.input_size, Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(scaled).permute(2, 0, 1)[None].to(self.segmenter.device)
        grid = encoding.embedding.shape[-2:]
        found = functional.interpolate(sam.preprocess(pixels), grid, mode="bilinear", align_corners=False)[0, 0] > 0
        if not found.any():
            held = functional.interpolate(sam.preprocess(pixels), grid, mode="area")[0, 0]
            found = held == held.max()
        return found.cpu().numpy()


def features(encoding: Any) -> Tensor:
    """(h, w, C) of an encoding."""
    return encoding.embedding[0].permute(1, 2, 0)


def cosine(vector: Tensor, encoding: Any) -> Tensor:
    """Cosine of a (C,) vector with every cell: (h, w) in [-1, 1]."""
    return similarity.cosine(vector, features(encoding))


def onto_image(values: Tensor, encoding: Any, segmenter: Any) -> Tensor:
    """(h, w) on cells, enlarged to SAM's low resolution and brought to the image as its masks are: (H, W)."""
    low = functional.interpolate(values[None, None], scale_factor=4, mode="bilinear", align_corners=False)
    return segmenter.sam.postprocess_masks(low, encoding.input_size, encoding.original_size)[0, 0]


def extremes(values: Tensor, *, negative: bool) -> Points:
    """The most similar pixel and, with ``negative``, the least similar one; (x, y) of whole pixels, as released."""
    width = values.shape[1]
    flat = values.flatten()
    most, least = (divmod(int(index), width)[::-1] for index in (flat.argmax(), flat.argmin()))
    nothing = np.empty((0, 2), np.float32)
    return Points(np.array([most], np.float32), np.array([least], np.float32) if negative else nothing)


def to_similarity(cells: Any, encoding: Any) -> Similarity:
    """(h, w) cosines on SAM's square as a similarity over exactly the image: the padding cut away, nearest."""
    values = to_numpy(cells)
    side = max(encoding.input_size)
    rows, columns = (
        (np.arange(n) * extent // side).astype(int) for n, extent in zip(values.shape, encoding.input_size, strict=True)
    )
    frame = geometry.squash_frame(encoding.original_size, (len(rows), len(columns)))
    return Similarity(values[rows][:, columns], geometry.cells_inside(frame), frame)
