"""What is chosen beside a preset: the parts and numbers that come of it, and what does not go together."""

from __future__ import annotations

import numpy as np
import pytest
from parity_rules import scene

import ipseg
from ipseg import weights
from ipseg.core.types import SettingError
from ipseg.engine import choice, options
from ipseg.engine.options import Options, resolve
from ipseg.engine.presets import PRESETS

PROMPT, THING = scene("prompt", 75, 101)
INPUT, _ = scene("input", 120, 83)


@pytest.mark.parametrize("name", PRESETS)
def test_nothing_chosen_is_the_preset_itself(name):
    assert resolve(Options(name)) is PRESETS[name]
    assert Options(name).name == name


def test_one_source_more_keeps_the_settings_of_the_others():
    released = resolve(Options("released", features="dinov2/large+stable_diffusion+clip", timestep=200))
    assert released.sources["dinov2"] == {"model": "large", "size": 840}
    assert released.sources["stable_diffusion"] == {"timestep": 200, "size": 960, "window": 512}
    assert set(released.scorer[1]["weights"]) == {"dinov2", "clip", "s3", "s4", "s5"}
    assert released.weights == ("dinov2_large", "sd15", "clip_vit_b16", "tsdn", "sam_vit_h")


def test_the_weight_of_stable_diffusion():
    heavy = resolve(Options("paper", sd_weight=1.0)).scorer[1]["weights"]
    assert heavy == {"dinov2": 1.0, "s3": 0.3, "s4": 0.2, "s5": 0.1}
    assert resolve(Options("paper", features="stable_diffusion")).scorer[1]["weights"] == {
        "s3": 0.3,
        "s4": 0.2,
        "s5": 0.1,
    }
    without = resolve(Options("paper", sd_weight=0))  # what has no weight is not computed
    assert list(without.sources) == ["dinov2"]
    assert "sd15" not in without.weights


def test_each_source_alone_is_on_the_same_grid():
    for source in ("dinov2", "clip", "mae", "stable_diffusion"):
        assert resolve(Options("paper", features=source)).features[1]["grid"] == 60


def test_the_light_one_keeps_its_own_features():
    light = resolve(Options("light", saliency="boundary", segmenter="sam/vit_b"))
    assert light.features == PRESETS["light"].features
    assert light.weights == ("dinov2_small", "sam_vit_b")


def test_what_only_fits_the_offline_parts_stays_with_them():
    made = resolve(Options("offline", features="dinov2/small"))
    assert made.scorer == ("cosine", {"weights": {"dinov2": 1.0}})
    assert (made.method.consensus, made.method.refinement, made.method.threshold) == (False, "single", 0.0)
    made = resolve(Options("offline", segmenter="sam/vit_b"))
    assert made.scorer == ("density", {})
    assert (made.method.consensus, made.method.refinement) == (False, "single")
    made = resolve(Options("light", features="texture", segmenter="graphcut", saliency="boundary"))
    assert made.scorer == ("density", {})
    assert (made.method.consensus, made.method.refinement, made.method.threshold) == (True, "ranked", 0.16)


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (Options("papier"), "no preset"),
        (Options("paper", features="dino"), 'no "dino" among the features; choose one of: clip'),
        (Options("paper", features="dinov2/tiny"), "dinov2/small, dinov2/base"),
        (Options("paper", features="texture+clip"), "cannot be joined"),
        (Options("paper", saliency="a2s"), "choose one of: boundary, none, tokencut, tsdn"),
        (Options("paper", segmenter="sam/vit_x"), "sam/vit_b, sam/vit_l, sam/vit_h"),
        (Options("paper", sd_weight=-1), "from 0 to 100"),
        (Options("light", timestep=50), "means nothing without Stable Diffusion"),
        (Options("light", refinement="ranked"), "texture features"),
        (Options("light", refinement="twice"), "single, cascade, ranked"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(chosen, sentence, one_message):
    with pytest.raises(SettingError, match=sentence) as caught:
        resolve(chosen)
    one_message(str(caught.value))


def test_an_unknown_change_lists_the_known_ones():
    with pytest.raises(SettingError, match="no fetures to choose; there are: preset, features"):
        ipseg.load("offline", fetures="texture")


def test_it_says_what_a_choice_would_take(monkeypatch, tmp_path):
    for name in ("HF_HUB_CACHE", "IPSEG_WEIGHTS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: True)
    assert choice.lacks(PRESETS["offline"]) == ""
    wanted = resolve(Options("offline", features="clip", segmenter="sam/vit_b"))
    assert choice.lacks(wanted) == (
        "weights of CLIP ViT-B/16, SAM ViT-B missing (974 MB); "
        "run `python -m ipseg weights fetch clip_vit_b16 sam_vit_b`"
    )


@pytest.mark.parametrize("kind", ["features", "saliency", "segmenters"])
def test_every_choice_is_a_part(kind):
    found = options.choices(kind)
    assert len(found) == len(set(found)) > 2
    assert "fusion" not in found


def test_every_model_has_weights():
    for part in ("dinov2", "sam", "sam2"):
        assert all(len(weights.serving(part, model)) == 1 for model in weights.models(part))


@pytest.mark.parametrize(
    "changes",
    [
        {"features": "dinov2/small"},
        {"features": "dinov2/small", "saliency": "tokencut", "refinement": "cascade"},
        {"segmenter": "sam2/tiny"},
        {"segmenter": "sam2/tiny", "saliency": "none", "refinement": "cascade"},
        {"features": "dinov2/small", "saliency": "none", "segmenter": "sam2/tiny"},
    ],
    ids=str,
)
def test_parts_of_different_engines_work_together(changes, tmp_path):
    pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    import networks
    import published

    published.dinov2(tmp_path, "dinov2-small")
    networks.small_sam2_video().save_pretrained(tmp_path / "sam2.1-hiera-tiny")
    networks.small_sam2_processor().save_pretrained(tmp_path / "sam2.1-hiera-tiny")
    with weights.using(tmp_path):
        engine = ipseg.load("offline", **changes)
    result = engine.segment(engine.prompt(PROMPT, THING), INPUT)
    assert result.mask.shape == INPUT.shape[:2]
    assert np.isfinite(result.similarity.values).all()
    assert engine.info.name.startswith("offline, ")
    assert set(engine.info.record) == {"engine", "features", "saliency", "segmenter", "scorer", "weights", "placement"}
    saliency_of_its_own = engine.segment(engine.prompt(PROMPT), INPUT)
    assert saliency_of_its_own.mask.shape == INPUT.shape[:2]
