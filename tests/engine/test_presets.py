"""Presets: their parts are there, their weights load as published, and the best is found without being named."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import fields

import networks
import numpy as np
import pytest
from parity_rules import scene

import ipseg
from ipseg import weights
from ipseg.core import plugins
from ipseg.core.types import SettingError
from ipseg.engine import choice, presets
from ipseg.engine.presets import PRESETS
from ipseg.method.config import EngineInfo

WITH_MODELS = [name for name, preset in PRESETS.items() if preset.weights]
PROMPT, _ = scene("prompt", 75, 101)
INPUT, _ = scene("input", 120, 83)


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch):
    """Nothing but what a test brings."""
    for name in ("HF_HUB_CACHE", "IPSEG_WEIGHTS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("name", WITH_MODELS)
def test_parts_and_settings_are_known(name, models):
    preset = PRESETS[name]
    parts = [("features", preset.features), ("saliency", preset.saliency), ("segmenters", preset.segmenter)]
    parts += [("features", source) for source in preset.features[1].get("sources", {}).items()]
    for kind, (plugin, settings) in parts:
        assert set(settings) <= {field.name for field in fields(plugins.module(kind, plugin).Settings)}
    assert set(preset.weights) <= set(weights.WEIGHTS)


def test_paper_and_released_differ_as_they_should():
    paper, released = PRESETS["paper"], PRESETS["released"]
    diffusion = [preset.features[1]["sources"]["stable_diffusion"] for preset in (paper, released)]
    assert [one["timestep"] for one in diffusion] == [50, 100]
    assert [one["window"] for one in diffusion] == [0, 512]
    assert paper.weights == released.weights
    assert paper.scorer[1]["weights"] == {"dinov2": 1.0, "s3": 0.03, "s4": 0.02, "s5": 0.01}
    assert (paper.method.k, paper.method.clusters) == (32, 4)


@pytest.mark.parametrize("name", WITH_MODELS)
def test_every_preset_runs_on_small_networks(name, small_models):
    with weights.using(small_models):
        engine = presets.assemble(networks.on_small_pictures(PRESETS[name]), name)
    assert engine.info.name == name
    assert engine.info.placement.mode in ("cpu", "resident")
    result = engine.segment(engine.prompt(PROMPT), INPUT)
    assert result.mask.shape == INPUT.shape[:2]
    assert type(result.similarity.values) is np.ndarray
    assert len(result.points.positive) > 0


@pytest.mark.parametrize("name", WITH_MODELS)
def test_missing_weights_are_one_sentence(name):
    with pytest.raises(weights.WeightError, match=r"run `python -m ipseg weights fetch \S+`"):
        ipseg.load(name)


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(SettingError, match="paper, released, light, offline"):
        ipseg.load("paperr")


def test_a_package_that_is_not_installed_is_one_sentence(monkeypatch):
    def no_torch(*_, **__):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(plugins, "build", no_torch)
    with pytest.raises(SettingError, match=r'needs torch, which is missing; run pip install "ipseg\[models\]"'):
        ipseg.load("offline")


@pytest.fixture
def offline_stands_in(monkeypatch):
    """What is asked of here is which engine is taken, not the offline one."""
    real = presets.load

    def load(name, placement=None):
        if name == "offline":
            return ipseg.IPSeg(None, None, None, None, info=EngineInfo("offline"))
        return real(name, placement=placement)

    monkeypatch.setattr(presets, "load", load)


def test_without_weights_the_offline_engine_is_taken(offline_stands_in, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: True)
    engine = ipseg.load()
    assert engine.info.name == "offline"
    assert engine.info.reason.startswith(
        '"offline" is the best that this machine can run with what it has. paper: weights of'
    )
    assert (
        "DINOv2 ViT-S/14, SAM 2.1 tiny missing (244 MB); run `python -m ipseg weights fetch light`"
        in engine.info.reason
    )


def test_without_the_packages_the_offline_engine_is_taken(offline_stands_in, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "diffusers" else True)
    assert 'light: diffusers missing; run pip install "ipseg[models]".' in ipseg.load().info.reason


def test_the_paper_s_models_are_taken_where_there_is_a_gpu(small_models, monkeypatch):
    monkeypatch.setattr(choice, "memory", lambda: 64.0)
    monkeypatch.setattr(choice, "gpu_memory", lambda placement=None: 24.0)
    with weights.using(small_models):
        engine = ipseg.load()
    assert (engine.info.name, engine.info.reason) == (
        "paper",
        '"paper" is the best that this machine can run with what it has.',
    )


def test_on_a_cpu_the_light_ones_are_taken(small_models, monkeypatch):
    monkeypatch.setattr(choice, "gpu_memory", lambda placement=None: 0.0)
    monkeypatch.setattr(choice, "memory", lambda: 64.0)
    with weights.using(small_models):
        engine = ipseg.load()
    assert engine.info.name == "light"
    assert "paper: slow without a GPU of 6 GB; load it by its name to have it anyway." in engine.info.reason


def test_damaged_weights_are_passed_over(small_models, offline_stands_in, tmp_path, monkeypatch):
    import shutil

    for folder in ("dinov2-small", "sam2.1-hiera-tiny"):
        shutil.copytree(small_models / folder, tmp_path / folder)
    (tmp_path / "dinov2-small" / "model.safetensors").write_bytes(b"cut short")
    monkeypatch.setattr(choice, "memory", lambda: 64.0)
    with weights.using(tmp_path):
        engine = ipseg.load()
    assert engine.info.name == "offline"
    assert "damaged or cut short; run `python -m ipseg weights fetch dinov2_small`" in engine.info.reason


def test_a_small_computer_is_not_filled(small_models, monkeypatch):
    monkeypatch.setattr(choice, "memory", lambda: 2.0)
    with weights.using(small_models):
        assert choice.obstacle("light") == "needs about 3 GB of memory, here are 2"


def test_asking_what_stands_in_the_way_loads_no_framework():
    code = "import sys; from ipseg import choice; choice.obstacle('paper'); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
