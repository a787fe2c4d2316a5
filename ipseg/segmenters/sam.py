"""SAM, the segmenter of the paper (ViT-H), from the segment-anything package: one encoding per picture, then prompts.

Nothing is kept between two calls, so threads may share one model: what a picture gave lies in its encoding.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from segment_anything.modeling import Sam
from torch import Tensor

from ipseg.segmenters._prompts import labelled, nothing
from ipseg.types import Candidates, Picture, Points

MODELS = ("vit_b", "vit_l", "vit_h")


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    model: str = "vit_h"  # vit_b, vit_l or vit_h
    squash: bool = False  # the picture squashed to the model's square, as released; else scaled and padded, as SAM does
    device: str = "cpu"  # where it runs when no placement decides


@dataclass(frozen=True)
class Encoding:
    """One picture as SAM sees it."""

    embedding: Tensor  # (1, 256, 64, 64) float32, on the model's device
    original_size: tuple[int, int]  # (height, width) of the picture
    input_size: tuple[int, int]  # (height, width) of the picture in the model's square, before padding


class SegmentAnything:
    """A :class:`ipseg.types.Segmenter` around a ``Sam``."""

    def __init__(self, sam: Sam, *, squash: bool = False, device: str | torch.device = "cpu") -> None:
        self.sam, self.squash, self.device = sam.to(device).eval(), squash, torch.device(device)

    @torch.inference_mode()
    def encode(self, picture: Picture) -> Encoding:
        """Scale the picture to the model's square and run the image encoder. The slow part, once per picture."""
        size = picture.shape[:2]
        inner = self._input_size(size)
        pixels = torch.from_numpy(self._squared(picture, inner)).permute(2, 0, 1).to(self.device, torch.float32)
        square = self.sam.preprocess(pixels)[None]
        weight = next(self.sam.image_encoder.parameters())
        return Encoding(self.sam.image_encoder(square.to(weight.dtype)).float(), size, inner)

    @torch.inference_mode()
    def predict(
        self,
        encoding: Encoding,
        points: Points,
        *,
        mask: NDArray[np.float32] | None = None,
        box: tuple[float, float, float, float] | None = None,
        several: bool = False,
    ) -> Candidates:
        """One mask, or (``several``) three, for ``points``, a mask prompt (256, 256) of logits, and a box.

        Points enter as they are, in the continuous frame of the picture, as in the released script. With neither a
        positive point nor a box the masks are empty.
        """
        if not len(points.positive) and box is None:
            return nothing(encoding.original_size, self.sam.prompt_encoder.mask_input_size, several=several)
        xy, labels = labelled(points)
        sparse, dense = self.sam.prompt_encoder(
            points=(self._scaled(xy, encoding)[None], self._place(labels)[None]),
            boxes=None if box is None else self._scaled(np.reshape(box, (2, 2)), encoding).view(1, 4),
            masks=None if mask is None else self._place(mask)[None, None],
        )
        logits, scores = self.sam.mask_decoder(
            image_embeddings=encoding.embedding,
            image_pe=self.sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )
        return self._candidates(encoding, logits, scores)

    def _input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        side = self.sam.image_encoder.img_size
        if self.squash:
            return side, side
        scale = side / max(size)
        return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)

    def _squared(self, picture: Picture, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Bilinear: squashed by OpenCV without antialiasing, as released, else by Pillow with it, as SAM was trained."""
        if self.squash:
            return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_LINEAR)
        return np.array(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR))

    def _scaled(self, xy: NDArray, encoding: Encoding) -> Tensor:
        (height, width), (inner_height, inner_width) = encoding.original_size, encoding.input_size
        return self._place(xy * (inner_width / width, inner_height / height))

    def _place(self, values: NDArray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def _candidates(self, encoding: Encoding, logits: Tensor, scores: Tensor) -> Candidates:
        whole = self.sam.postprocess_masks(logits, encoding.input_size, encoding.original_size)
        masks = whole[0] > self.sam.mask_threshold
        return Candidates(masks.cpu().numpy(), scores[0].cpu().numpy(), logits[0].cpu().numpy())
