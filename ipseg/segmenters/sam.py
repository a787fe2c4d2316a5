"""SAM, the segmenter of the paper (ViT-H), from the segment-anything package: one encoding per image, then prompts.

Nothing is stored between two calls, so threads may share one model: what an image gave lies in its encoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from segment_anything import sam_model_registry
from segment_anything.modeling import Sam
from torch import Tensor

from ipseg import weights
from ipseg.core import geometry
from ipseg.core.choices import check_choice
from ipseg.core.pixels import IMAGENET_MEAN, IMAGENET_STD
from ipseg.core.types import Candidates, Device, ImageArray, Points
from ipseg.segmenters._prompts import labelled, nothing
from ipseg.segmenters._sam_attention import fuse

MODELS = ("vit_b", "vit_l", "vit_h")

WEIGHTS = (
    {
        "name": "sam_vit_b",
        "title": "SAM ViT-B",
        "source": "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_b_01ec64.pth",
        "mirror": "ybelkada/segment-anything/checkpoints",
        "bytes": 375_042_383,
        "licence": "Apache-2.0",
        "sha256": "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        "model": "vit_b",
    },
    {
        "name": "sam_vit_l",
        "title": "SAM ViT-L",
        "source": "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_l_0b3195.pth",
        "mirror": "ybelkada/segment-anything/checkpoints",
        "bytes": 1_249_524_607,
        "licence": "Apache-2.0",
        "sha256": "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        "model": "vit_l",
    },
    {
        "name": "sam_vit_h",
        "title": "SAM ViT-H",
        "source": "https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth",
        "mirror": "ybelkada/segment-anything/checkpoints",
        "bytes": 2_564_550_879,
        "licence": "Apache-2.0",
        "sha256": "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        "model": "vit_h",
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    model: str = "vit_h"  # vit_b, vit_l or vit_h
    squash: bool = False  # the image squashed to the model's square, as released; else scaled and padded, as SAM does


@dataclass(frozen=True)
class Encoding:
    """One image as SAM sees it."""

    embedding: Tensor  # (1, 256, 64, 64) float32, on the model's device
    original_size: tuple[int, int]  # (height, width) of the image
    input_size: tuple[int, int]  # (height, width) of the image in the model's square, before padding


class SegmentAnything:
    """A :class:`ipseg.core.types.Segmenter` around a ``Sam`` that is on ``device`` already.

    Its image encoder may be of another dtype, and elsewhere as long as a hook brings it when it is called; the prompt
    encoder and the mask decoder, which are small, are float32 on the device.
    """

    accepts_prior = False
    is_sam = True

    def __init__(self, sam: Sam, *, squash: bool = False, device: str | torch.device = "cpu") -> None:
        self.sam, self.squash, self.device = sam.eval(), squash, torch.device(device)
        fuse(self.sam)

    @torch.inference_mode()
    def encode(self, image: ImageArray) -> Encoding:
        """Scale the image to the model's square and run the image encoder. The slow part, once per image."""
        size = image.shape[:2]
        inner = self._input_size(size)
        pixels = torch.from_numpy(self._squared(image, inner)).permute(2, 0, 1).to(self.device, torch.float32)
        square = self.sam.preprocess(pixels)[None]
        weight = next(self.sam.image_encoder.parameters())
        return Encoding(self.sam.image_encoder(square.to(weight.dtype)).float(), size, inner)

    @torch.inference_mode()
    def predict(
        self,
        encoding: Encoding,
        points: Points,
        *,
        mask_logits: NDArray[np.float32] | None = None,
        prior: NDArray[np.float32] | None = None,
        box: tuple[float, float, float, float] | None = None,
        several: bool = False,
        decoder: Any = None,
    ) -> Candidates:
        """One mask, or (``several``) three, for ``points``, ``mask_logits`` (256, 256) as it returns them, and a box.

        ``decoder`` takes the place of the model's own mask decoder, for this call alone. Points enter as they are, in
        the continuous frame of the image, as in the released script. With neither a positive point nor a box the
        masks are empty. Raises ValueError for a ``prior``.
        """
        if prior is not None:
            raise ValueError("expected no prior: this segmenter does not accept one")
        if not len(points.positive) and box is None:
            return nothing(encoding.original_size, self.sam.prompt_encoder.mask_input_size, several=several)
        xy, labels = labelled(points)
        sparse, dense = self.sam.prompt_encoder(
            points=(self._scaled(xy, encoding)[None], self._place(labels)[None]),
            boxes=None if box is None else self._scaled(np.reshape(box, (2, 2)), encoding).view(1, 4),
            masks=None if mask_logits is None else self._place(mask_logits)[None, None],
        )
        logits, scores = (decoder or self.sam.mask_decoder)(
            image_embeddings=encoding.embedding,
            image_pe=self.sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )
        return self._candidates(encoding, logits, scores)

    def unsquashed(self) -> SegmentAnything:
        """The same network on images that are scaled and padded."""
        return SegmentAnything(self.sam, device=self.device)

    @torch.inference_mode()
    def enlarge(
        self, encoding: Encoding, logits: NDArray[np.float32], size: tuple[int, int] | None = None
    ) -> NDArray[np.float32]:
        """(n, 256, 256) logits brought to the image, bilinear: (n, H, W) float32, or (n, *size) of a reduced one."""
        low = self._place(logits)[None]
        return self.sam.postprocess_masks(low, encoding.input_size, size or encoding.original_size)[0].cpu().numpy()

    def _input_size(self, size: tuple[int, int]) -> tuple[int, int]:
        side = self.sam.image_encoder.img_size
        if self.squash:
            return side, side
        scale = side / max(size)
        return int(size[0] * scale + 0.5), int(size[1] * scale + 0.5)

    def _squared(self, image: ImageArray, size: tuple[int, int]) -> NDArray[np.uint8]:
        """Bilinear: squashed by OpenCV without antialiasing, as released; else by Pillow with it, as SAM learnt."""
        if self.squash:
            return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
        return geometry.squash(image, size, Image.Resampling.BILINEAR)

    def _scaled(self, xy: NDArray, encoding: Encoding) -> Tensor:
        (height, width), (inner_height, inner_width) = encoding.original_size, encoding.input_size
        return self._place(xy * (inner_width / width, inner_height / height))

    def _place(self, values: NDArray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def _candidates(self, encoding: Encoding, logits: Tensor, scores: Tensor) -> Candidates:
        whole = self.sam.postprocess_masks(logits, encoding.input_size, encoding.original_size)
        masks = whole[0] > self.sam.mask_threshold
        return Candidates(masks.cpu().numpy(), scores[0].cpu().numpy(), logits[0].cpu().numpy())


def build(settings: Settings, placement: Device) -> SegmentAnything:
    """The published weights in the model. Raises :class:`ipseg.weights.WeightError` when they are missing or wrong."""
    check_choice(settings.model, MODELS, 'There is no SAM "{}"')
    sam = placement.once(settings.model, lambda: _load(settings.model, placement))
    return SegmentAnything(sam, squash=settings.squash, device=placement.device)


def _load(model: str, placement: Device) -> Sam:
    name = f"sam_{model}"
    with torch.device("meta"):  # no work on weights that are about to be replaced
        sam = sam_model_registry[model]()
    # the only buffers that are not in a checkpoint
    for buffer, values in (("pixel_mean", IMAGENET_MEAN), ("pixel_std", IMAGENET_STD)):
        setattr(sam, buffer, torch.tensor([255 * value for value in values]).view(-1, 1, 1))
    sam = weights.fill(sam, weights.load_state(weights.locate(name)), name)
    return placement.place(sam, sam.image_encoder)
