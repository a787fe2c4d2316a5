"""CLIP's image encoder through transformers (Table 7): the last block's patches at any grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ipseg.core import geometry
from ipseg.core.types import Device, FeatureMap, ImageArray
from ipseg.features._dense import check_size, patch_map, to_tensor

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of its training set

WEIGHTS = (
    {
        "name": "clip_vit_b16",
        "title": "CLIP ViT-B/16",
        "source": "openai/clip-vit-base-patch16",
        "bytes": 599_000_000,
        "licence": "MIT",
        "revision": "57c216476eefef5ab752ec549e440a49ae4ae5f3",
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    size: int = 960  # pixels of the letterboxed square, a multiple of 16: 60 cells along its side


class CLIP:
    """The layer ``clip`` as a :class:`ipseg.core.types.FeatureExtractor`; it may be shared between threads.

    ``model`` is a ``CLIPVisionModel`` where it runs. Its position embeddings are stretched over the grid.
    """

    density = False

    def __init__(self, model: Any, *, size: int = 960, device: str | torch.device = "cpu") -> None:
        check_size(size, model.config.patch_size)
        self.model, self.size, self.device = model.eval(), size, torch.device(device)

    @torch.no_grad()
    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """(size / 16, size / 16, C) float32 on the letterboxed square."""
        pixels = to_tensor(geometry.letterbox(image, self.size), MEAN, STD)
        dtype = next(self.model.parameters()).dtype
        seen = self.model(pixels.to(self.device, dtype), interpolate_pos_encoding=True)
        return (patch_map("clip", seen.last_hidden_state[0, 1:], image),)


def build(settings: Settings, placement: Device) -> CLIP:
    """The published weights in the model. Raises what :mod:`ipseg.weights` raises."""
    from transformers import CLIPVisionModel

    from ipseg import weights

    model = placement.once("clip_vit_b16", lambda: placement.place(weights.pretrained(CLIPVisionModel, "clip_vit_b16")))
    return CLIP(model, size=settings.size, device=placement.device)
