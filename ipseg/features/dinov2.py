"""DINOv2 through transformers: the paper's high-level features (section 3.3.1), the last block before its norm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ipseg.core import geometry
from ipseg.core.choices import check_choice
from ipseg.core.types import Device, FeatureMap, ImageArray
from ipseg.features._dense import check_size, patch_map, to_tensor

MODELS = ("small", "base", "large", "giant")

WEIGHTS = (
    {
        "name": "dinov2_small",
        "title": "DINOv2 ViT-S/14",
        "source": "facebook/dinov2-small",
        "bytes": 88_000_000,
        "licence": "Apache-2.0",
        "revision": "ed25f3a31f01632728cabb09d1542f84ab7b0056",
        "model": "small",
    },
    {
        "name": "dinov2_base",
        "title": "DINOv2 ViT-B/14",
        "source": "facebook/dinov2-base",
        "bytes": 346_000_000,
        "licence": "Apache-2.0",
        "revision": "f9e44c814b77203eaa57a6bdbbd535f21ede1415",
        "model": "base",
    },
    {
        "name": "dinov2_large",
        "title": "DINOv2 ViT-L/14",
        "source": "facebook/dinov2-large",
        "bytes": 1_217_000_000,
        "licence": "Apache-2.0",
        "revision": "47b73eefe95e8d44ec3623f8890bd894b6ea2d6c",
        "model": "large",
    },
    {
        "name": "dinov2_giant",
        "title": "DINOv2 ViT-g/14",
        "source": "facebook/dinov2-giant",
        "bytes": 4_546_000_000,
        "licence": "Apache-2.0",
        "revision": "611a9d42f2335e0f921f1e313ad3c1b7178d206d",
        "model": "giant",
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    model: str = "base"  # small, base, large or giant
    size: int = 840  # pixels of the letterboxed square, a multiple of 14: 60 cells along its side


class DINOv2:
    """The layer ``dinov2`` as a :class:`ipseg.core.types.FeatureExtractor`; it may be shared between threads.

    ``model`` is a ``Dinov2Model`` where it runs; its final norm is taken out of it.
    """

    density = False

    def __init__(self, model: Any, *, size: int = 840, device: str | torch.device = "cpu") -> None:
        check_size(size, model.config.patch_size)
        model.layernorm = nn.Identity()
        self.model, self.size, self.device = model.eval(), size, torch.device(device)

    @torch.no_grad()
    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """(size / 14, size / 14, C) float32 on the letterboxed square."""
        pixels = to_tensor(geometry.letterbox(image, self.size))
        dtype = next(self.model.parameters()).dtype
        tokens = self.model(pixels.to(self.device, dtype)).last_hidden_state[0, 1:]
        return (patch_map("dinov2", tokens, image),)


def build(settings: Settings, placement: Device) -> DINOv2:
    """The published weights in the model. Raises what :mod:`ipseg.weights` raises."""
    from transformers import Dinov2Model

    from ipseg import weights

    check_choice(settings.model, MODELS, 'There is no DINOv2 "{}"')
    name = f"dinov2_{settings.model}"
    model = placement.once(name, lambda: placement.place(weights.pretrained(Dinov2Model, name)))
    return DINOv2(model, size=settings.size, device=placement.device)
