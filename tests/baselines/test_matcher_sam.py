"""Matcher as published, on a small SAM and a small DINOv2 with made-up weights: what goes in and what comes out."""

from dataclasses import replace

import numpy as np
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
pytest.importorskip("ot", reason="Matcher's earth mover's distance needs the extra [models]")

import published
from networks import small_dinov2, small_sam, small_sam2, small_sam2_processor

from ipseg import weights
from ipseg.baselines import _candidates, _patches, _protocols
from ipseg.core import plugins
from ipseg.features.dinov2 import DINOv2
from ipseg.method.encodings import named
from ipseg.method.pipeline import IPSeg
from ipseg.method.scorers.cosine import Cosine
from ipseg.saliency.none import Everything
from ipseg.segmenters.sam import SegmentAnything
from ipseg.segmenters.sam2 import SegmentAnything2

PROMPT, OBJECT = scene("prompt", 75, 101)
INPUT, _ = scene("input", 120, 83)


def an_engine(squash: bool = False) -> IPSeg:
    return IPSeg(DINOv2(small_dinov2(), size=112), Everything(), SegmentAnything(small_sam(), squash=squash), Cosine())


@pytest.fixture(scope="module")
def engine():
    return an_engine()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    home = tmp_path_factory.mktemp("weights")
    published.dinov2(home, "dinov2-large", image_size=518)
    return home


@pytest.fixture
def build(engine, folder, monkeypatch):
    """Matcher without its filters: what a network of made-up weights thinks of its masks means nothing.

    Of six centres there are 16 groups of four and of six, of eight 98: too many for a test.
    """
    open_to_all = {"iou": 0.0, "stability": 0.0, "dense_iou": 0.0, "dense_stability": 0.0}
    easy = {
        name: replace(each, centres=min(each.centres, 6), **open_to_all) for name, each in _protocols.PROTOCOLS.items()
    }
    monkeypatch.setattr(_protocols, "PROTOCOLS", easy)

    def make(name: str = "matcher", **settings):
        with weights.using(folder):
            return plugins.method(name, engine, **({"draws": 1, "dense": 1} | settings))

    return make


def test_without_its_weights_it_says_what_it_takes(engine, tmp_path, monkeypatch, hub_home):
    hub_home(tmp_path)
    monkeypatch.setenv("IPSEG_WEIGHTS_DIR", str(tmp_path))
    for name in ("matcher", "matcher_z"):
        with pytest.raises(weights.WeightError, match=r"DINOv2 ViT-L/14 .*weights fetch dinov2_large"):
            plugins.method(name, engine)


@pytest.mark.parametrize("protocol", ["coco20i", "paco_part", pytest.param("fss1000", marks=pytest.mark.slow)])
def test_from_two_images_to_a_mask(build, protocol):
    matcher = build(protocol=protocol)
    assert matcher.label == "Matcher"
    result = matcher.segment(matcher.prompt(PROMPT, OBJECT), INPUT)
    assert result.mask.shape == (120, 83)
    assert result.similarity.frame.grid == (37, 37)
    assert result.mask.any()
    inside = (result.points.positive > 0) & (result.points.positive < (83, 120))
    assert inside.all()


def test_the_network_is_read_once_and_its_cells_are_cached(build, engine, monkeypatch):
    matcher, other = build(), build("matcher_z")
    prompt = matcher.prompt(PROMPT, OBJECT)
    monkeypatch.setattr(plugins, "build", None)
    assert other.prompt(PROMPT).learnt[0] is prompt.learnt[0]
    assert prompt.learnt[0].values.shape == (1369, 32)
    np.testing.assert_allclose(np.linalg.norm(prompt.learnt[0].values, axis=1), 1, atol=1e-5)


def test_a_mask_enters_the_cells_as_released(build):
    patches = build().patches(named(PROMPT))
    pixels = np.arange(518)
    fine = OBJECT[(pixels * 75 // 518)[:, None], pixels * 101 // 518]
    expected = fine.reshape(37, 14, 37, 14).any(axis=(1, 3)).ravel()
    np.testing.assert_array_equal(_patches.inside(OBJECT, patches), expected)
    thin = np.zeros((4000, 4000), bool)
    thin[1, 1] = True  # between the pixels that nearest takes
    big = _patches.Patches(patches.values, _patches.geometry.squash_frame(thin.shape, (37, 37)), 14)
    np.testing.assert_array_equal(np.flatnonzero(_patches.inside(thin, big)), [0])


@pytest.mark.parametrize("squash", [False, True])
@pytest.mark.parametrize(("box", "several"), [(None, True), ((10.0, 12.0, 60.0, 70.0), False)])
def test_many_groups_at_once_are_as_one_by_one(squash, box, several):
    segmenter = SegmentAnything(small_sam(), squash=squash)
    encoding = segmenter.encode(INPUT)
    groups = np.random.default_rng(0).uniform(1, 80, (2, 4, 2)).astype(np.float32)
    together = _candidates.ask_sam(segmenter, encoding, groups, box, several, lambda f, *given: f(*given))
    alone = _candidates.ask_one_by_one(segmenter, encoding, groups, box, several)
    for (number, logits, scores), (other, theirs, opinions) in zip(together, alone, strict=True):
        assert number == other
        rows, columns = logits.shape[1:]
        assert (rows, columns) == ((64, 64) if squash else (64, 45))
        np.testing.assert_allclose(logits, theirs[:, :rows, :columns], atol=1e-3)
        np.testing.assert_allclose(scores, opinions, atol=1e-4)


def test_when_nothing_passes_the_filters_nothing_is_found(engine, folder):
    with weights.using(folder):
        matcher = plugins.method("matcher", engine, draws=2, dense=0)
    matcher.protocol = _protocols.Protocol(sizes=(1, 2), draws=2, iou=1e6)
    result = matcher.segment(matcher.prompt(PROMPT, OBJECT), INPUT)
    assert result.status == "not_detected"
    assert not result.mask.any()
    assert result.score == 0


def test_on_another_promptable_network_it_says_so():
    parts = DINOv2(small_dinov2(), size=112), Everything(), SegmentAnything2(small_sam2(), small_sam2_processor())
    matcher = plugins.method("matcher", IPSeg(*parts, Cosine()), draws=2)
    assert matcher.label == "Matcher (on the engine's parts)"
    assert "without DINOv2-L and SAM" in matcher.about
    patches = matcher.patches(named(INPUT))
    assert patches.frame.grid == (8, 6)  # the cells of the letterboxed square that lie on the image
    assert matcher.segment(matcher.prompt(PROMPT, OBJECT), INPUT).mask.shape == (120, 83)
