"""The ablation: what each section computes, that an image is encoded once, and that results are cached."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import networks
import numpy as np
import pytest
from lending import Spaces
from parity_rules import scene

import ipseg
from ipseg import weights
from ipseg.core import geometry, plugins
from ipseg.core.masks import iou
from ipseg.core.status import Status
from ipseg.core.types import FeatureMap, ImageError, Points
from ipseg.engine import build, presets, zerogpu
from ipseg.engine.spec import EngineSpec
from ipseg.method.config import IPSegConfig
from ipseg.method.encodings import Encodings, named
from ipseg.method.scorers.cosine import Cosine, Settings
from ipseg.studies import ablation
from ipseg.studies.ablation import OWN, TRUE, Pair
from ipseg.ui.tabs.ablation import render

pytestmark = pytest.mark.usefixtures("small_offline")

FRAME = geometry.squash_frame((20, 30), (4, 6))


def counted(engine):
    """The engine, and how often it encoded and described each image."""
    calls = Counter()

    class Describing:
        density = engine.features.density

        def __call__(self, image):
            calls["features", named(image).name] += 1
            return engine.features(image)

    class Encoding:
        accepts_prior, is_sam, predict = engine.segmenter.accepts_prior, False, engine.segmenter.predict

        def encode(self, image):
            calls["encoding", named(image).name] += 1
            return engine.segmenter.encode(image)

    return replace(engine, features=Describing(), segmenter=Encoding()), calls


@pytest.fixture(scope="module", autouse=True)
def small_grid():
    """Four settings instead of fifteen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablation._variants, "KS", (8, 32))
        patch.setattr(ablation._variants, "CLUSTERS", (2, 4))
        yield


@pytest.fixture(scope="module")
def pair(make_scene) -> Pair:
    prompt, prompt_mask = make_scene(seed=0)
    image, truth = make_scene(60, 56, seed=1)
    return Pair(prompt, image, prompt_mask, truth)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def seen(pair, folder, small_offline):
    """An ablation with the offline engine, and how often it encoded."""
    engine, calls = counted(ipseg.load("offline"))
    return ablation.compute(engine, pair, folder=folder), calls


def test_each_image_is_encoded_once(seen):
    _, calls = seen
    assert len([key for key in calls if key[0] == "features"]) == 2
    assert set(calls.values()) == {1}


def test_every_section_is_there(seen, pair):
    result, _ = seen
    size = pair.image.shape[:2]
    assert [one.name for one in result.colours] == ["texture"]
    assert result.colours[0].prompt.shape == pair.prompt.shape
    assert result.colours[0].image.shape == pair.image.shape
    assert list(result.similarities) == ["cosine", "backgrounds", "prior"]
    assert all(one.mask.shape == one.map.shape == size for one in result.similarities.values())
    assert list(result.saliencies) == [OWN, *plugins.names("saliency"), TRUE]
    assert result.detector == "boundary"
    assert iou(result.own.mask, pair.truth) > 0.8


def test_its_own_setting_is_its_own_answer(seen):
    result, _ = seen
    assert result.setting == (32, 4)
    assert set(result.grid) == {(8, 2), (8, 4), (32, 2), (32, 4)}
    for same in (result.grid[result.setting], result.similarities[ablation.own_variant(result.similarities)]):
        np.testing.assert_array_equal(same.mask, result.own.mask)
        np.testing.assert_array_equal(same.points.positive, result.own.points.positive)
    for (_, clusters), one in result.grid.items():
        assert len(one.points.positive) <= clusters


def test_saliency_is_that_of_the_prompt(seen, pair):
    saw = seen[0].saliencies
    assert (saw["none"].map == 1).all()
    np.testing.assert_array_equal(saw[TRUE].map > 0.5, pair.prompt_mask)
    engine = ipseg.load("offline")
    true = engine.segment(engine.prompt(pair.prompt, pair.prompt_mask), pair.image)
    np.testing.assert_array_equal(saw[TRUE].mask, true.mask)


def test_a_method_without_its_weights_says_so(seen, one_message):
    absent = seen[0].saliencies["tsdn"]
    if absent.error == "":
        pytest.skip("the weights of TSDN are here")
    assert absent.map is None
    assert "TSDN" in absent.error


def test_what_is_cached_is_not_computed_again(seen, pair, folder):
    first, _ = seen
    engine, calls = counted(ipseg.load("offline"))
    again = ablation.compute(engine, pair, folder=folder)
    assert not calls
    np.testing.assert_array_equal(first.own.mask, again.own.mask)
    np.testing.assert_array_equal(first.colours[0].image, again.colours[0].image)
    for numbers, one in first.grid.items():
        np.testing.assert_array_equal(one.mask, again.grid[numbers].mask)
    for name, one in first.similarities.items():
        np.testing.assert_allclose(one.map, again.similarities[name].map, atol=1e-2)


def test_other_settings_and_images_are_cached_apart(seen, pair, folder):
    before = set(folder.iterdir())
    assert all(
        one.error or any(f"saliency-{name}." in file.name for file in before) or name == OWN
        for name, one in seen[0].saliencies.items()
    )
    assert not seen[0].saliencies["tsdn"].error or not any("tsdn" in file.name for file in before)
    engine = ipseg.load("offline")
    engine = replace(engine, config=replace(engine.config, k=8))
    result = ablation.compute(engine, Pair(pair.prompt, pair.image), folder=folder)
    assert len(set(folder.iterdir()) - before) == len(before) - 1
    assert result.setting == (8, 4)
    assert TRUE not in result.saliencies  # there is no ground truth


def test_variants_of_an_engine_with_stable_diffusion():
    shares = {"dinov2": 1.0, "s3": 0.03, "s4": 0.02, "s5": 0.01}
    variants = Cosine(Settings(shares)).variants(list(shares))
    found = {name: dict(each.settings.weights) for name, each in variants.items()}
    assert found["with sd"] == shares
    assert found["without sd"] == {"dinov2": 1.0}
    assert found["sd"] == {name: shares[name] for name in ("s3", "s4", "s5")}
    assert {"s3", "s4", "s5"} <= set(found)
    assert "dinov2" not in found  # it is what is left without Stable Diffusion
    assert ablation.own_variant(found) == "with sd"


@pytest.mark.parametrize(
    ("shares", "names", "expected"),
    [
        ({}, ["dinov2"], ["dinov2"]),
        ({}, ["dinov2", "clip"], ["fused", "dinov2", "clip"]),
        ({"s3": 0.3, "s4": 0.2}, ["s3", "s4"], ["fused", "s3", "s4"]),
    ],
)
def test_variants_of_other_engines(shares, names, expected):
    found = Cosine(Settings(shares)).variants(names)
    assert list(found) == expected
    assert ablation.own_variant(found) == expected[0]


def test_the_grid_holds_the_methods_own_numbers():
    assert (20, 3) in ablation.settings(IPSegConfig(k=20, clusters=3))
    assert all(c <= k for k, c in ablation.settings(IPSegConfig(k=2, clusters=1)))


# Engines with networks, small ones, and the same ones lent.


@pytest.fixture
def networked(small_models, monkeypatch):
    """The engine of the paper with small networks, the same one lent, and the calls that took the GPU."""
    import cv2
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)  # a child has none of its parent's other threads, and would wait for them
    cv2.setNumThreads(1)
    fake = Spaces()
    monkeypatch.setattr(zerogpu, "SPACES", fake)

    def small(chosen: EngineSpec):
        return build.assemble(networks.on_small_pictures(presets.PRESETS[chosen.preset]), chosen.name)

    with weights.using(small_models), threadpool_limits(1):
        worker = zerogpu.Worker(small)
        worker.ready(EngineSpec("paper"))
        yield small(EngineSpec("paper")), build.build_remote(EngineSpec("paper"), worker), fake
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def test_stable_diffusion_and_an_engine_in_a_worker(networked):
    plain, lent, spaces = networked
    prompt, prompt_mask = scene("prompt", 75, 101)
    image, truth = scene("input", 120, 83)
    pair = Pair(prompt, image, prompt_mask, truth)
    engine, calls = counted(plain)
    one, other = ablation.compute(engine, pair), ablation.compute(lent, pair)
    assert max(calls.values()) == 1
    assert one.colours[0].name == "fused"
    assert {each.name for each in one.colours} == {"fused", "dinov2", "s3", "s4", "s5"}
    assert {"with sd", "without sd", "sd"} <= set(one.similarities)
    assert one.detector == other.detector == "tsdn"
    assert "tsdn" not in one.saliencies  # it is the engine's own
    assert list(one.saliencies) == list(other.saliencies)
    for mine, borrowed in (
        (one.similarities, other.similarities),
        (one.saliencies, other.saliencies),
        (one.grid, other.grid),
    ):
        for name, each in mine.items():
            np.testing.assert_array_equal(each.mask, borrowed[name].mask)
            assert each.error == borrowed[name].error
    np.testing.assert_array_equal(one.grid[one.setting].mask, one.own.mask)
    assert type(other.similarities["sd"].map) is np.ndarray
    assert len(spaces.calls) <= 9
    view = render.View(other, pair)
    text = render.similarity(view, [each.name for each in other.colours])
    assert "“With Stable Diffusion”, which the engine uses, answers" in text
    assert "than “Without Stable Diffusion”" in text or "as “Without Stable Diffusion”" in text
    assert "no “with and without Stable Diffusion”" not in text
    assert render.features(view).count("<figure>") == 2 * (1 + len(other.colours))
    assert len(ablation.compute(lent, pair).grid) == len(one.grid)


# Similarity of a patch.


class Layers:
    """An extractor of given layers: a frame of each by the image's size, and the mean colour of each cell in it."""

    def __init__(self, *frames):
        self.frames, self.calls = frames, Counter()

    def __call__(self, image):
        self.calls[named(image).name] += 1
        frames = [made(image.shape[:2]) for made in self.frames]
        planes = [geometry.to_cells(np.moveaxis(image, 2, 0), frame) for frame in frames]
        both = enumerate(zip(planes, frames, strict=True))
        return tuple(FeatureMap(f"layer{number}", np.moveaxis(each, 0, 2), frame) for number, (each, frame) in both)


FRAMES = {
    "one layer": (lambda size: geometry.aspect_frame(size, 16),),
    "letterboxed": (lambda size: geometry.letterbox_frame(size, 20),),
    "two grids": (lambda size: geometry.aspect_frame(size, 16), lambda size: geometry.aspect_frame(size, 8)),
}


def patches(frames):
    """An engine of these features alone, and its extractor."""
    extractor = Layers(*frames)
    engine = SimpleNamespace(encodings=Encodings(extractor, None, None), scorer=Cosine(Settings()))
    return engine, extractor


@pytest.mark.parametrize("frames", FRAMES.values(), ids=FRAMES)
def test_a_patch_is_found_again_where_it_is(frames):
    engine, extractor = patches(frames)
    image, other = np.full((64, 96, 3), (90, 90, 90), np.uint8), np.full((80, 80, 3), (90, 90, 90), np.uint8)
    image[8:24, 16:32] = other[56:72, 40:56] = (255, 20, 10)
    for _ in range(3):
        found = ablation.patch_similarity(engine, image, other, (24, 16))
    left, top, right, bottom = found.box
    assert 0 <= left <= 24 <= right <= 96
    assert 0 <= top <= 16 <= bottom <= 64
    x, y = found.matches[0]
    assert 40 <= x <= 56
    assert 56 <= y <= 72
    assert found.scores[0] > 0.98
    assert (np.diff(found.scores) <= 0).all()
    apart = [np.hypot(*(one - two)) for one, two in combinations(found.matches, 2)]
    assert min(apart) >= 80 / 8 - 1e-3
    assert found.map_of((80, 80))[64, 48] > found.map_of((80, 80))[20, 20]
    np.testing.assert_allclose(found.map_of((40, 40))[32, 24], found.map_of((80, 80))[64, 48], atol=0.05)
    assert set(extractor.calls.values()) == {1}  # each image is encoded once, whatever the number of clicks


def test_a_patch_beside_the_image_is_the_nearest_one_and_a_thin_image_has_one():
    engine, _ = patches(FRAMES["letterboxed"])
    image = np.full((64, 96, 3), (90, 200, 90), np.uint8)
    assert ablation.patch_similarity(engine, image, image, (-5, 70)).box[1:] == pytest.approx((60.8, 4.8, 64.0), abs=4)
    thin = np.full((16, 256, 3), (90, 200, 90), np.uint8)
    assert len(ablation.patch_similarity(engine, thin, thin, (10, 2)).matches)


def test_what_sees_images_as_a_whole_refuses_thin_ones(one_message):
    engine, _ = patches(FRAMES["one layer"])
    square, thin = np.zeros((64, 64, 3), np.uint8), np.zeros((16, 272, 3), np.uint8)
    for one, other in ((square, thin), (thin, square)):
        with pytest.raises(ImageError, match="272x16 pixels is too thin for comparing patches") as caught:
            ablation.patch_similarity(engine, one, other, (10, 2))
        one_message(caught.value)
        with pytest.raises(ImageError, match="too thin for the ablation"):
            ablation.compute(SimpleNamespace(config=IPSegConfig()), ablation.Pair(one, other))


def test_the_results_that_are_shown_are_those_that_differ(make_scene):
    mask = make_scene()[1]
    half, other = mask & (np.arange(mask.shape[1]) < 32), ~mask
    nothing = np.empty((0, 2), np.float32)

    def result(pixels, error=""):
        return ablation.AblationResult(pixels, Status.DETECTED, Points(nothing, nothing), error=error)

    found = {"same": mask, "own": mask, "half": half, "half again": half, "other": other}
    results = {name: result(each) for name, each in found.items()}
    assert ablation.distinct(results, "own") == ["own", "other", "half"]
    assert ablation.distinct(results, "own", most=2) == ["own", "other"]
    assert ablation.distinct({name: results[name] for name in ("same", "own")}, "own") == ["own"]
    assert ablation.distinct({"own": results["own"], "failed": result(np.zeros((0, 0), bool), "no")}, "own") == ["own"]
