"""A GPU that is lent for a call: the same answers as without; what was computed from images is cached in the page."""

from __future__ import annotations

import os

import networks
import numpy as np
import pytest
from lending import Spaces
from parity_rules import scene

from ipseg import weights
from ipseg.core import plugins
from ipseg.core.types import Points, SettingError
from ipseg.engine import build, presets, zerogpu
from ipseg.engine.placement import Placement
from ipseg.engine.spec import EngineSpec
from ipseg.method.encodings import named
from ipseg.method.pipeline import IPSeg

PROMPT, OBJECT = scene("prompt", 75, 101)
INPUT, _ = scene("input", 120, 83)
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="ZeroGPU forks")


@pytest.fixture
def spaces(models, monkeypatch) -> Spaces:
    """The GPU is lent."""
    import cv2
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)  # a child has none of its parent's other threads, and would wait for them
    cv2.setNumThreads(1)
    fake = Spaces()
    monkeypatch.setattr(zerogpu, "SPACES", fake)
    with threadpool_limits(1):
        yield fake
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def small(name: str) -> IPSeg:
    return build.assemble(networks.on_small_pictures(presets.PRESETS[name]), name)


@pytest.fixture
def pair(request, spaces, small_models):
    """An engine, and the same one lent."""
    name = getattr(request, "param", "light")
    with weights.using(small_models):
        worker = zerogpu.Worker(lambda spec: small(spec.preset))
        worker.ready(EngineSpec(name))
        yield small(name), build.build_remote(EngineSpec(name), worker)


def same(one, other) -> None:
    np.testing.assert_array_equal(one.mask, other.mask)
    np.testing.assert_array_equal(one.points.positive, other.points.positive)
    np.testing.assert_allclose(one.similarity.values, other.similarity.values, rtol=1e-5)
    assert one.status == other.status
    assert one.score == pytest.approx(other.score, rel=1e-5)


@pytest.mark.parametrize("pair", ["light", "paper", "released"], indirect=True)
def test_the_same_answer_as_without(pair, spaces):
    plain, lent = pair
    result = lent.segment(lent.prompt(PROMPT), INPUT)
    same(plain.segment(plain.prompt(PROMPT), INPUT), result)
    assert type(result.mask) is type(result.similarity.values) is np.ndarray
    assert len(spaces.calls) == 2  # a prompt and an image


def test_what_was_seen_is_cached_in_the_page(pair, spaces):
    _, lent = pair
    prompt, seen = lent.prompt(PROMPT), lent.encodings
    assert seen.has("features", named(PROMPT))
    assert seen.has("foreground", named(PROMPT))
    lent.segment(prompt, INPUT)
    assert seen.has("features", named(INPUT))
    assert seen.has("encoding", named(INPUT))
    assert seen.cache.bytes > 0


def test_the_worker_gets_what_is_cached(pair):
    _, lent = pair
    prompt = lent.prompt(PROMPT)
    first = lent.segment(prompt, INPUT)
    again = lent.segment(prompt, INPUT, k=9, clusters=3)
    assert {"features", "encoding"} <= set(first.seconds)
    assert not {"features", "encoding"} & set(again.seconds)
    assert len(again.points.positive) == 3


def test_a_known_prompt_takes_no_gpu(pair, spaces):
    plain, lent = pair
    lent.prompt(PROMPT)
    before = len(spaces.calls)
    prompt = lent.prompt([PROMPT, PROMPT], [None, OBJECT])
    assert len(spaces.calls) == before
    same(plain.segment(plain.prompt([PROMPT, PROMPT], [None, OBJECT]), INPUT), lent.segment(prompt, INPUT))


@pytest.mark.parametrize("pair", ["paper"], indirect=True)
def test_each_part_can_be_asked_alone(pair):
    plain, lent = pair
    image = named(INPUT)
    for one, other in zip(plain.encodings.features(image), lent.encodings.features(image), strict=True):
        np.testing.assert_allclose(one.values, other.values, rtol=1e-5)
    np.testing.assert_allclose(plain.encodings.foreground(image), lent.encodings.foreground(image), rtol=1e-5)
    np.testing.assert_allclose(plain.encodings.saliency(image), lent.encodings.saliency(image), rtol=1e-5)
    points = plain.segment(plain.prompt(PROMPT), INPUT).points
    one, other = (
        each.encodings.segmenter.predict(each.encodings.encoding(image), points, several=True) for each in pair
    )
    np.testing.assert_array_equal(one.masks, other.masks)
    assert len(other.masks) == 3


@pytest.mark.parametrize(
    ("name", "pair"), [("persam", "paper"), ("persam_f", "paper"), ("matcher", "light")], indirect=["pair"]
)
def test_a_baseline_answers_as_without(name, pair, spaces):
    chosen = {"matcher": {"dense": 0, "draws": 2}, "persam_f": {"steps": 2}}.get(name, {})
    chosen = {key: value for key, value in chosen.items() if key in _settings(name)}
    plain, lent = (plugins.method(name, each, **chosen) for each in pair)
    one, other = (maker.segment(maker.prompt(PROMPT, OBJECT), INPUT) for maker in (plain, lent))
    np.testing.assert_array_equal(one.mask, other.mask)
    assert lent.label == plain.label
    assert lent.about == plain.about
    prompt, image = getattr(plugins.module("baselines", name), "GPU_WORK", (1, 1))
    spec = lent._remote.spec  # each image is new, and then the method's own work
    assert spaces.calls == [zerogpu.seconds(spec, 1 + prompt), zerogpu.seconds(spec, 1 + image)]


def _settings(name: str) -> set[str]:
    return set(plugins.module("baselines", name).Settings.__dataclass_fields__)


def test_an_error_of_the_worker_is_its_message(spaces, small_models):
    def fail(spec):
        raise SettingError("This cannot be built; choose another one.")

    with weights.using(small_models):
        lent = build.build_remote(EngineSpec("light"), zerogpu.Worker(fail))
    with pytest.raises(SettingError, match=r"^This cannot be built; choose another one\.$"):
        lent.prompt(PROMPT)


def test_clicks_negative_prompts_and_every_instance_travel_along(pair):
    plain, lent = pair
    click = Points(np.array([[40.5, 60.5]], np.float32), np.empty((0, 2), np.float32))
    one, other = (
        engine.segment(
            engine.prompt(PROMPT),
            INPUT,
            negative_prompt=engine.prompt(INPUT),
            clicks=click,
            all_instances=True,
            threshold=0,
        )
        for engine in (plain, lent)
    )
    same(one, other)
    assert other.status == "detected"
    assert [each.score for each in other.instances] == pytest.approx([each.score for each in one.instances], rel=1e-5)


def test_a_bad_request_takes_no_gpu(pair, spaces):
    _, lent = pair
    prompt = lent.prompt(PROMPT)
    before = len(spaces.calls)
    with pytest.raises(SettingError):
        lent.segment(prompt, INPUT, k=0)
    with pytest.raises(ValueError, match="prompt images"):
        lent.prompt([])
    assert len(spaces.calls) == before


def test_a_worker_keeps_the_first_engine_and_the_newest(spaces):
    made = []
    worker = zerogpu.Worker(lambda spec: made.append(spec) or object())
    asked = [EngineSpec("paper", timestep=step) for step in range(5)]
    for chosen in asked:
        worker.ready(chosen)
    worker.ready(asked[0])
    worker.ready(asked[4])
    assert made == asked
    assert len(worker._engines) == zerogpu.MOST


@pytest.mark.parametrize("pair", ["light", "paper"], indirect=True)
def test_a_default_request_asks_for_15_seconds_at_most(pair, spaces):
    """A visitor without an account has 120 a day."""
    _, lent = pair
    lent.segment(lent.prompt(PROMPT), INPUT)
    assert len(spaces.calls) == 2
    assert 5 <= sum(spaces.calls) <= 15
    assert spaces.sizes == {"large"}


def test_seconds_grow_with_the_images_and_with_the_method(pair, spaces):
    _, lent = pair
    prompt = lent.prompt(PROMPT)
    lent.prompt([PROMPT, INPUT, np.flip(INPUT, 1), np.flip(INPUT, 0)])  # three of them are new
    one, three = spaces.calls
    assert three > one
    lent.segment(prompt, INPUT)
    lent.segment(prompt, INPUT, all_instances=True)
    known, every = spaces.calls[2:]
    assert known < one
    assert every > known
    paper, light = EngineSpec("paper"), EngineSpec("light")
    assert zerogpu.seconds(paper, 1) > zerogpu.seconds(light, 1)
    assert zerogpu.seconds(EngineSpec("light", segmenter="sam/vit_h"), 1) == zerogpu.seconds(paper, 1)
    assert zerogpu.seconds(EngineSpec("released"), 1000) == zerogpu.MOST_SECONDS == 120


def hooked(engine, progress):
    """What accelerate has on the networks of an engine: a hook on each heavy part; and the placement itself."""
    placement = engine.info.placement
    return placement.describe(), [type(part._hf_hook).__name__ for part, _ in placement._turns], os.getpid()


def test_the_networks_stay_placed_by_accelerate_from_call_to_call(spaces, small_models):
    """They are built once, before the first call; each worker finds them as accelerate has placed them."""
    built = []

    def assembled(spec):
        built.append(os.getpid())
        placement = Placement("sequential", device="cpu", dtype="float32")
        return build.assemble(networks.on_small_pictures(presets.PRESETS["paper"]), "paper", placement)

    with weights.using(small_models):
        worker = zerogpu.Worker(assembled)
        own = hooked(worker.ready(EngineSpec("paper")), None)
        lent = build.build_remote(EngineSpec("paper"), worker)
        plain = small("paper")
    assert own[0]["mode"] == "sequential"
    assert own[1]
    assert set(own[1]) == {"CpuOffload"}
    for image in (PROMPT, INPUT):
        result = lent.segment(lent.prompt(PROMPT), image)
        there = lent.apply([], hooked)
        assert there[:2] == own[:2]
        assert there[2] != os.getpid()
    assert built == [os.getpid()]
    same(plain.segment(plain.prompt(PROMPT), INPUT), result)


def test_without_a_lent_gpu_nothing_changes(monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert not zerogpu.lent()
    assert zerogpu.gpu(len, lambda *_: 1) is len


@pytest.mark.parametrize("preset", ["light", "offline"])
def test_the_pool_builds_remotely_what_needs_weights(preset, spaces, small_models, monkeypatch):
    from ipseg.ui.server.pool import EnginePool

    monkeypatch.setattr(zerogpu, "lent", lambda: True)
    pool = EnginePool(EngineSpec(preset), weights_dir=small_models)
    pool.ready()
    engine = pool.engine(EngineSpec(preset))
    assert isinstance(engine, zerogpu.ZeroGPUEngine) == bool(EngineSpec(preset).resolve().weights)
    assert pool.engine(EngineSpec(preset)) is engine


def test_an_engine_in_a_worker_is_no_other_method(pair, spaces):
    """It has what :class:`ipseg.engine.protocol.Engine` asks for, and no part of its own that computes."""
    plain, lent = pair
    assert not isinstance(lent, IPSeg)
    assert (lent.config, lent.scorer, lent.label, lent.about) == (plain.config, plain.scorer, plain.label, plain.about)
    assert lent.info.name == plain.info.name
    assert {**plain.info.record, "placement": None} == {**lent.info.record, "placement": None}
    assert plugins.method("ipseg", lent) is lent
    assert plugins.method("ipseg", plain) is plain
    segmenter, own = lent.encodings.segmenter, plain.segmenter
    assert (segmenter.accepts_prior, segmenter.is_sam) == (own.accepts_prior, own.is_sam)
    assert spaces.calls == []


def doubled(engine, k, progress):
    return engine.config.k * k, progress is None


def test_a_step_runs_where_the_networks_are(pair, spaces):
    plain, lent = pair
    assert plain.apply([], doubled, 2, progress=print) == (64, False)
    assert lent.apply([], doubled, 2, progress=print) == (64, True)  # no progress comes from the worker
    assert len(spaces.calls) == 1
