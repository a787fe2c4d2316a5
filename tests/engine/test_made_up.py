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
from ipseg.engine.spec import EngineSpec

IMAGE, _ = scene("made up", 96, 128)
SAM2 = "sam2.1-hiera-tiny"


def small(placement):
    """Makers of narrow networks in the place of the published sizes."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import Sam2ImageProcessor

    from ipseg.features.stable_diffusion import Latent, Layers, TinyLatent

    return {
        "dinov2_base": lambda _: networks.small_dinov2(),
        "sd15 text": lambda _: torch.randn(1, 77, 32),
        "sd15 vae": lambda _: Latent(AutoencoderKL(**published.VAE)),
        "taesd": lambda _: TinyLatent(published.tiny_vae()),
        "sd15 unet": lambda _: Layers(UNet2DConditionModel(**published.UNET)),
        "tsdn": lambda _: networks.tsdn(),
        "vit_h": lambda _: networks.small_sam(),
        "dinov2_small": lambda _: networks.small_dinov2(),
        "sam2.1-hiera-tiny": lambda _: networks.small_sam2(),
        "sam2.1-hiera-tiny processor": lambda _: Sam2ImageProcessor(size={"height": 128, "width": 128}),
    }


@pytest.mark.parametrize("name", ["paper", "released", "light"])
def test_a_preset_runs_without_a_file(name, monkeypatch, tmp_path):
    monkeypatch.setattr(made_up, "MAKERS", small(None))
    preset = networks.on_small_pictures(PRESETS[name])
    with weights.using(tmp_path):
        engine = made_up.build(preset, name, made_up.MadeUpPlacement("cpu"))
        result = engine.segment(engine.prompt(IMAGE), IMAGE[:, ::-1].copy())
    assert result.mask.shape == IMAGE.shape[:2]
    assert engine.info.name == f"{name}, made-up weights"


def test_a_part_that_is_chosen_is_made_up_too(monkeypatch, tmp_path):
    monkeypatch.setattr(made_up, "MAKERS", small(None))
    asked = EngineSpec("paper", features="dinov2+stable_diffusion/taesd").resolve()
    with weights.using(tmp_path):
        engine = made_up.build(networks.on_small_pictures(asked), "paper", made_up.MadeUpPlacement("cpu"))
        result = engine.segment(engine.prompt(IMAGE), IMAGE[:, ::-1].copy())
    assert result.mask.shape == IMAGE.shape[:2]


def test_the_sizes_are_the_published_ones(monkeypatch):
    monkeypatch.setattr(made_up.MadeUpPlacement, "place", lambda self, model, *parts, dtype=None: model)
    placement = made_up.MadeUpPlacement("cpu")
    with torch.device("meta"):
        made = {
            name: made_up.MAKERS[name](placement)
            for name in ("dinov2_base", "sd15 vae", "taesd", "sd15 unet", "vit_h", SAM2)
        }
    counted = {name: sum(value.numel() for value in network.parameters()) for name, network in made.items()}
    assert counted["dinov2_base"] == 86_580_480  # as published, of facebook/dinov2-base
    assert counted["vit_h"] == 641_090_608  # sam_vit_h_4b8939
    assert counted[SAM2] == 31_440_721  # facebook/sam2.1-hiera-tiny without what it remembers of earlier frames
    assert counted["sd15 vae"] == 34_163_592 + 72  # the encoder and its last convolution
    assert counted["taesd"] == 1_222_532  # taesd_encoder of madebyollin/taesd
    assert 600e6 < counted["sd15 unet"] < 859_520_964  # as far as it is read


@pytest.mark.parametrize(("whole", "passes"), [(False, [4]), (True, [1, 1, 1, 1])])
def test_the_naive_unet_runs_whole_and_once_for_each_window(whole, passes, monkeypatch):
    """A UNet of three blocks on the way up for :class:`Layers`, of four for the naive row."""
    monkeypatch.setattr(made_up, "UNET", published.UNET)
    placement = made_up.MadeUpPlacement("cpu", whole=whole)
    network = placement.once("sd15 unet", object)
    assert len(network.unet.up_blocks) == (4 if whole else 3)
    seen: list[int] = []
    network.unet.conv_in.register_forward_hook(lambda _, given, values: seen.append(len(given[0])))
    with torch.no_grad():
        found = network(torch.zeros(4, 4, 16, 16), 50, torch.zeros(1, 77, 32))
    assert seen == passes
    assert [len(values) for values in found.values()] == [4, 4, 4]


def test_every_library_takes_the_fused_attention():
    """SAM's own is fused in `segmenters/_sam_attention.py`."""
    made = (networks.small_dinov2(), networks.small_sam2(), networks.small_groupvit(), networks.small_seggpt())
    fused = [model.config._attn_implementation for model in made]
    assert fused == ["sdpa", "sdpa", "eager", "eager"]
    for part in (published.unet(), published.vae().encoder):
        kinds = {type(each.processor).__name__ for each in part.modules() if hasattr(each, "processor")}
        assert kinds == {"AttnProcessor2_0"}


def test_what_cannot_be_made_up_is_one_message():
    for name in ("compact", "offline"):
        with pytest.raises(SettingError, match="There are no made-up weights for"):
            made_up.build(PRESETS[name], name, made_up.MadeUpPlacement("cpu"))
    with pytest.raises(SettingError, match='no made-up weights for "unheard"'):
        made_up.MadeUpPlacement("cpu").once("unheard", object)
