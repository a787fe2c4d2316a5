"""Folders of weights as their makers publish them, with made-up numbers; small unless ``settings`` say otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parity_rules import fill_

UNET = {
    "sample_size": 8,
    "block_out_channels": [32, 32, 32, 32],
    "layers_per_block": 2,
    "cross_attention_dim": 32,
    "attention_head_dim": 8,
}
VAE = {
    "latent_channels": 4,
    "block_out_channels": [32, 32, 32, 32],
    "layers_per_block": 1,
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
}
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "projection_dim": 16,
}


def dinov2(folder: Path, name: str = "dinov2-base", **settings: Any) -> Any:
    """A folder of DINOv2; returns the model that it holds."""
    from transformers import Dinov2Config, Dinov2Model

    small = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 112, "patch_size": 14}
    model = fill_(Dinov2Model(Dinov2Config(**(small | settings))))
    model.save_pretrained(folder / name)
    return model


def clip(folder: Path) -> Any:
    """A folder of CLIP, both halves of it."""
    from transformers import CLIPConfig, CLIPModel

    vision = {
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
        "patch_size": 16,
        "projection_dim": 16,
    }
    model = fill_(CLIPModel(CLIPConfig(text_config=TEXT, vision_config=vision, projection_dim=16)))
    model.save_pretrained(folder / "clip-vit-base-patch16")
    return model


def mae(folder: Path) -> Any:
    """A folder of MAE with its decoder."""
    from transformers import ViTMAEConfig, ViTMAEForPreTraining

    config = ViTMAEConfig(
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=64,
        patch_size=16,
        decoder_hidden_size=32,
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
    )
    model = fill_(ViTMAEForPreTraining(config))
    model.save_pretrained(folder / "vit-mae-base")
    return model


def unet(**settings: Any) -> Any:
    """A whole UNet of diffusers."""
    from diffusers import UNet2DConditionModel

    return fill_(UNet2DConditionModel(**(UNET | settings)), 3)


def vae(**settings: Any) -> Any:
    """A whole VAE of diffusers."""
    from diffusers import AutoencoderKL

    return fill_(AutoencoderKL(**(VAE | settings)), 4)


def tiny_vae(**settings: Any) -> Any:
    """A whole TAESD of diffusers."""
    from diffusers import AutoencoderTiny

    small = {"encoder_block_out_channels": (8, 8, 8, 8), "decoder_block_out_channels": (8, 8, 8, 8)}
    return fill_(AutoencoderTiny(**(small | settings)), 5)


def taesd(folder: Path) -> Any:
    """A folder of TAESD; returns the model that it holds."""
    model = tiny_vae()
    model.save_pretrained(folder / "taesd")
    return model


def diffusion(folder: Path, made_unet: Any = None, made_vae: Any = None, text: dict[str, Any] = TEXT) -> None:
    """A folder of Stable Diffusion in half precision, with the names of 2022 that its makers' files have."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import CLIPTextConfig, CLIPTextModel

    home = folder / "stable-diffusion-v1-5"
    (made_unet or unet()).half().save_pretrained(home / "unet", variant="fp16")
    (made_vae or vae()).half().save_pretrained(home / "vae", variant="fp16")
    path = home / "vae" / "diffusion_pytorch_model.fp16.safetensors"
    save_file({old_name(key): value for key, value in load_file(path).items()}, path)
    fill_(CLIPTextModel(CLIPTextConfig(**text))).half().save_pretrained(home / "text_encoder", variant="fp16")
    path = home / "text_encoder" / "model.fp16.safetensors"
    state = {f"text_model.{key.removeprefix('text_model.')}": value for key, value in load_file(path).items()}
    places = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    save_file(state | places, path, metadata={"format": "pt"})
    tokenizer(home / "tokenizer")


def old_name(key: str) -> str:
    """The name that the VAE's attention had when Stable Diffusion 1.5 was published."""
    if "mid_block.attentions" in key:
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            key = key.replace(f".{new}.", f".{old}.")
    return key


def tokenizer(folder: Path) -> None:
    """A tokenizer that knows single letters, with CLIP's two special tokens at CLIP's places."""
    folder.mkdir(parents=True)
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = {word: i for i, word in enumerate([*letters, *(f"{letter}</w>" for letter in letters)])}
    words |= {"<|startoftext|>": 49406, "<|endoftext|>": 49407}
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    settings = {"tokenizer_class": "CLIPTokenizer", "unk_token": "<|endoftext|>", "model_max_length": 77}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | special))
