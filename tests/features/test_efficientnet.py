"""EfficientNet-Lite0: the graph against torch on made-up weights, where its cells lie, parity of published weights."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg import weights
from ipseg.core import geometry, plugins
from ipseg.core.types import SettingError
from ipseg.features import _lite0
from ipseg.features.efficientnet import EfficientNet, draw, draw_object, place
from ipseg.method import similarity

SIZES = [(301, 77), (64, 200), (16, 16), (480, 640), (5, 900)]
every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")


def shapes():
    """Every tensor of the published file that the graph reads: name to shape."""

    def norm(name, channels):
        return {f"{name}.{part}": (channels,) for part in ("weight", "bias", "running_mean", "running_var")}

    found = {"_conv_stem.weight": (32, 3, 3, 3), **norm("_bn0", 32)}
    for number, block in enumerate(_lite0.BLOCKS):
        name, inside = f"_blocks.{number}.", block.before * block.expansion
        if block.expansion > 1:
            found |= {f"{name}_expand_conv.weight": (inside, block.before, 1, 1), **norm(f"{name}_bn0", inside)}
        kernel = (block.kernel, block.kernel)
        found |= {f"{name}_depthwise_conv.weight": (inside, 1, *kernel), **norm(f"{name}_bn1", inside)}
        found |= {f"{name}_project_conv.weight": (block.after, inside, 1, 1), **norm(f"{name}_bn2", block.after)}
    found |= {"_conv_head.weight": (1280, 320, 1, 1), **norm("_bn1", 1280)}
    return found | {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}


@pytest.fixture(scope="module")
def made_up():
    """Random weights that keep the values in the range where ReLU6 is not flat."""
    rng, state = np.random.default_rng(0), {}
    for name, shape in shapes().items():
        values = rng.standard_normal(shape) * np.sqrt(2 / max(1, np.prod(shape[1:], dtype=int)))
        if name.endswith(("running_var", "weight")) and len(shape) == 1:
            values = 0.5 + rng.random(shape)
        elif len(shape) == 1:
            values = 0.2 * rng.standard_normal(shape)
        state[name] = values.astype(np.float32)
    return state


@pytest.fixture(scope="module")
def centres():
    """Weights with which each cell of a block is the red value at its centre: nothing else is seen.

    The blocks with a skip connection add nothing to it.
    """
    state = {}
    for name, shape in shapes().items():
        state[name] = np.zeros(shape, dtype=np.float32)
        if len(shape) == 4:
            middle = shape[2] // 2
            state[name][0, 0, middle, middle] = 1
            if "_project_conv" in name:
                block = _lite0.BLOCKS[int(name.split(".")[1])]
                state[name][0, 0] = block.stride > 1 or block.before != block.after
        elif name.endswith("running_var"):
            state[name][:] = 1 - _lite0.EPSILON
        elif name.endswith("weight") and len(shape) == 1:
            state[name][:] = 1
    return state


def in_torch(state, values, blocks):
    """The network written down once more with torch's own operators; a reference."""
    torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    tensors = {name: torch.from_numpy(each) for name, each in state.items()}

    def unit(x, name, norm, stride=1, groups=1, linear=False):
        kernel = tensors[f"{name}.weight"]
        pads = [max((-(-side // stride) - 1) * stride + kernel.shape[2] - side, 0) for side in x.shape[2:]]
        x = torch.nn.functional.pad(x, (pads[1] // 2, pads[1] - pads[1] // 2, pads[0] // 2, pads[0] - pads[0] // 2))
        x = torch.nn.functional.conv2d(x, kernel, stride=stride, groups=groups)
        mean, variance, gain, shift = (
            tensors[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = torch.nn.functional.batch_norm(x, mean, variance, gain, shift, eps=1e-3)
        return x if linear else x.clamp(0, 6)

    stages = [(1, 3, 1, 1), (2, 3, 2, 6), (2, 5, 2, 6), (3, 3, 2, 6), (3, 5, 1, 6), (4, 5, 2, 6), (1, 3, 1, 6)]
    x, found, number = unit(torch.from_numpy(values), "_conv_stem", "_bn0", stride=2), {}, 0
    for repeats, _, stride, expansion in stages:
        for place_in_stage in range(repeats):
            name, before = f"_blocks.{number}.", x
            if expansion > 1:
                x = unit(x, f"{name}_expand_conv", f"{name}_bn0")
            step = stride if place_in_stage == 0 else 1
            x = unit(x, f"{name}_depthwise_conv", f"{name}_bn1", step, groups=x.shape[1])
            x = unit(x, f"{name}_project_conv", f"{name}_bn2", linear=True)
            x = x + before if x.shape == before.shape and step == 1 else x
            found[f"block{number}"] = x.numpy()
            number += 1
    pooled = unit(x, "_conv_head", "_bn1").mean(dim=(2, 3))
    found["logits"] = (pooled @ tensors["_fc.weight"].T + tensors["_fc.bias"]).numpy()
    return {name: found[name] for name in [*(f"block{block}" for block in blocks), "logits"]}


@pytest.mark.parametrize("size", [(96, 128), (65, 97), (33, 50)])
def test_the_graph_is_the_network(made_up, size):
    blocks = (0, 2, 4, 7, 10, 14, 15)
    values = np.random.default_rng(2).uniform(-1, 1, (1, 3, *size)).astype(np.float32)
    network = weights.OnnxNetwork(_lite0.build(made_up, blocks, head=True), threads=1)
    wanted = in_torch(made_up, values, blocks)
    assert network.outputs == tuple(wanted)
    for name, found in zip(network.outputs, network(values), strict=True):
        assert wanted[name].std() > 1e-3
        np.testing.assert_allclose(found, wanted[name], atol=1e-4 * max(1, np.abs(wanted[name]).max()))


def test_nothing_is_computed_beyond_the_last_block(made_up):
    assert len(_lite0.build(made_up, (4,))) < len(_lite0.build(made_up, (4, 10))) < len(_lite0.build(made_up, (15,)))
    with pytest.raises(KeyError):
        _lite0.build({name: values for name, values in made_up.items() if "_bn2" not in name}, (4,))


def ramp(size, axis):
    """Red and green and blue rise along one axis: (image, the value at a position in pixels)."""
    extent = size[axis]
    values = 130 + 120 * (np.arange(extent) + 0.5) / extent
    image = np.empty((*size, 3), dtype=np.uint8)
    image[:] = np.round(values).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return image, lambda position: (130 + 120 * position / extent - 127) / 128


@every_size
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("blocks", [(4, 10, 15), (10, 14, 15), (2, 4)])
def test_each_cell_is_centred_where_its_frame_says(centres, size, axis, blocks):
    """With weights that see the centre of a cell alone, a ramp gives the position of each centre."""
    extract = EfficientNet(_lite0.build(centres, blocks), blocks, side=640, unit=False, threads=1)
    image, value = ramp(size, axis)
    layers = extract(image)
    for layer in layers if size[axis] > 5 else layers[:1]:  # an image of less than a coarse cell has no coarse ramp
        columns, rows = np.meshgrid(*(np.arange(n) for n in layer.frame.grid[::-1]))
        cells = np.stack([columns.ravel(), rows.ravel()], axis=1)
        position = geometry.cells_to_image(cells, layer.frame)[:, 1 - axis].reshape(layer.frame.grid)
        red = layer.values[..., 0]
        middle = np.abs(position / size[axis] - 0.5) < 0.4  # beyond it a coarse cell's neighbour is off the image
        limit = 1.5 / 128 if size[axis] > 16 else 4 / 128  # steps of a byte; a few pixels are no ramp
        np.testing.assert_allclose(red[middle], value(position)[middle], atol=limit)


@every_size
@pytest.mark.parametrize("axis", [0, 1])
def test_own_cells_are_the_networks_own(centres, size, axis):
    """Each block keeps its own cells, those centred on the image; the finest block's span exactly the image."""
    blocks = (4, 10, 15)
    model = _lite0.build(centres, blocks)
    extract = EfficientNet(model, blocks, side=640, unit=False, own_cells=True, threads=1)
    image, value = ramp(size, axis)
    layers, placement = extract(image), place(size, 640, 8)
    assert layers[0].frame == geometry.aspect_frame(size, 80)
    outputs = extract.outputs(draw(image, placement))
    for layer, output in zip(layers, outputs, strict=True):
        assert layer.values.shape[:2] == layer.frame.grid
        if min(size) > 5:
            assert {cell.tobytes() for cell in layer.values.reshape(-1, layer.values.shape[-1])} <= {
                cell.tobytes() for cell in np.ascontiguousarray(output).reshape(-1, output.shape[-1])
            }
            assert geometry.cells_inside(layer.frame).all()
        columns, rows = np.meshgrid(*(np.arange(n) for n in layer.frame.grid[::-1]))
        position = geometry.cells_to_image(np.stack([columns.ravel(), rows.ravel()], axis=1), layer.frame)
        position = position[:, 1 - axis].reshape(layer.frame.grid)
        middle = np.abs(position / size[axis] - 0.5) < 0.4
        if size[axis] > 16:
            np.testing.assert_allclose(layer.values[..., 0][middle], value(position)[middle], atol=1.5 / 128)


def test_more_sides_give_more_layers_of_a_prompt_image(made_up, scene):
    model, blocks = _lite0.build(made_up, (10, 15)), (10, 15)
    extractor = EfficientNet(model, blocks, side=320, also=(160,), own_cells=True, threads=1)
    assert [layer.name for layer in extractor(scene[0])] == ["block10", "block15"]
    layers = extractor(scene[0]) + extractor.prompt_layers(scene[0])
    assert [layer.name for layer in layers] == ["block10", "block15", "block10@160", "block15@160"]
    for first, side in ((0, 320), (2, 160)):
        alone = EfficientNet(model, blocks, side=side, own_cells=True, threads=1)(scene[0])
        for layer, own in zip(layers[first : first + 2], alone, strict=True):
            assert layer.frame == own.frame
            np.testing.assert_array_equal(layer.values, own.values)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scales": (), "also": (481,)}, "side is 481"),
        ({"scales": (), "also": (640,)}, "different numbers"),
        ({"also": (480,)}, "one grid"),
        ({"own_cells": True}, "one grid"),
    ],
)
def test_sides_and_cells_that_do_not_fit(settings, message):
    with pytest.raises(SettingError, match=message):
        plugins.build("features", "efficientnet", **settings)


@every_size
def test_the_frame_is_exactly_the_image(centres, size):
    blocks = (4, 10, 15)
    layers = EfficientNet(_lite0.build(centres, blocks), blocks, side=320, threads=1)(
        np.full((*size, 3), 200, np.uint8)
    )
    assert [layer.name for layer in layers] == ["block4", "block10", "block15"]
    for layer, channels in zip(layers, (40, 112, 320), strict=True):
        assert layer.frame == geometry.aspect_frame(size, 40)
        assert layer.values.shape == (*layer.frame.grid, channels)
        assert layer.values.dtype == np.float32


@every_size
@pytest.mark.parametrize("stride", [4, 8, 16, 32])
def test_a_placement_holds_the_image_with_the_centres_of_its_cells_on_pixels(size, stride):
    placement = place(size, 640, stride)
    assert all(side % 32 == 1 for side in placement.size)
    frame, own = placement.frame, placement.of(stride)
    first = geometry.image_to_cells(geometry.cells_to_image([[0, 0]], frame), own)
    last = geometry.image_to_cells(geometry.cells_to_image([np.array(frame.grid[::-1]) - 1], frame), own)
    np.testing.assert_allclose(first, [[1, 1]], atol=1e-3)
    np.testing.assert_allclose(last, [np.array(frame.grid[::-1])], atol=1e-3)
    assert draw(np.zeros((*size, 3), np.uint8), placement).shape == (*placement.size, 3)


def test_unit_length(made_up, scene):
    model = _lite0.build(made_up, (10, 15))
    for layer in EfficientNet(model, (10, 15), side=160, threads=1)(scene[0]):
        np.testing.assert_allclose(np.linalg.norm(layer.values, axis=2), 1, atol=1e-5)
    for layer in EfficientNet(model, (10, 15), side=160, unit=False, threads=1)(scene[0]):
        assert np.ptp(np.linalg.norm(layer.values, axis=2)) > 0.01


def test_blocks_joined_to_one_layer(made_up, scene):
    model, blocks, scales = _lite0.build(made_up, (10, 15)), (10, 15), (0.5, 2.0)
    apart = EfficientNet(model, blocks, side=160, threads=1)(scene[0])
    (layer,) = EfficientNet(model, blocks, scales=scales, side=160, threads=1)(scene[0])
    assert layer.name == "efficientnet"
    assert layer.frame == apart[0].frame
    for first, channels, scale, own in zip((0, 112), (112, 320), scales, apart, strict=True):
        np.testing.assert_array_equal(layer.values[..., first : first + channels], np.float32(scale) * own.values)
    wanted = sum(scale**2 * (own.values @ own.values[2, 3]) for scale, own in zip(scales, apart, strict=True))
    np.testing.assert_allclose(
        similarity.cosine(layer.values[2, 3], layer.values), wanted / sum(scale**2 for scale in scales), atol=1e-5
    )


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 2.0, 0.0), (1.0, 2.0, -1.0), (1.0, 2.0, float("nan")), (1.0,) * 4])
def test_scales_that_do_not_fit_the_blocks(scales):
    with pytest.raises(SettingError, match="for each of 3 blocks"):
        plugins.build("features", "efficientnet", scales=scales)


@pytest.mark.parametrize("blocks", [(), (16,), (-1,), (10, 10), ("10",)])
def test_blocks_that_there_are_not(blocks):
    with pytest.raises(SettingError, match="whole numbers from 0 to 15"):
        plugins.build("features", "efficientnet", blocks=blocks)


@pytest.mark.parametrize(("side", "blocks"), [(8, (10,)), (650, (10,)), (0, (4,)), (644, (4, 15))])
def test_a_side_that_is_no_whole_number_of_cells(side, blocks):
    with pytest.raises(SettingError, match=r"multiple of (8|16) pixels"):
        plugins.build("features", "efficientnet", side=side, blocks=blocks, scales=())


def test_the_layers_after_the_last_block_are_those_of_the_graph(made_up):
    pixels = np.random.default_rng(1).integers(0, 256, (97, 65, 3)).astype(np.uint8)
    extractor = EfficientNet(_lite0.build(made_up, (15,)), (15,), head=_lite0.head(made_up), threads=1)
    (cells,) = extractor.outputs(pixels)
    pooled = extractor.head.pooled(cells, np.ones(cells.shape[:2], np.float32))
    values = ((pixels.astype(np.float32) - 127) / 128).transpose(2, 0, 1)[None]
    logits = weights.OnnxNetwork(_lite0.build(made_up, (15,), head=True), threads=1)(values, _lite0.HEAD)[0][0]
    odds = np.exp(logits - logits.max())
    np.testing.assert_allclose(extractor.head.probabilities(pooled), odds / odds.sum(), rtol=1e-3, atol=1e-7)


def test_cells_are_pooled_by_their_shares():
    head = _lite0.Head(
        np.eye(2, dtype=np.float32), np.float32([0, 1]), np.float32([[1, 0], [0, 1]]), np.float32([0, 0])
    )
    cells = np.float32([[[2, 3], [-1, 9]]])  # after the convolution, within 0 and 6: (2, 4) and (0, 6)
    pooled = head.pooled(cells, np.float32([[3, 1]]))
    np.testing.assert_allclose(pooled, [1.5, 4.5])
    np.testing.assert_allclose(head.probabilities(pooled), [1 / (1 + np.exp(3)), 1 / (1 + np.exp(-3))], rtol=1e-6)


def test_an_object_is_drawn_on_grey_in_the_middle():
    image, mask = np.full((40, 60, 3), 200, np.uint8), np.zeros((40, 60), bool)
    mask[10:20, 30:50] = True  # 20 x 10: the square has 1.2 * 20 = 24 pixels of the image
    drawn, share = draw_object(image, mask, 48)  # 2 pixels for each: the object has 40 x 20
    assert drawn.shape == (48, 48, 3)
    assert share.sum() == 800
    assert (share[14:34, 4:44] == 1).all()
    np.testing.assert_array_equal(drawn, np.where(share[..., None] > 0, [200] * 3, 127))
    smaller, half = draw_object(image, mask, 12)  # half a pixel for each
    assert half.sum() == 50
    assert set(np.unique(smaller)) == {127, 200}


def test_what_surrounds_an_object_does_not_change_its_vectors(made_up):
    rng, mask = np.random.default_rng(2), np.zeros((50, 70), bool)
    mask[10:40, 20:55] = True
    one, other = rng.integers(0, 256, (2, 50, 70, 3)).astype(np.uint8)
    other[mask] = one[mask]
    extractor = EfficientNet(_lite0.build(made_up, (10, 15)), (10, 15), head=_lite0.head(made_up), threads=1)
    found = extractor.whole(one, mask)
    assert [vector.shape for vector in found] == [(1280,), (1000,)]
    np.testing.assert_allclose([np.linalg.norm(vector) for vector in found], 1, rtol=1e-5)
    for vector, same in zip(found, extractor.whole(other, mask), strict=True):
        np.testing.assert_array_equal(vector, same)
    assert abs(found[0] @ extractor.whole(one, ~mask)[0]) < 0.9999
    assert extractor.whole(one, np.zeros_like(mask)) == ()
    without = EfficientNet(_lite0.build(made_up, (10,)), (10,), head=_lite0.head(made_up), threads=1)
    assert without.whole(one, mask) == ()


def test_missing_weights_say_how_to_get_them(tmp_path, hub_home):
    hub_home(tmp_path)
    with pytest.raises(weights.WeightError, match="weights fetch efficientnet_lite0"):
        plugins.build("features", "efficientnet")


def test_the_published_weights_are_at_parity(root):
    """Needs the weights: `make test` fetches them."""
    with np.load(root / "tests" / "golden" / "compact_networks.npz") as golden:
        state = weights.legacy_state(weights.read("efficientnet_lite0"))
        names = ("block10", "block14", "block15")
        network = weights.OnnxNetwork(_lite0.build(state, (10, 14, 15), head=True))
        values = (golden["picture"].astype(np.float32) - 127) / 128
        for name, found in zip(network.outputs, network(values.transpose(2, 0, 1)[None]), strict=True):
            np.testing.assert_allclose(found[0], golden[name], atol=1e-3, err_msg=name)
        extract = plugins.build("features", "efficientnet")
        for name, found in zip(names, extract.outputs(golden["picture"]), strict=True):
            np.testing.assert_allclose(found, golden[name].transpose(1, 2, 0), atol=1e-3, err_msg=name)
