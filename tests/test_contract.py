"""Every plug-in that is found satisfies the protocol of its kind, on images of odd sizes."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core import images, plugins
from ipseg.core.types import Candidates, FeatureMap, InputError, Points
from ipseg.core.vectors import to_numpy
from ipseg.engine import build, presets

SIZES = [(301, 77), (64, 200), (16, 16)]
OPTIONAL = {"accelerate", "diffusers", "segment_anything", "torch", "torchvision", "transformers"}
OFFLINE = presets.PRESETS["offline"]
COMPACT = presets.PRESETS["compact"]
SMALL = {(kind, name) for kind, (name, _) in COMPACT.parts}  # `make test` fetches their weights
ALWAYS = {("features", OFFLINE.features[0]), ("saliency", OFFLINE.saliency[0]), ("segmenters", OFFLINE.segmenter[0])}
NOWHERE = np.zeros((0, 2), np.float32)

every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[1]}x{size[0]}")


def every(kind: str):
    return pytest.mark.parametrize("part", plugins.names(kind), indirect=True)


@pytest.fixture
def part(request):
    """One plug-in with its default settings; skipped where its framework or its weights are not on this machine."""
    kind, name = request.function.kind, request.param
    try:
        return plugins.build(kind, name)
    except ImportError as error:
        if (kind, name) in ALWAYS | SMALL or (error.name or "").split(".")[0] not in OPTIONAL:
            raise
        pytest.skip(f"{name} needs {error.name}")
    except InputError as error:
        if (kind, name) in ALWAYS | SMALL:
            raise
        pytest.skip(f"{name}: {error}")


def of(kind: str):
    """Mark a test as one of a kind of plug-in, over all of them and all sizes."""

    def mark(test):
        test.kind = kind
        return every(kind)(every_size(test))

    return mark


@pytest.fixture
def opened(size, make_scene):
    """An image as the pipeline has it, and a copy to compare with."""
    image = images.open_image(make_scene(*size)[0])
    return image, image.copy()


@of("features")
def test_features(part, size, opened):
    image, before = opened
    layers = part(image)
    assert isinstance(layers, tuple)
    assert len({layer.name for layer in layers}) == len(layers) > 0
    for layer in layers:
        assert isinstance(layer, FeatureMap)
        assert layer.frame.image_size == size
        assert layer.frame.grid == layers[0].frame.grid
        values = to_numpy(layer.values)
        assert np.isfinite(values).all()
        assert str(layer.values.dtype).removeprefix("torch.") in ("float16", "bfloat16", "float32", "float64")
        assert values.any()
    np.testing.assert_array_equal(image, before)
    for layer, again in zip(layers, part(before), strict=True):
        assert layer.name == again.name
        np.testing.assert_array_equal(to_numpy(layer.values), to_numpy(again.values))


def saliency_of(part, image):
    """The map, with features at hand as in the pipeline."""
    return part(image, lambda: plugins.build("features", "texture")(image))


@of("saliency")
def test_saliency(part, size, opened):
    image, before = opened
    values = saliency_of(part, image)
    assert type(values) is np.ndarray
    assert (values.shape, values.dtype) == (size, np.float32)
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert values.max() <= 1
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(values, saliency_of(part, before))
    flat = saliency_of(part, np.full((*size, 3), 127, np.uint8))
    assert np.isfinite(flat).all()


@of("segmenters")
def test_segmenters(part, size, opened, make_scene):
    image, before = opened
    _, truth = make_scene(*size)
    encoding = part.encode(image)
    y, x = (axis.mean() + 0.5 for axis in np.nonzero(truth))
    points = Points(np.array([[x, y]], np.float32), np.array([[0.5, 0.5], [size[1] - 0.5, size[0] - 0.5]], np.float32))
    first = part.predict(encoding, points)
    several = part.predict(encoding, points, mask_logits=first.logits[0], several=True)
    box = (0.0, 0.0, size[1] - 1.0, size[0] - 1.0)
    boxed = part.predict(encoding, points, mask_logits=several.logits[0], box=box, several=True)
    nothing = part.predict(encoding, Points(NOWHERE, NOWHERE))
    one_sided = part.predict(encoding, Points(points.positive, NOWHERE))
    for answer in (first, several, boxed, nothing, one_sided):
        assert isinstance(answer, Candidates)
        assert answer.masks.shape[1:] == size
        assert answer.masks.dtype == bool
        assert (answer.scores.dtype, answer.logits.dtype) == (np.float32, np.float32)
        assert np.isfinite(answer.scores).all()
        assert np.isfinite(answer.logits).all()
    assert len(first.masks) == 1
    np.testing.assert_array_equal(image, before)
    for answer in (part.predict(encoding, points), part.predict(part.encode(before), points)):
        np.testing.assert_array_equal(answer.masks, first.masks)
        np.testing.assert_array_equal(answer.scores, first.scores)


@pytest.mark.parametrize("preset", ["offline", "compact"])
@pytest.mark.parametrize("name", ["ipseg", "persam"])
def test_what_a_user_holds_prints_in_a_short_line(name, preset, scene):
    """Engine, prompt and result, whichever engine and method: no array is printed."""
    engine = build.load(preset)
    method = plugins.method(name, engine)
    image, mask = scene
    prompt = method.prompt(image, masks=mask)
    result = method.segment(prompt, image)
    for value in (engine, prompt, getattr(prompt, "model", None), result, result.points, result.similarity):
        assert "array(" not in repr(value)
        assert " at 0x" not in repr(value)
        assert len(repr(value)) < 600
