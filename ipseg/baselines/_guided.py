"""PerSAM's two guides inside SAM's mask decoder, without a second decoder and without touching the first.

A guided decoder is a shell of a decoder: its modules hold the very parameters of the original, its structure is its
own, so other threads may use the original at the same moment.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn


def guided_decoder(decoder: Any, guidance: Tensor, target: Tensor) -> Any:
    """The mask decoder of a segment-anything model, guided (Zhang et al., 2024, section 3.1).

    ``guidance`` (h w,), in [0, 1]: how likely each cell of the image embedding is the object (target-guided attention).
    ``target`` (256,): the embedding of the object, added to every query (target-semantic prompting).
    """
    guided = _shell(decoder)
    guided.transformer = _transformer(decoder.transformer, guidance, target)
    return guided


def _transformer(transformer: Any, guidance: Tensor, target: Tensor) -> nn.Module:
    shell = _shell(transformer)
    blocks = []
    for number, block in enumerate(transformer.layers):
        own = _shell(block)
        own.cross_attn_token_to_image = GuidedAttention(block.cross_attn_token_to_image, guidance)
        # The first block gets its target from the queries themselves, see Prompted.
        blocks.append(own if number == 0 else WithTarget(own, target))
    shell.layers = nn.ModuleList(blocks)
    shell.final_attn_token_to_image = WithTarget(transformer.final_attn_token_to_image, target, name="q")
    return Prompted(shell, target)


class Prompted(nn.Module):
    """A transformer whose queries carry the target; as released, their positional encoding carries it from then on."""

    def __init__(self, transformer: nn.Module, target: Tensor) -> None:
        super().__init__()
        self.transformer, self.target = transformer, target

    def forward(self, image_embedding: Tensor, image_pe: Tensor, point_embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Queries (n, tokens, 256) and keys (n, h w, 256)."""
        return self.transformer(image_embedding, image_pe, point_embedding + self.target)


class WithTarget(nn.Module):
    """A module that gets the target added to one of its arguments."""

    def __init__(self, module: nn.Module, target: Tensor, name: str = "queries") -> None:
        super().__init__()
        self.module, self.target, self.name = module, target, name

    def forward(self, **arguments: Tensor) -> Any:
        """The module's output."""
        return self.module(**{**arguments, self.name: arguments[self.name] + self.target})


class GuidedAttention(nn.Module):
    """Cross attention from tokens to the image: softmax, plus the guidance, softmax again."""

    def __init__(self, attention: Any, guidance: Tensor) -> None:
        super().__init__()
        self.attention, self.guidance = attention, guidance

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(n, tokens, 256)."""
        own = self.attention
        heads = [
            project(each).unflatten(-1, (own.num_heads, -1)).transpose(1, 2)
            for project, each in ((own.q_proj, q), (own.k_proj, k), (own.v_proj, v))
        ]
        queries, keys, values = heads  # each (n, heads, tokens or h w, channels of a head)
        weights = torch.softmax(queries @ keys.mT / math.sqrt(queries.shape[-1]), dim=-1)
        weights = torch.softmax(weights + self.guidance, dim=-1)
        return own.out_proj((weights @ values).transpose(1, 2).flatten(2))


def _shell(module: nn.Module) -> Any:
    """A copy that shares all parameters and submodules; to replace a submodule of it leaves the original unchanged."""
    shell = copy.copy(module)
    shell.__dict__["_modules"] = dict(module._modules)
    return shell.eval()


__all__ = ["GuidedAttention", "guided_decoder"]
