"""Matcher and Matcher-Z on whole engines: the offline one, and one of small networks with made-up weights."""

from pathlib import Path

import numpy as np
import pytest

import ipseg
from ipseg.core import plugins
from ipseg.core.masks import iou
from ipseg.core.types import ImageError, MaskError, SettingError

pytest.importorskip("ot", reason="Matcher's earth mover's distance needs the extra [models]")
EXAMPLES = Path(__file__).resolve().parents[2] / "examples_media"


def example(name: str) -> tuple[np.ndarray, np.ndarray]:
    folder, number = name.split("/")
    image = ipseg.open_image(EXAMPLES / "Images" / folder / f"{number}.jpg")
    return image, ipseg.open_mask(EXAMPLES / "Annotations" / folder / f"{number}.png")


@pytest.mark.slow
def test_on_the_offline_engine_it_finds_the_object_and_says_what_it_is(offline):
    matcher = plugins.method("matcher", offline)
    assert matcher.label == "Matcher (on the engine's parts)"
    ious = []
    for name in ("red_mug", "cactus", "toy_car"):
        prompt = matcher.prompt(*example(f"{name}/00"))
        assert prompt.source == "given"
        image, truth = example(f"{name}/01")
        result = matcher.segment(prompt, image)
        assert result.mask.shape == truth.shape
        assert len(result.points.positive) > 8
        ious.append(iou(result.mask, truth))
    assert np.mean(ious) > 0.7


def small(make_scene, height=60, width=80, seed=0):
    return make_scene(height, width, seed=seed)


def test_a_thin_image_is_refused_and_not_missed(offline, make_scene, one_message):
    method, (image, mask), thin = plugins.method("matcher", offline), make_scene(), np.zeros((16, 272, 3), np.uint8)
    for ask in (lambda: method.prompt(thin), lambda: method.segment(method.prompt(image, mask), thin)):
        with pytest.raises(ImageError, match="272x16 pixels is too thin for Matcher") as caught:
            ask()
        one_message(caught.value)


def test_the_same_twice_and_with_steps_that_were_cached_left_out(offline, make_scene):
    matcher = plugins.method("matcher", offline, draws=2, protocol="fss1000")
    (image, mask), (other, _) = small(make_scene), small(make_scene, 72, 50, seed=1)
    prompt = matcher.prompt(image, mask)
    heard: list[float] = []
    first = matcher.segment(prompt, other, progress=lambda share, name: heard.append(share))
    again = matcher.segment(prompt, other)
    assert heard == sorted(heard)
    assert len(heard) > 10
    assert heard[-1] < 1
    assert first.mask.shape == first.similarity_map().shape == (72, 50)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert set(first.seconds) >= {"features", "matching", "candidates", "scores", "mask"}
    assert "encoding" not in again.seconds
    assert 0 <= first.score <= 1


@pytest.mark.parametrize("protocol", ["coco20i", "lvis92i", "fss1000", "paco_part", "pascal_part"])
def test_every_protocol_answers(offline, make_scene, protocol):
    matcher = plugins.method("matcher", offline, draws=2, protocol=protocol)
    image, mask = small(make_scene)
    assert matcher.segment(matcher.prompt(image, mask), image).mask.shape == mask.shape


def test_without_a_mask_it_takes_the_saliency(offline, make_scene):
    prompt = plugins.method("matcher", offline).prompt(small(make_scene)[0])
    assert prompt.source == "saliency"
    assert not prompt.given


def test_matcher_z_takes_the_saliency_whatever_is_given(offline, make_scene):
    image, mask = small(make_scene)
    matcher = plugins.method("matcher_z", offline, draws=2)
    assert matcher.label.startswith("Matcher-Z (with the saliency mask that IPSeg uses, on the engine's parts")
    free, given = matcher.prompt(image), matcher.prompt(image, ~mask)
    np.testing.assert_array_equal(free.mask, given.mask)
    assert not given.given
    assert not free.notices
    assert "was not used" in given.notices[0]


def test_what_cannot_be_used_is_said(offline, make_scene):
    image, mask = small(make_scene)
    matcher = plugins.method("matcher", offline)
    with pytest.raises(MaskError):
        matcher.prompt(image, np.zeros_like(mask))
    with pytest.raises(ImageError, match="one prompt image"):
        matcher.prompt([image, image])
    with pytest.raises(SettingError, match="choose one of"):
        plugins.method("matcher", offline, protocol="voc")


def test_a_flat_image_breaks_nothing(offline, make_scene):
    matcher = plugins.method("matcher", offline, draws=1)
    flat = np.full((40, 60, 3), 127, np.uint8)
    assert matcher.segment(matcher.prompt(*small(make_scene)), flat).mask.shape == (40, 60)
    assert matcher.segment(matcher.prompt(flat), small(make_scene)[0]).mask.shape == (60, 80)


def test_without_its_solver_it_says_what_to_install(offline, monkeypatch):
    monkeypatch.setattr("ipseg.core.packages.find_spec", lambda name: None)
    for name in ("matcher", "matcher_z"):
        with pytest.raises(SettingError, match=r"needs pot, which is missing; run pip install"):
            plugins.method(name, offline)
    with pytest.raises(SettingError, match="SegGPT ViT-L needs torch"):
        plugins.method("seggpt", offline)
