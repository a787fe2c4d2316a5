"""MAE's encoder through transformers (Table 7): all patches of the image, none masked, at any grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ipseg.core import geometry
from ipseg.core.types import Device, FeatureMap, ImageArray
from ipseg.features._dense import check_size, patch_map, to_tensor

WEIGHTS = (
    {
        "name": "mae_base",
        "title": "MAE ViT-B/16",
        "source": "facebook/vit-mae-base",
        "bytes": 448_000_000,
        "licence": "CC-BY-NC",
        "revision": "25b184bea5538bf5c4c852c79d221195fdd2778d",
        "note": "not for commercial use",
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    size: int = 960  # pixels of the letterboxed square, a multiple of 16: 60 cells along its side


class MAE:
    """The layer ``mae`` as a :class:`ipseg.core.types.FeatureExtractor`; it may be shared between threads.

    ``model`` is a ``ViTMAEModel`` where it runs; its random masking is switched off. Its position embeddings are
    stretched over the grid.
    """

    density = False

    def __init__(self, model: Any, *, size: int = 960, device: str | torch.device = "cpu") -> None:
        check_size(size, model.config.patch_size)
        model.config.mask_ratio = 0.0
        self.model, self.size, self.device = model.eval(), size, torch.device(device)
        self._order = torch.arange((size // model.config.patch_size) ** 2, dtype=torch.float32, device=device)[None]

    @torch.no_grad()
    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """(size / 16, size / 16, C) float32 on the letterboxed square."""
        pixels = to_tensor(geometry.letterbox(image, self.size))
        dtype = next(self.model.parameters()).dtype
        # the model sorts its patches by this "noise" before it masks them; in reading order they stay where they are
        seen = self.model(pixels.to(self.device, dtype), noise=self._order, interpolate_pos_encoding=True)
        return (patch_map("mae", seen.last_hidden_state[0, 1:], image),)


def build(settings: Settings, placement: Device) -> MAE:
    """The published weights in the model. Raises what :mod:`ipseg.weights` raises."""
    from transformers import ViTMAEModel

    from ipseg import weights

    model = placement.once("mae_base", lambda: placement.place(weights.pretrained(ViTMAEModel, "mae_base")))
    return MAE(model, size=settings.size, device=placement.device)
