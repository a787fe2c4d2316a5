"""The whole method on small networks with made-up weights: what goes in and comes out, not how good it is."""

import numpy as np
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from networks import small_dinov2, small_sam, small_sam2, small_sam2_processor, tsdn

from ipseg.features.dinov2 import DINOv2
from ipseg.features.fusion import Fusion
from ipseg.method.config import IPSegConfig
from ipseg.method.pipeline import IPSeg
from ipseg.method.scorers.cosine import Cosine
from ipseg.saliency.none import Everything
from ipseg.saliency.tokencut import TokenCut
from ipseg.saliency.tsdn import TSDN
from ipseg.segmenters.sam import SegmentAnything
from ipseg.segmenters.sam2 import SegmentAnything2

PROMPT, OBJECT = scene("prompt", 75, 101)
INPUT, _ = scene("input", 120, 83)


FEATURES = {
    "dinov2": lambda: DINOv2(small_dinov2(), size=112),
    "fusion": lambda: Fusion([DINOv2(small_dinov2(), size=112)], grid=8),
}
SALIENCY = {"none": Everything, "tokencut": TokenCut, "tsdn": lambda: TSDN(tsdn(), size=64)}
SEGMENTERS = {
    "sam": lambda: SegmentAnything(small_sam()),
    "sam squashed": lambda: SegmentAnything(small_sam(), squash=True),
    "sam2": lambda: SegmentAnything2(small_sam2(), small_sam2_processor()),
}
METHOD = IPSegConfig(k=8, clusters=2, smallest=1, sampling="nearest")


def engine(saliency: str, segmenter: str, method: IPSegConfig = METHOD, features: str = "dinov2") -> IPSeg:
    return IPSeg(FEATURES[features](), SALIENCY[saliency](), SEGMENTERS[segmenter](), Cosine(), method)


@pytest.mark.parametrize(
    ("features", "saliency", "segmenter"),
    [("dinov2", "tsdn", "sam"), ("fusion", "none", "sam squashed"), ("dinov2", "tokencut", "sam2")],
)
def test_two_images_in_a_mask_out(features, saliency, segmenter):
    results = []
    for _ in range(2):  # two engines, so that nothing is kept between them
        made = engine(saliency, segmenter, features=features)
        results.append(made.segment(made.prompt(PROMPT), INPUT))
    first, second = results
    assert type(first.mask) is np.ndarray
    assert first.mask.shape == (120, 83)
    assert first.mask.dtype == bool
    assert type(first.similarity.values) is np.ndarray
    assert len(first.points.positive) == len(first.points.negative) == 2
    np.testing.assert_array_equal(first.mask, second.mask)
    np.testing.assert_array_equal(first.points.positive, second.points.positive)


@pytest.mark.parametrize("refinement", ["single", "cascade"])
def test_a_prompt_with_its_own_mask(refinement):
    made = engine("none", "sam2", IPSegConfig(k=8, clusters=2, refinement=refinement))
    prompt = made.prompt(PROMPT, OBJECT)
    assert prompt.views[0].given
    assert made.segment(prompt, INPUT).mask.shape == (120, 83)


def test_a_second_request_about_a_image_encodes_nothing_again(monkeypatch):
    made = engine("none", "sam2")
    prompt = made.prompt(PROMPT)
    made.segment(prompt, INPUT)
    monkeypatch.setattr(made.segmenter, "encode", None)
    monkeypatch.setattr(made.features, "model", None)
    assert made.segment(prompt, INPUT, k=4).mask.shape == (120, 83)
