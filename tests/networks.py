"""Small networks with made-up weights, in the layout of the published ones. Each call makes a fresh one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from parity_rules import fill_

SAM_SIDE = 1024  # the square of the published SAM; the numbers of tests/golden were made at this size


def small_sam(seed: int = 0, side: int = 256) -> Any:
    """A SAM that sees ``side`` x ``side`` pixels: two narrow encoder blocks, the rest of the published width.

    At ``SAM_SIDE`` it is that of tests/golden.
    """
    import torch
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

    encoder = ImageEncoderViT(
        img_size=side,
        patch_size=16,
        embed_dim=64,
        depth=2,
        num_heads=2,
        mlp_ratio=4,
        out_chans=256,
        qkv_bias=True,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=[1],
    )
    grid = (side // 16, side // 16)
    prompts = PromptEncoder(embed_dim=256, image_embedding_size=grid, input_image_size=(side, side), mask_in_chans=16)
    decoder = MaskDecoder(
        transformer_dim=256,
        transformer=TwoWayTransformer(depth=2, embedding_dim=256, num_heads=8, mlp_dim=2048),
        num_multimask_outputs=3,
        iou_head_depth=3,
        iou_head_hidden_dim=256,
    )
    return fill_(Sam(encoder, prompts, decoder), seed)


def sam_alone() -> Any:
    """An engine with a small SAM and no feature extractor, to which the whole image is the foreground."""
    from ipseg.method.pipeline import IPSeg
    from ipseg.method.scorers.cosine import Cosine
    from ipseg.saliency.none import Everything
    from ipseg.segmenters.sam import SegmentAnything

    return IPSeg(None, Everything(), SegmentAnything(small_sam()), Cosine())


def small_sam2(side: int = 128) -> Any:
    """A SAM 2.1 that sees ``side`` x ``side`` pixels."""
    from transformers import Sam2Config, Sam2HieraDetConfig, Sam2Model, Sam2VisionConfig

    backbone = Sam2HieraDetConfig(
        image_size=[side, side],
        hidden_size=16,
        blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[16, 32, 64, 128],
        num_attention_heads_per_stage=[1, 2, 4, 8],
        window_size_per_stage=[8, 4, 8, 4],
        global_attention_blocks=[3],
    )
    vision = Sam2VisionConfig(
        backbone_config=backbone,
        backbone_channel_list=[128, 64, 32, 16],
        backbone_feature_sizes=[[side // n, side // n] for n in (4, 8, 16)],
        fpn_hidden_size=32,
    )
    prompts = {"hidden_size": 32, "image_size": side}
    decoder = {"hidden_size": 32, "mlp_dim": 64, "num_attention_heads": 2, "iou_head_hidden_dim": 32}
    config = Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=decoder)
    return fill_(Sam2Model(config))


def small_sam2_processor(side: int = 128) -> Any:
    """What is published beside such a SAM 2.1."""
    from transformers import Sam2ImageProcessor

    return Sam2ImageProcessor(size={"height": side, "width": side})


def small_dinov2(side: int = 112) -> Any:
    """A DINOv2 of two narrow blocks, patch 14."""
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=side, patch_size=14
    )
    return fill_(Dinov2Model(config))


def tsdn(seed: int = 0) -> Any:
    """The saliency network; it has one size."""
    from ipseg.saliency.tsdn import Network

    return fill_(Network(), seed)


def small_sam2_video(side: int = 128) -> Any:
    """The same with a memory for video, which is how SAM 2.1 is published."""
    from transformers import Sam2VideoConfig, Sam2VideoModel

    image = small_sam2(side).config
    config = Sam2VideoConfig(
        vision_config=image.vision_config,
        prompt_encoder_config=image.prompt_encoder_config.to_dict(),
        mask_decoder_config=image.mask_decoder_config.to_dict(),
        image_size=side,
        memory_attention_hidden_size=32,
        memory_attention_num_layers=1,
        memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[side // 16, side // 16],
        memory_encoder_hidden_size=32,
        memory_encoder_output_channels=16,
        mask_downsampler_embed_dim=32,
        memory_fuser_embed_dim=32,
        memory_fuser_intermediate_dim=32,
    )
    return fill_(Sam2VideoModel(config))


def on_small_pictures(preset):
    """The preset, its extractors looking at a few hundred pixels."""
    name, settings = preset.features
    if name != "fusion":
        return preset
    sources = {source: dict(chosen) for source, chosen in settings["sources"].items()}
    sources["dinov2"]["size"], sources["stable_diffusion"]["size"] = 224, 256
    sources["stable_diffusion"]["window"] = min(192, sources["stable_diffusion"]["window"])
    return replace(preset, features=(name, {**settings, "sources": sources}))


def small_seggpt(side: int = 64) -> Any:
    """A SegGPT of four narrow blocks that sees two images of ``side`` x ``side`` pixels."""
    from transformers import SegGptConfig, SegGptForImageSegmentation

    config = SegGptConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=[2 * side, side],
        pretrain_image_size=side // 2,
        decoder_hidden_size=8,
        intermediate_hidden_state_indices=[2, 3],
        merge_index=1,
    )
    return fill_(SegGptForImageSegmentation(config))


def small_groupvit() -> Any:
    """A GroupViT of three stages that sees 64 x 64 pixels."""
    from transformers import GroupViTConfig, GroupViTModel

    vision = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "depths": [1, 1, 1],
        "num_hidden_layers": 3,
        "num_group_tokens": [8, 4, 0],
        "num_output_groups": [8, 4, 0],
        "num_attention_heads": 2,
        "image_size": 64,
    }
    text = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    projections = {"projection_dim": 16, "projection_intermediate_dim": 24}
    return fill_(GroupViTModel(GroupViTConfig(**projections, text_config=text, vision_config=vision)))


def threads_agree(segmenter: Any, image: np.ndarray, points: Any) -> None:
    """Check that four threads get from one segmenter, for two images in turn, what one thread alone gets."""
    encodings = [segmenter.encode(image), segmenter.encode(np.ascontiguousarray(image[::-1, ::-1]))]
    alone = [segmenter.predict(each, points).logits for each in encodings]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: segmenter.predict(encodings[i % 2], points).logits, range(8)))
    for i, logits in enumerate(together):
        np.testing.assert_array_equal(logits, alone[i % 2])
    assert not np.array_equal(*alone)
