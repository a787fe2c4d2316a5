"""Networks of the published sizes, their weights made up and written as published, from the files to a mask."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace

import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
for package in ("accelerate", "diffusers", "segment_anything", "transformers"):
    pytest.importorskip(package, reason="the paper's models need the extra [models]")

import published

from ipseg import weights
from ipseg.engine import build, presets
from ipseg.engine.placement import Placement

IMAGE, _ = scene("full size", 96, 128)
DINOV2 = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "image_size": 518}
UNET = {"sample_size": 64, "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768}
VAE = {"sample_size": 512, "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2}
TEXT = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "projection_dim": 768,
}


@pytest.fixture
def quick_weights(monkeypatch):
    """The same million numbers again and again, and no others first: a billion of them have to be written."""
    drawn = torch.randn(2**20, generator=torch.Generator().manual_seed(0))
    for name in ("normal_", "trunc_normal_", "uniform_", "xavier_uniform_", "kaiming_uniform_"):
        monkeypatch.setattr(torch.nn.init, name, lambda value, *_, **__: value)

    def fill(module, seed=0):
        with torch.no_grad():
            for name, value in module.state_dict().items():
                if value.ndim > 1:
                    scaled = (drawn * value[0].numel() ** -0.5).to(value.dtype)
                    for part in value.view(-1).split(len(scaled)):
                        part.copy_(scaled[: len(part)])
                elif value.is_floating_point():
                    value.fill_(float(name.endswith(("weight", "running_var", "lambda1"))))
        return module.eval()

    monkeypatch.setattr(published, "fill_", fill)
    return fill


@pytest.fixture
def folder(tmp_path):
    """A folder that is emptied at once: 3 GB are not to lie around."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.mark.slow
def test_from_the_published_files_to_a_mask(folder, quick_weights, monkeypatch):
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from segment_anything import sam_model_registry

    from ipseg.saliency.tsdn import Network

    with torch.device("meta"):
        empty = UNet2DConditionModel(**(published.UNET | UNET)), AutoencoderKL(**(published.VAE | VAE))
    unet, vae = (quick_weights(model.half().to_empty(device="cpu")) for model in empty)
    assert sum(value.numel() for value in unet.parameters()) == 859_520_964  # as published
    published.dinov2(folder, **DINOV2)
    published.diffusion(folder, unet, vae, TEXT)
    del unet, vae
    torch.save(quick_weights(Network()).state_dict(), folder / "cornet_rgb_duts_tr.pth")
    sam = folder / "sam_vit_b_01ec64.pth"
    torch.save(quick_weights(sam_model_registry["vit_b"]()).state_dict(), sam)
    with sam.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    monkeypatch.setitem(weights.WEIGHTS, "sam_vit_b", replace(weights.get("sam_vit_b"), sha256=digest))

    paper = presets.PRESETS["paper"]
    one_window = {"dinov2": {"model": "base", "size": 112}, "stable_diffusion": {"size": 128}}
    preset = replace(
        paper,
        features=("fusion", {"sources": one_window, "grid": 16}),
        segmenter=("sam", {"model": "vit_b"}),
    )
    with weights.using(folder):
        engine = build.assemble(preset, placement=Placement("cpu"))
    encoder = engine.segmenter.sam.image_encoder
    encoder.blocks = encoder.blocks[1:3]  # one of each kind, of windows and of the whole image: ten more are the same
    prompt = engine.prompt(IMAGE)
    result = engine.segment(prompt, IMAGE)  # the same image, so that its features are computed once
    assert result.mask.shape == IMAGE.shape[:2]
    assert {name: len(vector) for name, vector in prompt.model.foreground.items()} == {
        "dinov2": 768,
        "s5": 1280,
        "s4": 1280,
        "s3": 640,
    }
