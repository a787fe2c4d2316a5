"""The fused attention of SAM's encoder against the original's, in windows and over the whole image."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
pytest.importorskip("segment_anything", reason="the paper's models need the extra [models]")

import networks
from segment_anything.modeling.image_encoder import Attention, ImageEncoderViT
from segment_anything.modeling.transformer import Attention as DecoderAttention
from torch.nn import functional

from ipseg.segmenters._sam_attention import FUSED, FusedAttention, FusedDecoderAttention, fuse
from ipseg.segmenters.sam import SegmentAnything


@pytest.mark.parametrize("positions", [True, False])
@pytest.mark.parametrize("size", [(14, 14), (5, 9)])
def test_the_output_is_the_originals(positions, size):
    original = Attention(48, num_heads=3, use_rel_pos=positions, input_size=size)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for value in original.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.5)
        fused = copy.deepcopy(original)
        fused.__class__ = FusedAttention
        values = torch.randn((2, *size, 48), generator=generator)
        torch.testing.assert_close(fused(values), original(values), atol=1e-4, rtol=1e-5)  # of values up to 49


def test_the_positions_of_all_pairs_of_cells_are_not_copied(monkeypatch):
    masks, kernel = [], functional.scaled_dot_product_attention

    def watched(*values, attn_mask, scale):
        masks.append(attn_mask)
        return kernel(*values, attn_mask=attn_mask, scale=scale)

    monkeypatch.setattr(functional, "scaled_dot_product_attention", watched)
    attention = Attention(48, num_heads=3, use_rel_pos=True, input_size=(5, 9))
    with torch.no_grad():
        fuse(attention)(torch.ones((2, 5, 9, 48)))
    (mask,) = masks
    assert mask.shape == (2, 3, 45, 45)
    assert mask._is_view()


def test_every_attention_of_an_encoder_is_fused_and_its_embedding_stays():
    made = ImageEncoderViT(
        img_size=128,
        patch_size=16,
        embed_dim=32,
        depth=3,
        num_heads=2,
        out_chans=16,
        use_rel_pos=True,
        window_size=3,
        global_attn_indexes=(1,),
    ).eval()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in made.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.2)
        image = torch.randn((1, 3, 128, 128), generator=generator)
        before, fused = made(image), fuse(copy.deepcopy(made))
        assert all(type(block.attn) is FusedAttention for block in fused.blocks)
        torch.testing.assert_close(fused(image), before, atol=1e-4, rtol=1e-4)


def test_the_segmenter_runs_the_fused_one():
    segmenter = SegmentAnything(networks.small_sam())
    assert {type(block.attn) for block in segmenter.sam.image_encoder.blocks} == {FusedAttention}
    kinds = [type(module) for module in segmenter.sam.modules()]
    assert kinds.count(FusedDecoderAttention) == 7  # three in each of two blocks, and the last one
    assert not FUSED.keys() & set(kinds)


@pytest.mark.parametrize("rate", [1, 2])
def test_the_decoders_output_is_the_originals(rate):
    original, generator = DecoderAttention(32, 4, rate).eval(), torch.Generator().manual_seed(2)
    with torch.no_grad():
        for value in original.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.5)
        fused = fuse(copy.deepcopy(original))
        assert type(fused) is FusedDecoderAttention
        tokens, image, values = (torch.randn((2, n, 32), generator=generator) for n in (5, 9, 9))
        torch.testing.assert_close(fused(tokens, image, values), original(tokens, image, values), atol=1e-4, rtol=1e-5)
