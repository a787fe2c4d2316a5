"""A preset and what differs from it: the full description that follows, and what does not go together."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

import ipseg
from ipseg import weights
from ipseg.core.types import SettingError
from ipseg.engine.presets import DEFAULT, PRESETS
from ipseg.engine.spec import EngineSpec, choices


@pytest.mark.parametrize("name", PRESETS)
def test_nothing_chosen_is_the_preset_itself(name):
    assert EngineSpec(name).resolve() is PRESETS[name]
    assert EngineSpec(name).name == name


def test_one_source_more_keeps_the_settings_of_the_others():
    released = EngineSpec("released", features="dinov2/large+stable_diffusion+clip", timestep=200).resolve()
    assert released.sources["dinov2"] == {"model": "large", "size": 840}
    assert released.sources["stable_diffusion"] == {"timestep": 200, "size": 960, "window": 512}
    assert set(released.scorer[1]["weights"]) == {"dinov2", "clip", "s3", "s4", "s5"}
    assert released.weights == ("dinov2_large", "sd15", "clip_vit_b16", "tsdn", "sam_vit_h")


def test_the_weight_of_stable_diffusion():
    heavy = EngineSpec("paper", sd_weight=1.0).resolve().scorer[1]["weights"]
    assert heavy == {"dinov2": 1.0, "s3": 0.3, "s4": 0.2, "s5": 0.1}
    assert EngineSpec("paper", features="stable_diffusion").resolve().scorer[1]["weights"] == {
        "s3": 0.3,
        "s4": 0.2,
        "s5": 0.1,
    }
    without = EngineSpec("paper", sd_weight=0).resolve()  # what has no weight is not computed
    assert list(without.sources) == ["dinov2"]
    assert "sd15" not in without.weights


def test_stable_diffusion_weighs_a_tenth_by_default():
    """dino + 0.1 (0.3 s3 + 0.2 s4 + 0.1 s5), as in the released script."""
    expected = {"s3": 0.03, "s4": 0.02, "s5": 0.01}
    chosen = EngineSpec("paper", features="clip+stable_diffusion").resolve().scorer[1]["weights"]
    assert chosen == pytest.approx({"clip": 1.0, **expected})
    for preset in ("paper", "released"):
        assert PRESETS[preset].scorer[1]["weights"] == pytest.approx({"dinov2": 1.0, **expected})


def test_taesd_is_a_model_of_stable_diffusion():
    assert {"stable_diffusion", "stable_diffusion/taesd"} < set(choices("features"))
    paper, made = PRESETS["paper"], EngineSpec("paper", features="dinov2+stable_diffusion/taesd").resolve()
    assert made.sources["stable_diffusion"] == {**paper.sources["stable_diffusion"], "model": "taesd"}
    assert set(made.weights) == {*paper.weights, "taesd"}
    assert made.scorer[1]["weights"] == pytest.approx(paper.scorer[1]["weights"])
    assert made.config == paper.config
    assert EngineSpec("paper", features="dinov2+stable_diffusion").resolve().weights == paper.weights
    released = EngineSpec("released", features="dinov2+stable_diffusion/taesd", timestep=50).resolve()
    assert released.sources["stable_diffusion"] == {"model": "taesd", "timestep": 50, "size": 960, "window": 512}


def test_each_source_alone_is_on_the_same_grid():
    for source in ("dinov2", "clip", "mae", "stable_diffusion"):
        assert EngineSpec("paper", features=source).resolve().features[1]["grid"] == 60


def test_the_light_one_keeps_its_own_features():
    light = EngineSpec("light", saliency="boundary", segmenter="sam/vit_b").resolve()
    assert light.features == PRESETS["light"].features
    assert light.weights == ("dinov2_small", "sam_vit_b")


def test_what_only_fits_the_offline_parts_stays_with_them():
    made = EngineSpec("offline", features="dinov2/small").resolve()
    assert made.scorer == ("cosine", {"weights": {"dinov2": 1.0}})
    assert (made.config.consensus, made.config.refinement, made.config.threshold) == (False, "single", 0.0)
    made = EngineSpec("offline", segmenter="sam/vit_b").resolve()
    assert made.scorer == ("density", {})
    assert (made.config.consensus, made.config.refinement) == (False, "single")
    made = EngineSpec("light", features="texture", segmenter="graphcut", saliency="boundary").resolve()
    assert made.scorer == ("density", {})
    assert (made.config.consensus, made.config.refinement, made.config.threshold) == (True, "ranked", 0.16)
    assert made.config.reject_threshold == 0.12


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        (EngineSpec("papier"), "no preset"),
        (EngineSpec("paper", features="dino"), 'no "dino" among the features; choose one of: clip'),
        (EngineSpec("paper", features="dinov2/tiny"), "dinov2/small, dinov2/base"),
        (EngineSpec("paper", features="texture+clip"), "cannot be joined"),
        (EngineSpec("paper", saliency="a2s"), "choose one of: boundary, none, tokencut, tsdn"),
        (EngineSpec("paper", segmenter="sam/vit_x"), "sam/vit_b, sam/vit_l, sam/vit_h"),
        (EngineSpec("paper", sd_weight=-1), "from 0 to 100"),
        (EngineSpec("light", timestep=50), "means nothing without Stable Diffusion"),
        (EngineSpec("light", refinement="ranked"), "texture features"),
        (EngineSpec("light", refinement="twice"), "single, cascade, ranked"),
    ],
)
def test_what_does_not_go_together_is_one_message(chosen, message, one_message):
    with pytest.raises(SettingError, match=message) as caught:
        chosen.resolve()
    one_message(str(caught.value))


def test_an_unknown_change_lists_the_known_ones():
    with pytest.raises(SettingError, match="no fetures to choose; there are: preset, features"):
        ipseg.load("offline", fetures="texture")


@pytest.mark.parametrize("kind", ["features", "saliency", "segmenters"])
def test_every_choice_is_a_part(kind):
    found = choices(kind)
    assert len(found) == len(set(found)) > 2
    assert "fusion" not in found


def test_every_model_has_weights():
    for part in ("dinov2", "sam", "sam2"):
        assert all(len(weights.serving(part, model)) == 1 for model in weights.models(part))


def test_without_a_name_it_is_the_default():
    assert EngineSpec() == EngineSpec(DEFAULT)
    assert DEFAULT in PRESETS


def test_it_is_frozen():
    with pytest.raises(FrozenInstanceError):
        EngineSpec().preset = "paper"
    with pytest.raises(FrozenInstanceError):
        PRESETS[DEFAULT].cache = 0
