"""PerSAM: inside SAM without a trace, and on the offline engine's parts."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from networks import sam_alone
from parity_rules import scene

from ipseg.core import plugins
from ipseg.core.types import ImageError, MaskError

PROMPT, OBJECT = scene("prompt", 90, 120)
INPUT, _ = scene("input", 110, 70)


@pytest.fixture(scope="module")
def engine():
    pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    pytest.importorskip("segment_anything", reason="the paper's models need the extra [models]")
    return sam_alone()


def test_two_images_in_a_mask_out(engine):
    baseline = plugins.method("persam", engine)
    prompt = baseline.prompt(PROMPT, OBJECT)
    first, again = baseline.segment(prompt, INPUT), baseline.segment(prompt, INPUT)
    assert (baseline.label, prompt.source) == ("PerSAM", "given")
    assert first.mask.shape == INPUT.shape[:2]
    assert first.mask.dtype == bool
    assert len(first.points.positive) == len(first.points.negative) == 1
    assert first.similarity.frame.image_size == INPUT.shape[:2]
    np.testing.assert_array_equal(first.mask, again.mask)


def test_it_shares_the_encoding_of_an_image(engine, monkeypatch):
    baseline = plugins.method("persam", engine)
    prompt = baseline.prompt(PROMPT, OBJECT)
    baseline.segment(prompt, INPUT)
    monkeypatch.setattr(engine.encodings.segmenter, "encode", None)
    assert baseline.segment(prompt, INPUT).mask.shape == INPUT.shape[:2]


def test_it_leaves_no_trace_in_sam(engine):
    sam = engine.encodings.segmenter.sam
    before = {name: id(module) for name, module in sam.named_modules()}
    parameters = {name: value.data_ptr() for name, value in sam.state_dict().items()}
    baseline = plugins.method("persam", engine)
    baseline.segment(baseline.prompt(PROMPT, OBJECT), INPUT)
    assert {name: id(module) for name, module in sam.named_modules()} == before
    assert {name: value.data_ptr() for name, value in sam.state_dict().items()} == parameters


def test_its_decoder_holds_the_very_weights_of_sam(engine):
    import torch

    from ipseg.baselines._guided import guided_decoder

    decoder = engine.encodings.segmenter.sam.mask_decoder
    guided = guided_decoder(decoder, torch.zeros(256), torch.zeros(256))
    own = {value.data_ptr() for value in decoder.parameters()}
    assert {value.data_ptr() for value in guided.parameters()} == own


def test_both_guides_matter(engine):
    import torch

    from ipseg.baselines._guided import guided_decoder

    segmenter, decoder = engine.encodings.segmenter, engine.encodings.segmenter.sam.mask_decoder
    encoding = segmenter.encode(INPUT)
    points = plugins.method("persam", engine).segment(plugins.method("persam", engine).prompt(PROMPT, OBJECT), INPUT)
    generator = torch.Generator().manual_seed(0)
    target, guidance = torch.randn(256, generator=generator), 20 * torch.rand(256, generator=generator)
    answers = [
        segmenter.predict(encoding, points.points, decoder=guided_decoder(decoder, one, other)).logits
        for one, other in ((0 * guidance, 0 * target), (guidance, 0 * target), (0 * guidance, target))
    ]
    for one in range(3):
        for other in range(one):
            assert np.abs(answers[one] - answers[other]).max() > 1e-4


def test_others_use_the_same_sam_at_the_same_moment(engine):
    baseline, segmenter = plugins.method("persam", engine), engine.encodings.segmenter
    prompt = baseline.prompt(PROMPT, OBJECT)
    expected = baseline.segment(prompt, INPUT)
    encoding = engine.encodings.segmenter.encode(INPUT)
    plain = segmenter.predict(encoding, expected.points, several=True).logits
    wrong = []

    def check():
        for _ in range(3):
            if not np.array_equal(segmenter.predict(encoding, expected.points, several=True).logits, plain):
                wrong.append("SAM")
            if not np.array_equal(baseline.segment(prompt, INPUT).mask, expected.mask):
                wrong.append("PerSAM")

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_mask_of_one_pixel_still_has_a_cell(engine):
    thin = np.zeros(PROMPT.shape[:2], bool)
    thin[40, 50] = True
    baseline = plugins.method("persam", engine)
    assert np.isfinite(baseline.prompt(PROMPT, thin).learnt.numpy()).all()


def test_an_empty_mask_on_the_way_breaks_nothing(engine, monkeypatch):
    from ipseg.core.types import Candidates

    segmenter, asked = engine.encodings.segmenter, []
    real = type(segmenter).predict

    def nothing(self, encoding, points, **prompts):
        asked.append(prompts)
        answer = real(self, encoding, points, **prompts)
        return Candidates(np.zeros_like(answer.masks), answer.scores, answer.logits)

    monkeypatch.setattr(type(segmenter), "predict", nothing)
    baseline = plugins.method("persam", engine)
    result = baseline.segment(baseline.prompt(PROMPT, OBJECT), INPUT)
    assert result.status == "not_detected"
    assert not result.mask.any()
    assert asked[-1]["box"] is None


def test_a_squashed_engine_is_asked_unsquashed(engine):
    from ipseg.method.pipeline import IPSeg
    from ipseg.method.scorers.cosine import Cosine
    from ipseg.saliency.none import Everything
    from ipseg.segmenters.sam import SegmentAnything

    squashed = IPSeg(None, Everything(), SegmentAnything(engine.encodings.segmenter.sam, squash=True), Cosine())
    results = []
    for each in (engine, squashed):
        baseline = plugins.method("persam", each)
        results.append(baseline.segment(baseline.prompt(PROMPT, OBJECT), INPUT))
    np.testing.assert_array_equal(results[0].mask, results[1].mask)


def test_on_the_offline_engine_it_says_what_it_is(offline):
    baseline = plugins.method("persam", offline)
    prompt = baseline.prompt(PROMPT)
    result = baseline.segment(prompt, INPUT)
    assert prompt.source == "saliency"
    assert baseline.label == "PerSAM (on the engine's parts)"
    assert "without SAM and its guides" in baseline.about
    assert len(result.points.positive) == len(result.points.negative) == 1
    assert result.mask.shape == INPUT.shape[:2]


def test_what_cannot_be_a_prompt_is_one_message(offline):
    baseline = plugins.method("persam", offline)
    with pytest.raises(ImageError, match="PerSAM takes one prompt image, and 2 were given; give one"):
        baseline.prompt([PROMPT, INPUT])
    with pytest.raises(MaskError, match="empty"):
        baseline.prompt(PROMPT, np.zeros(PROMPT.shape[:2], bool))
    with pytest.raises(MaskError, match="same size"):
        baseline.prompt(PROMPT, np.ones((5, 5), bool))


def test_a_flat_prompt_is_used_whole_and_says_so(offline):
    flat = np.full((60, 80, 3), 120, np.uint8)
    reference = plugins.method("persam", offline).prompt(flat)
    assert reference.mask.any()
    if reference.mask.all():
        assert "Nothing stands out" in reference.notices[0]
