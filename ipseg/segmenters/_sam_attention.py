"""The attention of SAM by torch's fused kernel; in the image encoder with its relative positions as an additive mask.

Kirillov et al., "Segment Anything", 2023, with the decomposed relative positions of MViTv2 (Li et al., 2022). The
original makes the scores of all pairs of cells, adds to them, and takes their softmax, each as a tensor of its own.
"""

from __future__ import annotations

import torch
from segment_anything.modeling.image_encoder import Attention, get_rel_pos
from segment_anything.modeling.transformer import Attention as DecoderAttention
from torch import Tensor
from torch.nn import functional


class FusedAttention(Attention):
    """The same parameters and output as the original's."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, rows, columns, C) to the same shape."""
        n, rows, columns, _ = x.shape
        qkv = self.qkv(x).reshape(n, rows * columns, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = qkv.unbind(0)  # (n, heads, rows * columns, channels of a head)
        positions = self._positions(query, rows, columns) if self.use_rel_pos else None
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=positions, scale=self.scale)
        return self.proj(found.permute(0, 2, 1, 3).reshape(n, rows, columns, -1))

    def _positions(self, query: Tensor, rows: int, columns: int) -> Tensor:
        """What is added to the scores: (n, heads, cells, cells)."""
        cells = query.reshape(*query.shape[:2], rows, columns, -1)
        down = torch.einsum("nhrcd,rkd->nhrck", cells, get_rel_pos(rows, rows, self.rel_pos_h))
        across = torch.einsum("nhrcd,ckd->nhrck", cells, get_rel_pos(columns, columns, self.rel_pos_w))
        # As they come from einsum, the sum would have an order of axes that reshape has to copy: 0.8 GB of ViT-B
        both = down.contiguous()[..., :, None] + across.contiguous()[..., None, :]
        return both.reshape(*query.shape[:2], rows * columns, rows * columns)


class FusedDecoderAttention(DecoderAttention):
    """That of the mask decoder: the same parameters and output as the original's."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(n, queries, C), twice (n, keys, C), to (n, queries, C)."""
        heads = (
            self._separate_heads(each, self.num_heads) for each in (self.q_proj(q), self.k_proj(k), self.v_proj(v))
        )
        return self.out_proj(self._recombine_heads(functional.scaled_dot_product_attention(*heads)))


FUSED: dict[type, type] = {Attention: FusedAttention, DecoderAttention: FusedDecoderAttention}


def fuse(sam: torch.nn.Module) -> torch.nn.Module:
    """Have every attention of a SAM, or of a part of one, use the fused kernel, in place; returns it."""
    for module in sam.modules():
        if type(module) in FUSED:
            module.__class__ = FUSED[type(module)]
    return sam
