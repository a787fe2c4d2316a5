"""The examples of the first tab: what they show is right, and it is computed ahead."""

from __future__ import annotations

import pytest
from PIL import Image

import ipseg
from ipseg import weights
from ipseg.core.images import open_image
from ipseg.core.masks import iou
from ipseg.engine.presets import DEFAULT, PRESETS
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.tabs.segment.precompute import compute
from ipseg.ui.widgets.examples import EXAMPLES, HEIGHT, WIDTH, found, name_of, named, thumbnail


def test_every_example_of_the_project_is_here_and_has_a_thumbnail():
    here = found()
    assert {each.label for each in EXAMPLES if each.prompt[0] != "skimage"} <= {each.label for each in here}
    assert {thumbnail(each).size for each in here} == {(WIDTH, HEIGHT)}


@pytest.fixture(scope="module")
def default_engine():
    if any(weights.find(name) is None for name in PRESETS[DEFAULT].weights):
        pytest.skip("needs the weights of the default engine: ipseg weights fetch compact")
    return ipseg.load(DEFAULT)


def measured(result, example) -> float:
    """The IoU with the truth of an example."""
    return iou(result.mask, open_image(example.truth)[..., 0] > 127)


@pytest.mark.parametrize("example", EXAMPLES[:3], ids=lambda example: example.label)
def test_the_first_pairs_are_right_with_the_default_engine(example, default_engine):
    result = default_engine.segment(default_engine.prompt(example.prompt_image), example.files[1])
    assert measured(result, example) >= 0.9


def test_the_negative_prompt_of_the_example_matters_with_the_default_engine(default_engine):
    (example,) = (each for each in EXAMPLES if each.negative_prompt)
    prompt, negative = (default_engine.prompt(file) for file in (example.files[0], example.files[2]))
    before = default_engine.segment(prompt, example.files[1])
    after = default_engine.segment(prompt, example.files[1], negative_prompt=negative)
    assert measured(before, example) < 0.6
    assert measured(after, example) >= 0.9


def test_examples_are_computed_ahead_between_the_requests_of_visitors(engine, monkeypatch):
    pool = EnginePool(EngineSpec("offline"))
    monkeypatch.setattr(pool, "engine", lambda spec: engine)
    busy = iter([True, True, *[False] * len(found())])
    assert compute(pool, found(), lambda: next(busy), pause=0) == engine.calls == len(found())
    assert next(busy, None) is None


def test_an_engine_without_its_weights_computes_nothing_ahead(monkeypatch):
    pool = EnginePool(EngineSpec("offline"))
    monkeypatch.setattr(pool, "lacks", lambda spec: "weights")
    assert compute(pool, found(), lambda: False) == 0


@pytest.mark.parametrize("example", [each for each in EXAMPLES if each.files], ids=lambda example: example.name)
def test_the_name_of_an_example_is_found_by_its_images(example, tmp_path):
    prompt = tmp_path / "prompt.png"
    Image.fromarray(example.prompt_image).save(prompt)
    first = prompt if example.crop else example.files[0]
    given = [str(first)], [str(example.files[1])], [str(each) for each in example.files[2:]]
    assert name_of(*given, example.all_instances) == example.name
    assert named(example.name) == example
    assert name_of(*given, not example.all_instances) != example.name
    assert name_of(given[1], given[1], given[2], example.all_instances) != example.name
    assert name_of([str(tmp_path / "gone.png")], *given[1:], example.all_instances) == ""
    if example.truth:
        assert open_image(example.truth).shape == open_image(example.files[1]).shape
