"""What this machine can run: missing packages and weights, memory, GPU, and the best preset of all."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from ipseg import weights
from ipseg.core.types import SettingError
from ipseg.engine import hardware, presets
from ipseg.engine.presets import BEST_ORDER, PRESETS
from ipseg.engine.spec import EngineSpec


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch, hub_home):
    """Nothing but what a test brings; every package seems to be installed, and memory is plenty."""
    hub_home(tmp_path / "home")
    monkeypatch.setattr(hardware, "installed", lambda _: True)
    monkeypatch.setattr(hardware, "memory", lambda: 64.0)
    monkeypatch.setattr(hardware, "gpu_memory", lambda placement=None: 0.0)


@pytest.fixture
def all_weights(tmp_path, monkeypatch):
    """All weights seem to be here."""
    monkeypatch.setattr(weights, "find", lambda name: tmp_path)


def test_it_says_what_an_engine_lacks():
    assert hardware.lacks(PRESETS["offline"]) == ""
    wanted = EngineSpec("offline", features="clip", segmenter="sam/vit_b").resolve()
    assert hardware.lacks(wanted) == (
        "weights of CLIP ViT-B/16, SAM ViT-B missing (974 MB); "
        "run `python -m ipseg weights fetch clip_vit_b16 sam_vit_b`"
    )


def test_a_preset_needs_the_packages_of_its_own_weights_alone(monkeypatch):
    monkeypatch.setattr(hardware, "installed", lambda name: name not in weights.TORCH)
    assert hardware.packages_missing(PRESETS["offline"]) == []
    assert hardware.packages_missing(PRESETS["light"]) == list(weights.TORCH)
    for name in ("dinov2_small", "sam2.1-hiera-tiny"):
        other = replace(weights.get(name), packages=("onnxruntime",), extra="onnx")
        monkeypatch.setitem(weights.WEIGHTS, name, other)
    assert hardware.packages_missing(PRESETS["light"]) == []
    assert hardware.lacks(PRESETS["light"]).startswith("weights of DINOv2")
    monkeypatch.setattr(hardware, "installed", lambda name: False)
    assert hardware.lacks(PRESETS["light"]) == 'onnxruntime missing; run pip install "ipseg[onnx]"'


def test_the_best_with_everything(all_weights, monkeypatch):
    monkeypatch.setattr(hardware, "gpu_memory", lambda placement=None: 24.0)
    assert hardware.best() == ("paper", '"paper" is the best that this machine can run with what it has.')


def test_the_best_on_a_cpu(all_weights):
    name, reason = hardware.best()
    assert name == "light"
    assert "paper: slow without a GPU of 6 GB; load it by its name to have it anyway." in reason


def test_the_best_without_weights():
    name, reason = hardware.best()
    assert name == "offline"
    assert reason.startswith('"offline" is the best that this machine can run with what it has. paper: weights of')
    assert "DINOv2 ViT-S/14, SAM 2.1 tiny missing (244 MB); run `python -m ipseg weights fetch light`" in reason


def test_the_best_without_packages(monkeypatch):
    monkeypatch.setattr(hardware, "installed", lambda name: name != "diffusers")
    name, reason = hardware.best()
    assert name == "offline"
    assert 'light: diffusers missing; run pip install "ipseg[models]".' in reason


def test_what_failed_is_passed_over(all_weights):
    name, reason = hardware.best(failed={"light": "The weights are damaged."})
    assert name == "compact"
    assert "light: The weights are damaged. " in reason + " "


def test_nothing_that_can_run_is_an_error():
    with pytest.raises(SettingError, match=r"No preset can run here.*offline: It is too hot\."):
        hardware.best(failed=dict.fromkeys(BEST_ORDER, "It is too hot."))


def test_the_default_needs_its_weights(all_weights):
    assert hardware.default() == ("compact", "")


def test_without_the_weights_of_the_default_the_reason_is_one_message(monkeypatch):
    name, reason = hardware.default()
    assert name == "offline"
    assert reason == (
        '"offline" answers instead of "compact": weights of EfficientNet-Lite0, U2-Net-p missing (23 MB); '
        "run `python -m ipseg weights fetch compact`."
    )
    assert PRESETS[presets.FALLBACK].weights == ()


def test_half_of_the_weights_of_the_default_are_not_enough(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "find", lambda name: tmp_path if name == "u2netp" else None)
    name, reason = hardware.default()
    assert name == "offline"
    assert "weights of EfficientNet-Lite0 missing (19 MB); run `python -m ipseg weights fetch compact`." in reason


def test_the_order_is_one_tuple(all_weights, monkeypatch):
    monkeypatch.setattr(hardware, "BEST_ORDER", ("offline", "light"))
    assert hardware.best()[0] == "offline"
    assert set(presets.BEST_ORDER) <= set(PRESETS)
    assert PRESETS[presets.BEST_ORDER[-1]].weights == ()  # so that the last one can always run


def test_a_small_computer_is_not_filled(all_weights, monkeypatch):
    monkeypatch.setattr(hardware, "memory", lambda: 2.0)
    assert hardware.obstacle("light") == "needs about 3 GB of memory, here are 2"


def test_what_could_run_with_its_weights(monkeypatch):
    assert hardware.could_run(better_than="offline") == "compact"  # the small one first
    assert hardware.could_run(better_than="compact") == "light"
    assert hardware.could_run(better_than="light") == ""
    assert hardware.could_run(better_than="released") == ""
    monkeypatch.setattr(hardware, "gpu_memory", lambda placement=None: 24.0)
    assert hardware.could_run(better_than="light") == "paper"
    monkeypatch.setattr(hardware, "installed", lambda name: False)
    assert hardware.could_run(better_than="compact") == ""
    assert hardware.could_run(better_than="offline") == "compact"  # the base install has its packages


@pytest.mark.parametrize(
    ("preset", "gpu", "mode"),
    [("paper", 0.0, "auto"), ("paper", 8.0, "sequential"), ("paper", 24.0, "auto"), ("light", 2.0, "auto")],
)
def test_models_take_turns_on_a_gpu_that_cannot_hold_them(preset, gpu, mode, monkeypatch):
    monkeypatch.setattr(hardware, "gpu_memory", lambda placement=None: gpu)
    made = []
    monkeypatch.setattr(hardware, "Placement", lambda asked: made.append(asked))
    hardware.fitting(PRESETS[preset])
    assert made == [mode]


def test_asking_loads_no_framework(root):
    code = "import sys; from ipseg.engine import hardware; hardware.best(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
