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
from ipseg.core.types import FeatureMap, SettingError
from ipseg.core.vectors import to_numpy
from ipseg.features.fusion import Fusion
from ipseg.method import prototype, similarity

SIZE = (50, 77)
IMAGE, OBJECT = scene("fusion", *SIZE)
SOURCES = {
    "dinov2": {"size": 112},
    "stable_diffusion": {"size": 192, "window": 128, "timestep": 100},
}


def layer(name, frame, channels=3, seed=0):
    return FeatureMap(name, np.random.default_rng(seed).random((*frame.grid, channels)), frame)


def test_every_layer_on_one_grid_over_the_image():
    square = layer("square", geometry.letterbox_frame(SIZE, 20))
    flat = layer("flat", geometry.squash_frame(SIZE, (4, 6)))
    fused = Fusion([lambda _: (square,), lambda _: (flat,)], grid=12)(IMAGE)
    assert [one.frame for one in fused] == [geometry.squash_frame(SIZE, (12, 12))] * 2
    np.testing.assert_array_equal(fused[0].values, geometry.crop_to_image(square.values, square.frame, (12, 12)))
    np.testing.assert_array_equal(fused[1].values, flat.values.repeat(3, 0).repeat(2, 1))


def test_layers_of_their_own_size_are_brought_over_once():
    class Source:
        def native(self, _):
            return (layer("own", geometry.letterbox_frame(SIZE, 5)),)

        def __call__(self, _):
            raise AssertionError("the native layers are what is wanted")

    assert Fusion([Source()], grid=60)(IMAGE)[0].frame.grid == (60, 60)


def test_two_layers_of_one_name_are_refused():
    source = [lambda _: (layer("same", geometry.letterbox_frame(SIZE, 5)),)] * 2
    with pytest.raises(ValueError, match="different names"):
        Fusion(source)(IMAGE)


@pytest.mark.parametrize("sources", [{}, {"fusion": {}}, {"nothing": {}}, {"dinov2": {"sise": 1}}])
def test_wrong_sources_are_refused(sources):
    with pytest.raises(SettingError):
        plugins.build("features", "fusion", sources=sources)


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    published.dinov2(folder)
    published.diffusion(folder)
    with weights.using(folder):
        return plugins.build("features", "fusion", sources=SOURCES, grid=12)


def test_dinov2_and_stable_diffusion_as_the_preset_has_them(fused):
    layers = fused(IMAGE)
    assert [one.name for one in layers] == ["dinov2", "s5", "s4", "s3"]
    cells = geometry.to_cells(OBJECT.astype(np.float32), layers[0].frame) > 0.5
    vectors = prototype.average(layers, cells)
    weighed = {"dinov2": 1.0, "s3": 0.03, "s4": 0.02, "s5": 0.01}
    values = similarity.fuse(vectors, layers, weighed)
    parts = {one.name: to_numpy(similarity.cosine(vectors[one.name], one.values)) for one in layers}
    assert values.shape == (12, 12)
    np.testing.assert_allclose(values, sum(weighed[name] * part for name, part in parts.items()), atol=1e-6)
    alone = similarity.fuse(vectors, layers, {"dinov2": 1.0})  # Table 3: each source without the other
    np.testing.assert_allclose(alone, parts["dinov2"], atol=1e-6)


def test_tensors_and_arrays_say_the_same(fused):
    layers = fused(IMAGE)
    arrays = [FeatureMap(one.name, one.values.numpy(), one.frame) for one in layers]
    cells = np.eye(12, dtype=bool)
    both = [
        similarity.fuse(prototype.average(kind, cells), kind, {"dinov2": 1, "s3": 0.5}) for kind in (layers, arrays)
    ]
    np.testing.assert_allclose(*both, atol=1e-6)
