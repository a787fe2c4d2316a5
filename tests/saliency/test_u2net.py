"""U2-Net-p: what goes in and comes out on a stand-in network, parity of the published weights."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from ipseg import weights
from ipseg.core import images, plugins
from ipseg.core.pixels import IMAGENET_MEAN, IMAGENET_STD
from ipseg.core.types import SettingError
from ipseg.saliency.u2net import SIZE, U2Net, brightened, normalised, stretched


@pytest.fixture(scope="module")
def red():
    """A network whose first output is half the share of red, from the normalised input, and whose second is another."""
    nodes = [
        helper.make_node("Constant", [], ["std"], value_float=IMAGENET_STD[0] / 2),
        helper.make_node("Constant", [], ["mean"], value_float=IMAGENET_MEAN[0] / 2),
        helper.make_node("Constant", [], ["channel"], value_ints=[0]),
        helper.make_node("Gather", ["input", "channel"], ["first"], axis=1),
        helper.make_node("Mul", ["first", "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["d0"]),
        helper.make_node("Neg", ["d0"], ["d1"]),
    ]
    square = (1, 1, SIZE, SIZE)
    entry = helper.make_tensor_value_info("input", TensorProto.FLOAT, (1, 3, SIZE, SIZE))
    exits = [helper.make_tensor_value_info(name, TensorProto.FLOAT, square) for name in ("d0", "d1")]
    graph = helper.make_graph(nodes, "red", [entry], exits)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return U2Net(model.SerializeToString(), threads=1)


@pytest.fixture
def image():
    """A red rectangle on a dark background: red 204 and 51, and a white corner that sets the maximum."""
    made = np.full((60, 90, 3), 51, dtype=np.uint8)
    made[20:40, 30:70, 0] = 204
    made[:10, :10] = 255
    return made


def test_the_first_output_in_image_pixels(red, image):
    found = red.probability(image)
    assert (found.shape, found.dtype) == ((60, 90), np.float32)
    assert found[30, 50] == pytest.approx(0.4, abs=5e-3)
    assert found[50, 10] == pytest.approx(0.1, abs=5e-3)
    low, high = (extreme(red.square(image)) for extreme in (np.min, np.max))
    np.testing.assert_allclose(red(image), (found - low) / (high - low), atol=1e-5)
    edges = np.flatnonzero(np.diff((found[30] > 0.25).astype(int))) + 1  # columns where it begins and ends
    np.testing.assert_allclose(edges, [30, 70], atol=1)


def test_a_darker_image_is_the_same_input(image):
    """Values count as shares of the largest one, as the network was trained."""
    values = normalised(image)
    assert (values.shape, values.dtype) == ((1, 3, 60, 90), np.float32)
    np.testing.assert_allclose(values[0, :, 0, 0], (1 - np.array(IMAGENET_MEAN)) / IMAGENET_STD, atol=1e-5)
    np.testing.assert_allclose(normalised(image // 51 * 34), values, atol=1e-5)


@pytest.mark.parametrize("value", [0, 127, 255])
def test_an_image_of_one_value(red, value):
    found = red(np.full((20, 30, 3), value, dtype=np.uint8))
    assert np.isfinite(found).all()
    assert np.ptp(found) < 1e-3


def test_inside_a_box_alone(red, image):
    found = red.in_box(image, (24.5, 10, 76, 99))
    np.testing.assert_array_equal(found[10:, 24:76], red.probability(image[10:, 24:76].copy()))
    assert not found[:10].any()
    assert not found[:, :24].any()
    assert not found[:, 76:].any()
    for box in ((90, 0, 95, 10), (-5, 0, 0, 10), (10, 10, 10, 20)):
        with pytest.raises(ValueError, match="expected a box"):
            red.in_box(image, box)


def test_dark_images_are_brightened():
    dark, bright = np.full((4, 4, 3), 51, np.uint8), np.full((4, 4, 3), 180, np.uint8)
    network = U2Net.__new__(U2Net)
    network.brightness = 0.45
    assert network.gamma(dark) == pytest.approx(np.log(0.45) / np.log(0.2), abs=1e-6)  # 0.496
    assert network.gamma(bright) == 1
    assert network.gamma(np.zeros((4, 4, 3), np.uint8)) == pytest.approx(0.4)
    network.brightness = 0.0
    assert network.gamma(dark) == 1
    found = brightened(dark, 0.5)
    assert (found.dtype, found[0, 0, 0]) == (np.uint8, int(255 * 0.2**0.5))
    assert brightened(dark, 1.0) is dark


def test_a_map_is_computed_once_for_an_image(red, image, monkeypatch):
    image, passes = 255 - image, []  # that no test has seen
    monkeypatch.setattr(red, "square", lambda image, side=SIZE: passes.append(side) or np.eye(side, dtype=np.float32))
    first, again = red.low(image), red.low(image.copy())
    assert first is again is red.low(image, images.fingerprint(image))
    assert not first.flags.writeable
    assert passes == [SIZE]
    red.low(image[::-1].copy())
    assert passes == [SIZE, SIZE]
    assert red.crop(image, (10, 20, 40, 50), 32, 1.0).shape == (32, 32)


def test_one_network_in_memory():
    """Needs the weights: `make test` fetches them."""
    network = plugins.build("saliency", "u2net")
    assert plugins.build("saliency", "u2net") is network
    assert plugins.build("saliency", "u2net", brightness=0.45) is not network
    segmenter = plugins.build("segmenters", "candidates")
    assert segmenter.network is plugins.build("saliency", "u2net", brightness=segmenter.settings.brightness)
    with pytest.raises(SettingError, match="brightness is 1"):
        plugins.build("saliency", "u2net", brightness=1)


def test_crops_may_have_another_side():
    """Needs the weights: `make test` fetches them."""
    method = plugins.build("saliency", "u2net")
    image = np.full((200, 300, 3), 60, np.uint8)
    image[60:140, 100:200] = (220, 40, 30)
    found = method.crop(image, (50, 30, 250, 170), 224, 1.0)
    assert found.shape == (224, 224)
    assert found[112, 112] > 0.9
    assert found[5, 5] < 0.1


def test_stretching():
    np.testing.assert_allclose(stretched(np.array([0.2, 0.3, 0.4], np.float32)), [0, 0.5, 1], atol=1e-6)
    np.testing.assert_array_equal(stretched(np.full(3, 0.7, np.float32)), np.full(3, 0.7, np.float32))


def test_missing_weights_say_how_to_get_them(tmp_path, hub_home):
    hub_home(tmp_path)
    with pytest.raises(weights.WeightError, match="weights fetch u2netp"):
        plugins.build("saliency", "u2net")


def test_the_published_weights_are_at_parity(root):
    """Needs the weights: `make test` fetches them."""
    method = plugins.build("saliency", "u2net")
    with np.load(root / "tests" / "golden" / "compact_networks.npz") as golden:
        image, square, wanted = golden["picture"], golden["u2netp_input_square"], golden["u2netp"]
    rows, columns = (np.arange(SIZE) * n // SIZE for n in image.shape[:2])
    nearest = image[rows][:, columns]
    np.testing.assert_allclose(nearest / nearest.max(), square, atol=1e-3)  # the golden input is in half precision
    found = method.network(normalised(nearest), method.network.outputs[0])[0][0, 0]
    np.testing.assert_allclose(found[::4, ::4], wanted, atol=1e-3)
    np.testing.assert_allclose(method.square(nearest)[::4, ::4], wanted, atol=1e-3)
