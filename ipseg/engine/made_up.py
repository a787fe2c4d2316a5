"""The networks of the paper's presets at their published sizes, with made-up weights: their cost without their files.

Masks of such an engine mean nothing. Numbers of layers and channels are those of the published configurations.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from ipseg.core import packages
from ipseg.core.choices import check_choice
from ipseg.core.types import SettingError
from ipseg.engine.build import parts_of
from ipseg.engine.placement import Placement
from ipseg.engine.presets import Preset
from ipseg.method.config import EngineInfo
from ipseg.method.pipeline import IPSeg

DINOV2 = {"small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}  # channels, layers, heads
TEXT = (1, 77, 768)  # of Stable Diffusion's context: tokens and channels
UNET = {"sample_size": 64, "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768}
VAE = {
    "sample_size": 512,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}


class MadeUpPlacement(Placement):
    """A placement that makes each network of :data:`MAKERS` up where a part asks for it, and reads no file.

    With ``whole`` the UNet of Stable Diffusion runs to its end, once for each window: the row ``naive`` of ``bench``.
    """

    def __init__(
        self, mode: str = "auto", *, dtype: str = "auto", whole: bool = False, streams: bool = False, compiler: str = ""
    ) -> None:
        super().__init__(mode, dtype=dtype, streams=streams, compiler=compiler)
        self.whole = whole

    def once(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """As :meth:`Placement.once`. Raises :class:`SettingError` for a network that cannot be made up."""
        return super().once(key, lambda: self._made_up(key))

    def _made_up(self, key: Hashable) -> Any:
        check_choice(key, MAKERS, 'There are no made-up weights for "{}"')
        return MAKERS[str(key)](self)


def build(preset: Preset, name: str, placement: MadeUpPlacement) -> IPSeg:
    """The engine of a preset on made-up weights. Raises :class:`SettingError` where one of its networks has none."""
    lacking = [weight for weight in preset.weights if weight not in WEIGHTS]
    if lacking or not preset.weights:
        what = ", ".join(lacking) or f'"{name}", which has no network'
        raise SettingError(f"There are no made-up weights for {what}; choose the preset paper, released or light.")
    with packages.needed(f'"{name}"'):
        features, saliency, segmenter, scorer = parts_of(preset, placement)
    info = EngineInfo(f"{name}, made-up weights", placement=placement)
    return IPSeg(features, saliency, segmenter, scorer, preset.config, info=info, cache_bytes=preset.cache)


def _dinov2(size: str) -> Callable[[Placement], Any]:
    def make(placement: Placement) -> Any:
        from transformers import Dinov2Config, Dinov2Model

        channels, layers, heads = DINOV2[size]
        settings: dict[str, Any] = {"hidden_size": channels, "num_hidden_layers": layers, "num_attention_heads": heads}
        return placement.place(Dinov2Model(Dinov2Config(**settings, image_size=518, patch_size=14)))

    return make


def _text(placement: Placement) -> Any:
    import torch

    return torch.randn(TEXT, generator=torch.Generator().manual_seed(0)).to(placement.device)


def _latent(placement: Placement) -> Any:
    from diffusers import AutoencoderKL

    from ipseg.features.stable_diffusion import Latent

    vae: Any = AutoencoderKL(**VAE)
    return placement.place(Latent(vae))


def _tiny_latent(placement: Placement) -> Any:
    from diffusers import AutoencoderTiny

    from ipseg.features.stable_diffusion import TinyLatent

    return placement.place(TinyLatent(AutoencoderTiny()))  # the configuration of diffusers is that of TAESD


def _layers(placement: Placement) -> Any:
    from diffusers import UNet2DConditionModel

    from ipseg.features.stable_diffusion import Layers, WholeUNet

    unet: Any = UNet2DConditionModel(**UNET)
    return placement.place(WholeUNet(unet) if getattr(placement, "whole", False) else Layers(unet))


def _tsdn(placement: Placement) -> Any:
    import torch

    from ipseg.saliency.tsdn import Network

    return placement.place(Network(), dtype=torch.float32)


def _sam(size: str) -> Callable[[Placement], Any]:
    def make(placement: Placement) -> Any:
        from segment_anything import sam_model_registry

        sam = sam_model_registry[size]()
        return placement.place(sam, sam.image_encoder)

    return make


def _sam2(placement: Placement) -> Any:
    from transformers import Sam2Config, Sam2Model

    model: Any = Sam2Model(Sam2Config())  # the configuration of transformers is that of SAM 2.1 tiny
    return placement.place(model, model.vision_encoder)


def _sam2_processor(placement: Placement) -> Any:
    from transformers import Sam2ImageProcessor

    return Sam2ImageProcessor()


MAKERS: Mapping[str, Callable[[Placement], Any]] = {
    **{f"dinov2_{size}": _dinov2(size) for size in DINOV2},
    "sd15 text": _text,
    "sd15 vae": _latent,
    "taesd": _tiny_latent,
    "sd15 unet": _layers,
    "tsdn": _tsdn,
    **{size: _sam(size) for size in ("vit_b", "vit_l", "vit_h")},
    "sam2.1-hiera-tiny": _sam2,
    "sam2.1-hiera-tiny processor": _sam2_processor,
}
"""By the key under which a part asks its placement for a network."""

WEIGHTS = (
    *(f"dinov2_{size}" for size in DINOV2),
    "sd15",
    "taesd",
    "tsdn",
    "sam_vit_b",
    "sam_vit_l",
    "sam_vit_h",
    "sam2.1-hiera-tiny",
)
"""The weights in whose place these are taken."""
