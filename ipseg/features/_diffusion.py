"""The parts of Stable Diffusion 1.5 that its features need, and nothing of the rest.

The encoder of the VAE makes the latent; the UNet runs until the last layer that is read. What comes after (the rest of
the UNet, the decoder of the VAE) is neither read from disk nor held in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ipseg import weights

LAYERS: Mapping[str, tuple[int, int]] = {"s5": (0, 1), "s4": (1, 1), "s3": (2, 1)}
"""Where the features come from: (block, layer) of the way up, coarse to fine. They are the outputs of
``up_blocks[0].resnets[1]``, ``up_blocks[1].attentions[1]`` and ``up_blocks[2].attentions[1]``."""

OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""The attention of the published VAE has the names that diffusers used in 2022."""


class Latent(nn.Module):
    """(n, 3, H, W) pixels in [-1, 1] to the mean of the VAE's posterior, scaled: (n, 4, H / 8, W / 8)."""

    channels_last = True  # on a GPU in half precision: see Placement.place

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.encoder, self.quant_conv = vae.encoder, vae.quant_conv
        self.scale: float = vae.config.scaling_factor

    def forward(self, pixels: Tensor) -> Tensor:
        """x_0 of Eq. 3 of pixels (n, 3, H, W): (n, 4, H / 8, W / 8)."""
        mean, _ = self.quant_conv(self.encoder(pixels)).chunk(2, dim=1)
        return mean * self.scale


class TinyLatent(nn.Module):
    """The same (n, 3, H, W) to (n, 4, H / 8, W / 8) by TAESD, a small network distilled from that VAE.

    Its latents are in the scale of the UNet already: the factor of its configuration is 1, where the VAE's is 0.18215.
    """

    channels_last = True

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.encoder = vae.encoder  # brings pixels from [-1, 1] to the [0, 1] that TAESD has learnt
        self.scale: float = vae.config.scaling_factor

    def forward(self, pixels: Tensor) -> Tensor:
        """As :meth:`Latent.forward`."""
        return self.encoder(pixels) * self.scale


class Layers(nn.Module):
    """A noised latent (n, 4, h, w) to the features of :data:`LAYERS`, each (n, C, h', w')."""

    channels_last = True

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = shorten(unet)

    def forward(self, latent: Tensor, timestep: int, context: Tensor) -> dict[str, Tensor]:
        """The features by layer, each (n, C, h', w'); ``context``: the text encoder's output, (1, tokens, C)."""
        unet = self.unet
        context = context.expand(len(latent), -1, -1)
        time = unet.time_embedding(unet.get_time_embed(latent, timestep))
        values, skips = self._down(unet.conv_in(latent), time, context)
        values = unet.mid_block(values, time, encoder_hidden_states=context)
        found = {}
        for name, block in zip(LAYERS, unet.up_blocks, strict=True):
            attentions = getattr(block, "attentions", None)
            for i, resnet in enumerate(block.resnets):
                values = resnet(torch.cat([values, skips.pop()], dim=1), time)
                if attentions is not None:
                    values = attentions[i](values, encoder_hidden_states=context, return_dict=False)[0]
                if i == LAYERS[name][1]:
                    found[name] = values
            for upsampler in block.upsamplers or ():
                values = upsampler(values)
        return found

    def _down(self, values: Tensor, time: Tensor, context: Tensor) -> tuple[Tensor, list[Tensor]]:
        skips = [values]
        for block in self.unet.down_blocks:
            text = {"encoder_hidden_states": context} if getattr(block, "has_cross_attention", False) else {}
            values, passed = block(values, time, **text)
            skips += passed
        return values, skips


class WholeUNet(nn.Module):
    """:class:`Layers` without what makes it fast: the whole UNet, one latent after another. For comparison alone."""

    def __init__(self, unet: Any) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, latent: Tensor, timestep: int, context: Tensor) -> dict[str, Tensor]:
        """As :meth:`Layers.forward`."""
        found: dict[str, list[Tensor]] = {name: [] for name in LAYERS}
        hooks = [
            self._read(block, layer).register_forward_hook(
                lambda _, __, values, name=name: found[name].append(values[0] if isinstance(values, tuple) else values)
            )
            for name, (block, layer) in LAYERS.items()
        ]
        try:
            for each in latent.split(1):
                self.unet(each, timestep, context)
        finally:
            for hook in hooks:
                hook.remove()
        return {name: torch.cat(parts) for name, parts in found.items()}

    def _read(self, block: int, layer: int) -> nn.Module:
        up = self.unet.up_blocks[block]
        return (getattr(up, "attentions", None) or up.resnets)[layer]


def shorten(unet: Any) -> Any:
    """Cut everything off a UNet that comes after the last of :data:`LAYERS`; returns it."""
    last, layer = max(LAYERS.values())
    del unet.up_blocks[last + 1 :]
    block = unet.up_blocks[last]
    del block.resnets[layer + 1 :], block.attentions[layer + 1 :]
    block.upsamplers = None
    unet.conv_norm_out = unet.conv_act = unet.conv_out = None
    return unet


def load_latent() -> Latent:
    """The published VAE's encoder, float32."""
    from diffusers import AutoencoderKL

    return _filled(lambda folder: Latent(_empty(AutoencoderKL, folder)), "sd15", "vae", prefix="")


def load_tiny_latent() -> TinyLatent:
    """The encoder of the published TAESD, float32."""
    from diffusers import AutoencoderTiny

    return _filled(lambda folder: TinyLatent(_empty(AutoencoderTiny, folder)), "taesd", prefix="")


def load_layers() -> Layers:
    """The published UNet as far as it is read, float32."""
    from diffusers import UNet2DConditionModel

    return _filled(lambda folder: Layers(_empty(UNet2DConditionModel, folder)), "sd15", "unet", prefix="unet.")


def load_context() -> Tensor:
    """The text encoder's output for the empty text: (1, 77, 768) float32. The encoder itself is released."""
    from transformers import CLIPTextModel, CLIPTokenizer

    with weights.checked("sd15", "tokenizer") as folder:
        tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    encoder = weights.pretrained(CLIPTextModel, "sd15", "text_encoder")
    length = encoder.config.max_position_embeddings
    tokens = tokenizer("", padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    with torch.no_grad():
        return encoder(tokens.input_ids).last_hidden_state


def _empty(kind: Any, folder: Path) -> Any:
    return kind.from_config(kind.load_config(folder, local_files_only=True))


def _filled(make: Any, name: str, subfolder: str = "", *, prefix: str) -> Any:
    from accelerate import init_empty_weights

    with weights.checked(name, subfolder) as folder:
        with init_empty_weights():
            network = make(folder)
        (file,) = folder.glob("*.safetensors")
    own = network.state_dict()
    path = weights.locate(name) / subfolder / file.name
    state = weights.load_state(path, name=name, accept=lambda key: prefix + _new_name(key) in own)
    renamed = {prefix + _new_name(key): value.float() for key, value in state.items()}
    return weights.fill(network, renamed, name).eval()


def _new_name(key: str) -> str:
    parts = key.split(".")
    if "mid_block" in parts and "attentions" in parts and parts[-2] in OLD_NAMES:
        return ".".join([*parts[:-2], OLD_NAMES[parts[-2]], parts[-1]])
    return key
