import gc
import weakref

import numpy as np
import published
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from ipseg import weights
from ipseg.core import (
    geometry,
    plugins,
)
from ipseg.core.types import SettingError
from ipseg.features import _diffusion, stable_diffusion
from ipseg.features.stable_diffusion import Settings, StableDiffusion, corners, together

IMAGE, _ = scene("diffusion", 50, 77)
CHANNELS = {"s5": 32, "s4": 32, "s3": 32}
SMALL = {"size": 192, "window": 128, "grid": 12}


def context(tokens: int = 77):
    return torch.from_numpy(np.random.RandomState(11).standard_normal((1, tokens, 32)).astype(np.float32))


@pytest.fixture(scope="module")
def make():
    def make(**settings):
        return StableDiffusion(
            unet=published.unet(), vae=published.vae(), context=context(), settings=Settings(**(SMALL | settings))
        )

    return make


@pytest.mark.parametrize("window", [0, 128, 192])
def test_three_layers_on_one_grid(make, window):
    extract = make(window=window)
    layers = extract(IMAGE)
    assert [layer.name for layer in layers] == ["s5", "s4", "s3"]
    for layer in layers:
        assert layer.frame == geometry.squash_frame((50, 77), (12, 12))
        assert layer.values.shape == (12, 12, CHANNELS[layer.name])
        assert layer.values.dtype == torch.float32
    native = extract.native(IMAGE)
    assert [layer.frame for layer in native] == [geometry.letterbox_frame((50, 77), n) for n in (3, 6, 12)]
    assert all(torch.equal(a.values, b.values) for a, b in zip(layers, extract(IMAGE), strict=True))


def test_the_shortened_unet_says_what_the_whole_one_says(make):
    """Against diffusers' own forward pass, read by hooks."""
    whole, seen = published.unet(), {}
    taps = {
        "s5": whole.up_blocks[0].resnets[1],
        "s4": whole.up_blocks[1].attentions[1],
        "s3": whole.up_blocks[2].attentions[1],
    }
    for name, module in taps.items():
        accept = lambda _, __, out, name=name: seen.update({name: out[0] if isinstance(out, tuple) else out})  # noqa: E731
        module.register_forward_hook(accept)
    noised = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        whole(noised, 100, encoder_hidden_states=context().expand(2, -1, -1))
        found = _diffusion.Layers(published.unet())(noised, 100, context())
    assert list(found) == ["s5", "s4", "s3"]
    for name, values in found.items():
        np.testing.assert_allclose(values, seen[name][0] if isinstance(seen[name], tuple) else seen[name], atol=1e-5)
    with torch.no_grad():
        slowly = _diffusion.WholeUNet(published.unet())(noised, 100, context())
    for name, values in found.items():
        np.testing.assert_allclose(slowly[name], values, atol=1e-4)


def test_nothing_behind_the_last_layer_is_cached(make):
    extract = make()
    held = set(extract._layers.state_dict())
    whole = {f"unet.{name}" for name in published.unet().state_dict()}
    gone = {name.removeprefix("unet.") for name in whole - held}
    assert held < whole
    assert all(
        name.startswith(
            (
                "up_blocks.3.",
                "up_blocks.2.resnets.2.",
                "up_blocks.2.attentions.2.",
                "up_blocks.2.upsamplers",
                "conv_norm_out",
                "conv_out",
            )
        )
        for name in gone
    )
    assert not any("decoder" in name or "post_quant" in name for name in extract._latent.state_dict())


def test_the_latent_is_the_posterior_s_mean(make):
    extract, vae = make(), published.vae()
    pixels = extract.pixels(geometry.letterbox(IMAGE, 64))
    assert -1 <= pixels.min() < pixels.max() <= 1
    with torch.no_grad():
        expected = vae.encode(pixels).latent_dist.mean * 0.18215
    np.testing.assert_allclose(extract.latent(pixels), expected, atol=1e-6)


def test_the_noise_is_fixed_and_the_timestep_says_how_much(make):
    extract = make()
    assert torch.equal(extract.noise((16, 16)), extract.noise((16, 16)))
    assert torch.equal(extract.noise((64, 64)), torch.randn(1, 4, 64, 64, generator=torch.Generator().manual_seed(42)))
    assert not torch.equal(extract.noise((16, 16)), make(seed=1).noise((16, 16)))
    latent = extract.latent(extract.pixels(geometry.letterbox(IMAGE, 128)))
    at = {t: extract.layers(latent, t)["s3"] for t in (0, 50, 100)}
    assert (at[50] - at[0]).norm() < (at[100] - at[0]).norm()


def test_windows_come_apart_and_together_again():
    square = torch.arange(144.0).reshape(1, 1, 12, 12)
    parts = corners(square, 8)
    assert parts.shape == (4, 1, 8, 8)
    assert torch.equal(parts[1], square[0, :, :8, 4:])
    assert torch.equal(parts[2], square[0, :, 4:, :8])
    assert torch.equal(together(parts, 4), square)
    parts[0] += 4  # of four windows in the middle, of two at the edges, alone in its corner
    added = together(parts, 4) - square
    assert (added[0, 0, 0, 0], added[0, 0, 0, 5], added[0, 0, 5, 5], added[0, 0, 9, 9]) == (4, 2, 1, 0)


def test_released_windows_of_960_give_15_30_and_60_cells():
    for cells, n in ((15, 8), (30, 16), (60, 32)):
        assert together(torch.zeros(4, 1, n, n), 448 * n // 512).shape[-1] == cells


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"size": 100}, "size is 100"),
        ({"window": 100}, "size is 100"),
        ({"window": 64}, "window is 64"),
        ({"window": 256}, "window is 256"),
        ({"timestep": 1000}, "timestep is 1000"),
        ({"timestep": -1}, "timestep is -1"),
        ({"grid": 0}, "grid is 0"),
    ],
)
def test_settings_out_of_range_are_refused(make, wrong, message):
    with pytest.raises(SettingError, match=message):
        make(**wrong)


def test_half_precision_comes_back_as_float32(make):
    whole, half = make(), make()
    half._layers.bfloat16()
    for a, b in zip(whole(IMAGE), half(IMAGE), strict=True):
        assert b.values.dtype == torch.float32
        assert torch.nn.functional.cosine_similarity(a.values, b.values, dim=-1).median() > 0.98


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("weights")
    published.diffusion(home)
    return home


def test_loads_the_published_folder(folder):
    with weights.using(folder):
        loaded = plugins.build("features", "stable_diffusion", **SMALL)
    held = published.unet().half().state_dict()
    own = loaded._layers.unet.state_dict()
    assert all(torch.equal(value, held[name].float()) for name, value in own.items())
    held = published.vae().half().state_dict()
    own = loaded._latent.state_dict()
    assert any("mid_block.attentions.0.to_q" in name for name in own)
    assert all(torch.equal(value, held[name].float()) for name, value in own.items())
    assert loaded._context.shape == (1, 77, 32)
    assert len(loaded(IMAGE)) == 3


def test_the_text_encoder_sees_the_empty_text_and_is_let_go(folder, monkeypatch):
    models, seen = [], []

    def watched(*given, real=weights.pretrained, **settings):
        model = real(*given, **settings)
        models.append(weakref.ref(model))
        model.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
        return model

    monkeypatch.setattr(weights, "pretrained", watched)
    with weights.using(folder):
        plugins.build("features", "stable_diffusion", **SMALL)
    gc.collect()
    assert [model() for model in models] == [None]
    assert seen[0].tolist() == [[49406] + [49407] * 76]


def test_only_what_is_needed_is_read(folder, monkeypatch):
    read = []

    def watched(path, *given, accept, real=weights.load_state, **settings):
        state = real(path, *given, accept=accept, **settings)
        read.extend(state)
        return state

    monkeypatch.setattr(weights, "load_state", watched)
    with weights.using(folder):
        plugins.build("features", "stable_diffusion", **SMALL)
    assert any(name.startswith("encoder.") for name in read)
    assert not [name for name in read if name.startswith(("decoder.", "post_quant", "up_blocks.3", "conv_out"))]


def test_another_unet_under_the_right_name_is_refused(tmp_path):
    published.diffusion(tmp_path)
    published.unet(block_out_channels=[32, 64, 32, 32]).half().save_pretrained(tmp_path / "other", variant="fp16")
    name = "diffusion_pytorch_model.fp16.safetensors"
    (tmp_path / "other" / name).replace(tmp_path / "stable-diffusion-v1-5" / "unet" / name)
    with weights.using(tmp_path), pytest.raises(weights.WeightError, match=r"not those of Stable Diffusion 1\.5"):
        plugins.build("features", "stable_diffusion", **SMALL)


def test_settings_are_checked_before_anything_is_read():
    with pytest.raises(SettingError):
        plugins.build("features", "stable_diffusion", size=100)
    assert stable_diffusion.STEP == 64


def test_taesd_makes_latents_in_the_scale_of_the_unet():
    """As `diffusers` encodes with it: pixels in [-1, 1], a factor of 1 instead of 0.18215."""
    tiny = published.tiny_vae()
    extract = StableDiffusion(unet=published.unet(), vae=tiny, context=context(), settings=Settings(**SMALL))
    pixels = extract.pixels(geometry.letterbox(IMAGE, 64))
    with torch.no_grad():
        torch.testing.assert_close(extract.latent(pixels), tiny.encode(pixels).latents)
    assert extract.latent(pixels).shape == (1, 4, 8, 8)
    assert not any("decoder" in name for name in extract._latent.state_dict())
    assert [layer.values.shape for layer in extract(IMAGE)] == [(12, 12, 32)] * 3


def test_taesd_is_loaded_where_it_is_chosen(folder, tmp_path):
    model = published.taesd(folder)
    with weights.using(folder):
        loaded = plugins.build("features", "stable_diffusion", model="taesd", **SMALL)
    own = loaded._latent.state_dict()
    assert own.keys() == {f"encoder.{name}" for name in model.encoder.state_dict()}
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in own.items())
    assert len(loaded(IMAGE)) == 3
    with pytest.raises(SettingError, match='no encoder "vqgan"'):
        plugins.build("features", "stable_diffusion", model="vqgan", **SMALL)


@pytest.mark.parametrize("part", ["vae", "tiny_vae", "unet"])
def test_channels_last_are_the_same_features(make, part):
    """The weights as a GPU's half precision wants them, on the CPU in float32."""
    image = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    latent = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    made = {
        "vae": lambda: _diffusion.Latent(published.vae()),
        "tiny_vae": lambda: _diffusion.TinyLatent(published.tiny_vae()),
        "unet": lambda: _diffusion.Layers(published.unet()),
    }
    first, last = made[part]().eval(), made[part]().eval().to(memory_format=torch.channels_last)
    assert first.channels_last
    given = (latent, 50, context()) if part == "unet" else (image,)
    with torch.no_grad():
        expected, found = first(*given), last(*given)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
