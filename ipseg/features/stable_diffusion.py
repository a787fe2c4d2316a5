"""Stable Diffusion 1.5 as an extractor: low-level detail from the UNet that denoises (section 3.3.1, Eq. 3).

F_S = U_net(x_t, t),  x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) e
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ipseg.core import geometry
from ipseg.core.choices import check_choice
from ipseg.core.types import Device, FeatureMap, ImageArray, SettingError
from ipseg.features._dense import check_size, onto_image, square_map, to_tensor
from ipseg.features._diffusion import (
    LAYERS,
    Latent,
    Layers,
    TinyLatent,
    WholeUNet,
    load_context,
    load_latent,
    load_layers,
    load_tiny_latent,
)

STEP = 64  # pixels of one cell of s5, the coarsest layer: sizes and windows are whole numbers of them
SCHEDULE: Mapping[str, Any] = {
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "num_train_timesteps": 1000,
}
TINY = "taesd"
NOISE = (1, 4, 64, 64)  # the shape in which the noise is drawn; it is then brought to the latent's size

WEIGHTS = (
    {
        "name": "sd15",
        "title": "Stable Diffusion 1.5",
        "source": "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "files": (
            ("unet/config.json",),
            ("unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.safetensors"),
            ("vae/config.json",),
            ("vae/diffusion_pytorch_model.fp16.safetensors", "vae/diffusion_pytorch_model.safetensors"),
            ("text_encoder/config.json",),
            ("text_encoder/model.fp16.safetensors", "text_encoder/model.safetensors"),
            ("tokenizer/vocab.json",),
            ("tokenizer/merges.txt",),
            ("tokenizer/tokenizer_config.json",),
        ),
        "bytes": 2_135_000_000,
        "licence": "CreativeML OpenRAIL-M",
        "revision": "451f4fe16113bff5a5d2269ed5ad43b0592e9a14",
        "note": "neither the safety checker nor a second copy of the weights",
    },
    {
        "name": "taesd",
        "title": "TAESD",
        "source": "madebyollin/taesd",
        "files": (("config.json",), ("diffusion_pytorch_model.safetensors",)),
        "bytes": 9_800_000,
        "licence": "MIT",
        "model": "taesd",
        "note": "stands in for the encoder of Stable Diffusion's VAE",
    },
)


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    model: str = ""  # "taesd": its encoder makes the latents, in place of the VAE's, with a tenth of the operations
    timestep: int = 50  # t of Eq. 3: 50 in the paper, 100 as released
    size: int = 960  # pixels of the letterboxed square, a multiple of 64
    window: int = 0  # pixels of the four windows in its corners, 512 as released; 0: the square in one pass
    seed: int = 42  # of the noise, the same for every image
    grid: int = 60  # cells along each side of the image, to which all three layers are brought


class StableDiffusion:
    """The layers s5, s4 and s3 as a :class:`ipseg.core.types.FeatureExtractor`; it may be shared between threads.

    The networks come in ready and where they run: ``unet`` and ``vae`` of diffusers, an ``AutoencoderKL`` or an
    ``AutoencoderTiny`` (the UNet is cut short in place), and ``context``, the text's (1, tokens, C). Step by step, with
    no letterbox and no windows:

        sd = StableDiffusion(unet=unet, vae=vae, context=context)
        latent = sd.latent(sd.pixels(image))  # x_0, (1, 4, H / 8, W / 8), of an image in multiples of 64 pixels
        noise = sd.noise(latent.shape[-2:])     # e, (1, 4, H / 8, W / 8)
        found = sd.layers(latent, timestep=50)  # s5 (1, C, H / 64, W / 64), s4 (1, C, H / 32, W / 32), s3 (... / 16)
    """

    density = False

    def __init__(
        self,
        *,
        unet: nn.Module,
        vae: Any,
        context: Tensor,
        settings: Settings | None = None,
        schedule: Mapping[str, Any] = SCHEDULE,
        device: str | torch.device = "cpu",
    ) -> None:
        from diffusers import DDIMScheduler

        self.settings, self.device = settings or Settings(), torch.device(device)
        self._layers = unet if isinstance(unet, Layers | WholeUNet) else Layers(unet).eval()
        self._latent = vae if isinstance(vae, Latent | TinyLatent) else _latent_of(vae).eval()
        self._context = context.to(self.device)
        scheduler: Any = DDIMScheduler(**schedule)
        self._signal: Tensor = scheduler.alphas_cumprod  # a_t: the share of the image that is left
        _check(self.settings, len(self._signal))

    def __call__(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """s5, s4 and s3, each (grid, grid, C) float32 over exactly the image."""
        return onto_image(self.native(image), self.settings.grid)

    def native(self, image: ImageArray) -> tuple[FeatureMap, ...]:
        """Each layer on its own cells of the letterboxed square: 15, 30 and 60 along a side of 960 pixels."""
        chosen = self.settings
        square = self.pixels(geometry.letterbox(image, chosen.size))
        if chosen.window:
            shift = chosen.size - chosen.window
            found = self.layers(self.latent(corners(square, chosen.window)), chosen.timestep)
            found = {
                name: together(values, shift * values.shape[-1] // chosen.window) for name, values in found.items()
            }
        else:
            found = self.layers(self.latent(square), chosen.timestep)
        return tuple(square_map(name, values[0].permute(1, 2, 0), image) for name, values in found.items())

    def pixels(self, image: ImageArray) -> Tensor:
        """(H, W, 3) uint8 to (1, 3, H, W) float32 in [-1, 1], on the device."""
        return to_tensor(image, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)).to(self.device)

    @torch.no_grad()
    def latent(self, pixels: Tensor) -> Tensor:
        """x_0: the mean of the VAE's posterior, scaled, or what TAESD makes: (n, 4, H / 8, W / 8) float32."""
        return self._latent(pixels.to(_dtype(self._latent))).float()

    def noise(self, size: tuple[int, int]) -> Tensor:
        """e: the fixed noise at the latent's ``size`` (height, width), bicubic: (1, 4, height, width) float32."""
        drawn = torch.randn(NOISE, generator=torch.Generator("cpu").manual_seed(self.settings.seed))
        return functional.interpolate(drawn, size, mode="bicubic", align_corners=False).to(self.device)

    @torch.no_grad()
    def layers(self, latent: Tensor, timestep: int) -> dict[str, Tensor]:
        """F_S of Eq. 3 for ``latent`` x_0 (n, 4, h, w): {name: (n, C, h', w')}, in the UNet's dtype."""
        signal = self._signal[timestep]
        noised = signal.sqrt() * latent + (1 - signal).sqrt() * self.noise((latent.shape[-2], latent.shape[-1]))
        dtype = _dtype(self._layers)
        return self._layers(noised.to(dtype), timestep, self._context.to(dtype))


def corners(square: Tensor, window: int) -> Tensor:
    """(1, C, side, side) to its four corners in reading order: (4, C, window, window)."""
    rows = square[..., :window, :], square[..., -window:, :]
    return torch.cat([part for row in rows for part in (row[..., :window], row[..., -window:])])


def together(parts: Tensor, shift: int) -> Tensor:
    """The opposite of :func:`corners`, windows ``shift`` cells apart: (4, C, n, n) to (1, C, n + shift, n + shift).

    Where windows overlap, the mean is taken.
    """
    n = parts.shape[-1]
    whole = parts.new_zeros(1, parts.shape[1], n + shift, n + shift, dtype=torch.float32)
    count = torch.zeros_like(whole[:, :1])
    for i, part in enumerate(parts):
        y, x = (shift * at for at in divmod(i, 2))
        whole[..., y : y + n, x : x + n] += part
        count[..., y : y + n, x : x + n] += 1
    return whole / count


def build(settings: Settings, placement: Device) -> StableDiffusion:
    """The published weights, as far as they are needed. Raises what :mod:`ipseg.weights` raises."""
    _check(settings, SCHEDULE["num_train_timesteps"])
    context = placement.once("sd15 text", lambda: load_context().to(placement.device))
    if settings.model == TINY:
        vae = placement.once("taesd", lambda: placement.place(load_tiny_latent()))
    else:
        vae = placement.once("sd15 vae", lambda: placement.place(load_latent()))
    unet = placement.once("sd15 unet", lambda: placement.place(load_layers()))
    return StableDiffusion(unet=unet, vae=vae, context=context, settings=settings, device=placement.device)


def _latent_of(vae: Any) -> nn.Module:
    return Latent(vae) if hasattr(vae, "quant_conv") else TinyLatent(vae)


def _check(settings: Settings, timesteps: int) -> None:
    if settings.model:
        check_choice(settings.model, (TINY,), 'There is no encoder "{}" for Stable Diffusion')
    check_size(settings.size, STEP)
    if settings.window:
        check_size(settings.window, STEP)
    if settings.window and not settings.window <= settings.size <= 2 * settings.window:
        raise SettingError(
            f"window is {settings.window}; give 0, or from half the size {settings.size} up to all of it."
        )
    if not 0 <= settings.timestep < timesteps:
        raise SettingError(f"timestep is {settings.timestep}; give a whole number from 0 to {timesteps - 1}.")
    if settings.grid < 1:
        raise SettingError(f"grid is {settings.grid}; give at least 1 cell.")


def _dtype(network: nn.Module) -> torch.dtype:
    return next(network.parameters()).dtype


__all__ = ["LAYERS", "Settings", "StableDiffusion", "build"]
