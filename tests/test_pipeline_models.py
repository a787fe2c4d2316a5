"""The whole method on small networks with made-up weights: what goes in and comes out, not how good it is."""

import numpy as np
import pytest
from parity_rules import scene

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from networks import small_dinov2, small_sam, small_sam2, small_sam2_processor, tsdn  # noqa: E402

from ipseg import geometry  # noqa: E402
from ipseg.pipeline import IPSeg, Method  # noqa: E402
from ipseg.saliency.none import Everything  # noqa: E402
from ipseg.saliency.tokencut import TokenCut  # noqa: E402
from ipseg.saliency.tsdn import TSDN  # noqa: E402
from ipseg.segmenters.sam import SegmentAnything  # noqa: E402
from ipseg.segmenters.sam2 import SegmentAnything2  # noqa: E402
from ipseg.types import FeatureMap  # noqa: E402

PROMPT, THING = scene("prompt", 75, 101)
INPUT, _ = scene("input", 120, 83)


class Patches:
    """DINOv2's patches, squashed to 8x8 cells."""

    def __init__(self):
        self.model = small_dinov2()

    def __call__(self, picture):
        pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
        square = torch.nn.functional.interpolate(pixels, (112, 112), mode="bilinear", antialias=True)
        with torch.inference_mode():
            patches = self.model(square).last_hidden_state[0, 1:]
        return (FeatureMap("dino", patches.view(8, 8, -1), geometry.squash_frame(picture.shape[:2], (8, 8))),)


SALIENCY = {"none": Everything, "tokencut": TokenCut, "tsdn": lambda: TSDN(tsdn(), size=64)}
SEGMENTERS = {
    "sam": lambda: SegmentAnything(small_sam()),
    "sam squashed": lambda: SegmentAnything(small_sam(), squash=True),
    "sam2": lambda: SegmentAnything2(small_sam2(), small_sam2_processor()),
}
METHOD = Method(k=8, clusters=2, smallest=1, sampling="nearest")


def engine(saliency: str, segmenter: str, method: Method = METHOD) -> IPSeg:
    return IPSeg(Patches(), SALIENCY[saliency](), SEGMENTERS[segmenter](), method)


@pytest.mark.parametrize(
    ("saliency", "segmenter"), [("tsdn", "sam"), ("none", "sam squashed"), ("tokencut", "sam2"), ("tsdn", "sam2")]
)
def test_two_pictures_in_a_mask_out(saliency, segmenter):
    results = []
    for _ in range(2):  # two engines, so that nothing is kept between them
        made = engine(saliency, segmenter)
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
    made = engine("none", "sam2", Method(k=8, clusters=2, refinement=refinement))
    prompt = made.prompt(PROMPT, THING)
    assert prompt.views[0].given
    assert made.segment(prompt, INPUT).mask.shape == (120, 83)


def test_a_second_question_about_a_picture_encodes_nothing_again(monkeypatch):
    made = engine("none", "sam2")
    prompt = made.prompt(PROMPT)
    made.segment(prompt, INPUT)
    monkeypatch.setattr(made.segmenter, "encode", None)
    monkeypatch.setattr(made.features, "model", None)
    assert made.segment(prompt, INPUT, k=4).mask.shape == (120, 83)
