"""PerSAM-F: two weights, learnt on the reference alone."""

from __future__ import annotations

import numpy as np
import pytest
from networks import sam_alone
from parity_rules import scene

import ipseg
from ipseg.core import plugins
from ipseg.core.types import SettingError

pytestmark = pytest.mark.usefixtures("small_offline")

PROMPT, OBJECT = scene("prompt", 90, 120)
INPUT, _ = scene("input", 110, 70)


@pytest.fixture(scope="module")
def engine():
    pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    pytest.importorskip("segment_anything", reason="the paper's models need the extra [models]")
    return sam_alone()


def test_two_images_in_a_mask_out_with_progress(engine):
    reported = []
    baseline = plugins.method("persam_f", engine, epochs=60)
    prompt = baseline.prompt(PROMPT, OBJECT, progress=lambda share, step: reported.append((share, step)))
    shares = [share for share, step in reported if step == "weights"]
    assert len(shares) >= 50
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
    assert prompt.learnt.weights.sum() == pytest.approx(1)
    assert len(prompt.learnt.losses) == 60
    assert prompt.learnt.losses[-1] <= prompt.learnt.losses[0]
    result = baseline.segment(prompt, INPUT)
    assert result.mask.shape == INPUT.shape[:2]
    assert (len(result.points.positive), len(result.points.negative)) == (1, 0)
    again = baseline.segment(baseline.prompt(PROMPT, OBJECT), INPUT)
    np.testing.assert_array_equal(result.mask, again.mask)


def test_the_weights_find_the_mask_that_is_right():
    torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    from ipseg.baselines import _weights

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn((3, *OBJECT.shape), generator=generator).numpy()
    for right in range(3):
        logits = noise.copy()
        logits[right] = np.where(OBJECT, 6, -6)
        weights, losses = _weights.learn(logits, OBJECT, epochs=300, lr=1e-2)
        assert weights.argmax() == right
        assert losses[-1] < losses[0]


def test_a_large_reference_is_learnt_from_at_a_bound(engine):
    large, target = scene("large", 120, 1600)
    prompt = plugins.method("persam_f", engine, epochs=2, side=400).prompt(large, target)
    assert np.isfinite(prompt.learnt.losses).all()


def test_without_sam_it_says_what_it_needs(one_message):
    with pytest.raises(SettingError, match="three masks of Segment Anything") as caught:
        plugins.method("persam_f", ipseg.load("offline"))
    one_message(str(caught.value))


@pytest.mark.parametrize("settings", [{"epochs": 0}, {"lr": 0.0}, {"side": 4}])
def test_numbers_out_of_range(engine, settings):
    with pytest.raises(SettingError, match="1 to 100000 epochs"):
        plugins.method("persam_f", engine, **settings)
