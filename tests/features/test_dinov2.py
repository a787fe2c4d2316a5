import numpy as np
import published
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from networks import small_dinov2

from ipseg import weights
from ipseg.core import (
    geometry,
    plugins,
)
from ipseg.core.pixels import IMAGENET_MEAN, IMAGENET_STD
from ipseg.core.types import InputError, SettingError
from ipseg.features.dinov2 import DINOv2

IMAGE, _ = scene("dinov2", 50, 77)


@pytest.fixture(scope="module")
def extract():
    return DINOv2(small_dinov2(), size=112)


def test_a_layer_on_the_letterboxed_square(extract):
    (layer,) = extract(IMAGE)
    assert layer.name == "dinov2"
    assert tuple(layer.values.shape) == (8, 8, 32)
    assert layer.values.dtype == torch.float32
    assert layer.frame == geometry.letterbox_frame((50, 77), 8)
    assert torch.equal(layer.values, extract(IMAGE)[0].values)


def test_it_is_the_last_block_before_the_norm(extract):
    (layer,) = extract(IMAGE)
    model = small_dinov2()
    seen = []
    model.layernorm.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    square = (geometry.letterbox(IMAGE, 112) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    with torch.no_grad():
        model(torch.from_numpy(square.astype(np.float32)).permute(2, 0, 1)[None])
    np.testing.assert_allclose(layer.values.reshape(64, 32), seen[0][0, 1:], atol=1e-5)


def test_cells_are_in_reading_order(extract):
    """A change in one corner of the image changes the cell there most."""
    other = IMAGE.copy()
    other[42:, 68:] = 255 - other[42:, 68:]
    far = (extract(IMAGE)[0].values - extract(other)[0].values).square().sum(-1)
    row, column = np.unravel_index(int(far.argmax()), far.shape)
    assert (row, column) in {(5, 7), (6, 7)}


def test_another_size_gives_another_grid():
    (layer,) = DINOv2(small_dinov2(), size=70)(IMAGE)
    assert layer.frame.grid == (5, 5)


@pytest.mark.parametrize("size", [0, 13, 100, -14, 14.5])
def test_a_size_that_is_no_multiple_of_the_patch_is_refused(size):
    with pytest.raises(SettingError, match="multiple of 14"):
        DINOv2(small_dinov2(), size=size)


def test_half_precision_comes_back_as_float32(extract):
    (layer,) = DINOv2(small_dinov2().bfloat16(), size=112)(IMAGE)
    assert layer.values.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(layer.values, extract(IMAGE)[0].values, dim=-1).min() > 0.99


def test_an_overflow_is_said(extract):
    model = small_dinov2()
    with torch.no_grad():
        model.embeddings.cls_token.fill_(float("inf"))
    with pytest.raises(InputError, match="choose the dtype bfloat16 or float32"):
        DINOv2(model, size=112)(IMAGE)


def test_loads_the_published_folder(tmp_path):
    held = published.dinov2(tmp_path, "dinov2-large").state_dict()
    with weights.using(tmp_path):
        loaded = plugins.build("features", "dinov2", model="large", size=112)
    own = loaded.model.state_dict()
    assert len(own) == len(held) - 2  # without the norm
    assert all(torch.equal(value, held[name]) for name, value in own.items())
    assert loaded(IMAGE)[0].values.any()


def test_the_wrong_model_under_the_right_name_is_refused(tmp_path):
    published.dinov2(tmp_path, num_hidden_layers=1)
    config = tmp_path / "dinov2-base" / "config.json"
    config.write_text(config.read_text().replace('"num_hidden_layers": 1', '"num_hidden_layers": 2'))
    with (
        weights.using(tmp_path),
        pytest.raises(weights.WeightError, match=r"not those of DINOv2 ViT-B/14.*fetch dinov2_base"),
    ):
        plugins.build("features", "dinov2")


def test_a_file_cut_short_is_refused(tmp_path):
    published.dinov2(tmp_path)
    file = tmp_path / "dinov2-base" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with (
        weights.using(tmp_path),
        pytest.raises(weights.WeightError, match=r"cut short; run .*weights fetch dinov2_base"),
    ):
        plugins.build("features", "dinov2")


def test_an_unknown_model_is_refused():
    with pytest.raises(SettingError, match="small, base, large, giant"):
        plugins.build("features", "dinov2", model="huge")
