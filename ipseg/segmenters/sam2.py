"""SAM 2.1 through transformers: a segmenter for machines where ViT-H is too slow; not in the paper.

The image is squashed to the model's square, as its makers do. Nothing is stored between two calls, so threads may share
one model: what an image gave lies in its encoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import Sam2ImageProcessor, Sam2Model

from ipseg import weights
from ipseg.core.choices import check_choice
from ipseg.core.types import Candidates, Device, ImageArray, Points
from ipseg.segmenters._prompts import labelled, nothing

MODELS = ("tiny", "small", "base-plus", "large")

WEIGHTS = (
    {
        "name": "sam2.1-hiera-tiny",
        "title": "SAM 2.1 tiny",
        "source": "facebook/sam2.1-hiera-tiny",
        "files": (
            ("config.json",),
            ("model.safetensors", "pytorch_model.bin"),
            ("preprocessor_config.json", "processor_config.json"),
        ),
        "bytes": 156_000_000,
        "licence": "Apache-2.0",
        "revision": "de431c4043854a71d8101e17995dfe596bf101a5",
        "model": "tiny",
    },
    {
        "name": "sam2.1-hiera-small",
        "title": "SAM 2.1 small",
        "source": "facebook/sam2.1-hiera-small",
        "files": (
            ("config.json",),
            ("model.safetensors", "pytorch_model.bin"),
            ("preprocessor_config.json", "processor_config.json"),
        ),
        "bytes": 184_000_000,
        "licence": "Apache-2.0",
        "revision": "ee5bba1d82bb8749febdf90f45e84b687142ba03",
        "model": "small",
    },
    {
        "name": "sam2.1-hiera-base-plus",
        "title": "SAM 2.1 base-plus",
        "source": "facebook/sam2.1-hiera-base-plus",
        "files": (
            ("config.json",),
            ("model.safetensors", "pytorch_model.bin"),
            ("preprocessor_config.json", "processor_config.json"),
        ),
        "bytes": 324_000_000,
        "licence": "Apache-2.0",
        "revision": "b7320756a13354e7530a63935656d35b2f91a290",
        "model": "base-plus",
    },
    {
        "name": "sam2.1-hiera-large",
        "title": "SAM 2.1 large",
        "source": "facebook/sam2.1-hiera-large",
        "files": (
            ("config.json",),
            ("model.safetensors", "pytorch_model.bin"),
            ("preprocessor_config.json", "processor_config.json"),
        ),
        "bytes": 898_000_000,
        "licence": "Apache-2.0",
        "revision": "665f8e2ad61cf5f53d65644ff27c8ee525124610",
        "model": "large",
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    model: str = "tiny"  # tiny, small, base-plus or large


@dataclass(frozen=True)
class Encoding:
    """One image as SAM 2 sees it."""

    embeddings: tuple[Tensor, ...]  # (1, C, h, w) float32, finest first, on the model's device
    original_size: tuple[int, int]  # (height, width) of the image


class SegmentAnything2:
    """A :class:`ipseg.core.types.Segmenter` around a ``Sam2Model``, on ``device`` already, and the processor of its
    makers.

    Its vision encoder may be of another dtype, and elsewhere as long as a hook brings it when it is called; the prompt
    encoder and the mask decoder, which are small, are float32 on the device.
    """

    accepts_prior = False
    is_sam = False  # not of the segment-anything package

    def __init__(self, model: Sam2Model, processor: Sam2ImageProcessor, *, device: str | torch.device = "cpu") -> None:
        self.model: Any = model.eval()
        self.processor, self.device = processor, torch.device(device)

    @torch.inference_mode()
    def encode(self, image: ImageArray) -> Encoding:
        """Run the vision encoder on the squashed image. The slow part, once per image."""
        pixels = self.processor(images=np.array(image), return_tensors="pt")["pixel_values"]
        weight = next(self.model.vision_encoder.parameters())
        seen = self.model.vision_encoder(pixels.to(self.device, weight.dtype)).fpn_hidden_states
        fine, middle, coarse = (level.float() for level in seen)
        decoder, nothing_before = self.model.mask_decoder, self.model.no_memory_embedding.reshape(1, -1, 1, 1)
        embeddings = (decoder.conv_s0(fine), decoder.conv_s1(middle), coarse + nothing_before)
        return Encoding(embeddings, image.shape[:2])

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
    ) -> Candidates:
        """One mask, or (``several``) three, for ``points``, ``mask_logits`` (256, 256) as it returns them, and a box.

        Points enter as they are, in the continuous frame of the image, as they do into SAM. With
        neither a positive point nor a box the masks are empty. Raises ValueError for a ``prior``.
        """
        if prior is not None:
            raise ValueError("expected no prior: this segmenter does not accept one")
        if not len(points.positive) and box is None:
            return nothing(encoding.original_size, self.model.prompt_encoder.mask_input_size, several=several)
        xy, labels = labelled(points)
        answer = self.model(
            image_embeddings=list(encoding.embeddings),
            input_points=self._scaled(xy, encoding)[None, None],
            input_labels=torch.as_tensor(labels, device=self.device)[None, None],
            input_boxes=None if box is None else self._scaled(np.reshape(box, (2, 2)), encoding).view(1, 1, 4),
            input_masks=None if mask_logits is None else self._place(mask_logits)[None, None],
            multimask_output=several,
        )
        return self._candidates(encoding, answer.pred_masks[0], answer.iou_scores[0, 0])

    def _scaled(self, xy: NDArray, encoding: Encoding) -> Tensor:
        height, width = encoding.original_size
        side = self.model.prompt_encoder.input_image_size
        return self._place(xy * (side / width, side / height))

    def _place(self, values: NDArray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.device)

    def _candidates(self, encoding: Encoding, logits: Tensor, scores: Tensor) -> Candidates:
        whole = functional.interpolate(logits, encoding.original_size, mode="bilinear", align_corners=False)
        return Candidates((whole[0] > 0).cpu().numpy(), scores.cpu().numpy(), logits[0].cpu().numpy())


def build(settings: Settings, placement: Device) -> SegmentAnything2:
    """The published folder. Raises :class:`ipseg.weights.WeightError` when it is missing or wrong."""
    check_choice(settings.model, MODELS, 'There is no SAM 2.1 "{}"')
    name = f"sam2.1-hiera-{settings.model}"

    def load() -> Sam2Model:
        loaded = weights.pretrained(Sam2Model, name)
        return placement.place(loaded, loaded.vision_encoder)

    def load_processor() -> Sam2ImageProcessor:
        with weights.checked(name) as folder:
            return Sam2ImageProcessor.from_pretrained(folder, local_files_only=True)

    model = placement.once(name, load)
    processor = placement.once(f"{name} processor", load_processor)
    return SegmentAnything2(model, processor, device=placement.device)
