"""Engines on made-up weights: every part of the preset, of the published size, without a file."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
for package in ("accelerate", "diffusers", "segment_anything", "transformers"):
    pytest.importorskip(package, reason="the paper's models need the extra [models]")

import networks
import published
from parity_rules import scene

from ipseg import weights
from ipseg.core.types import SettingError
from ipseg.engine import made_up
from ipseg.engine.presets import PRESETS

IMAGE, _ = scene("made up", 96, 128)


def small(placement):
    """Makers of narrow networks in the place of the published sizes."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    from ipseg.features._diffusion import Latent, Layers

    return {
        "dinov2_base": lambda _: networks.small_dinov2(),
        "sd15 text": lambda _: torch.randn(1, 77, 32),
        "sd15 vae": lambda _: Latent(AutoencoderKL(**published.VAE)),
        "sd15 unet": lambda _: Layers(UNet2DConditionModel(**published.UNET)),
        "tsdn": lambda _: networks.tsdn(),
        "vit_h": lambda _: networks.small_sam(),
    }


@pytest.mark.parametrize("name", ["paper", "released"])
def test_a_preset_runs_without_a_file(name, monkeypatch, tmp_path):
    monkeypatch.setattr(made_up, "MAKERS", small(None))
    preset = networks.on_small_pictures(PRESETS[name])
    with weights.using(tmp_path):
        engine = made_up.build(preset, name, made_up.MadeUpPlacement("cpu"))
        result = engine.segment(engine.prompt(IMAGE), IMAGE[:, ::-1].copy())
    assert result.mask.shape == IMAGE.shape[:2]
    assert engine.info.name == f"{name}, made-up weights"


def test_the_sizes_are_the_published_ones(monkeypatch):
    monkeypatch.setattr(made_up.MadeUpPlacement, "place", lambda self, model, *parts, dtype=None: model)
    placement = made_up.MadeUpPlacement("cpu")
    with torch.device("meta"):
        made = {name: made_up.MAKERS[name](placement) for name in ("dinov2_base", "sd15 vae", "sd15 unet", "vit_h")}
    counted = {name: sum(value.numel() for value in network.parameters()) for name, network in made.items()}
    assert counted["dinov2_base"] == 86_580_480  # as published, of facebook/dinov2-base
    assert counted["vit_h"] == 641_090_608  # sam_vit_h_4b8939
    assert counted["sd15 vae"] == 34_163_592 + 72  # the encoder and its last convolution
    assert 600e6 < counted["sd15 unet"] < 859_520_964  # as far as it is read


def test_what_cannot_be_made_up_is_one_message():
    for name in ("compact", "offline", "light"):
        with pytest.raises(SettingError, match="There are no made-up weights for"):
            made_up.build(PRESETS[name], name, made_up.MadeUpPlacement("cpu"))
    with pytest.raises(SettingError, match='no made-up weights for "unheard"'):
        made_up.MadeUpPlacement("cpu").once("unheard", object)
