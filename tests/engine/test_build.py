"""The only place that builds engines: presets by name, the best of them, what differs, and parts on their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace

import networks
import numpy as np
import pytest
from parity_rules import scene

import ipseg
from ipseg import weights
from ipseg.core import plugins
from ipseg.core.types import SettingError
from ipseg.engine import build, hardware
from ipseg.engine.presets import PRESETS
from ipseg.method.pipeline import IPSeg

WITH_MODELS = [name for name, preset in PRESETS.items() if preset.weights]
IN_TORCH = [name for name, preset in PRESETS.items() if any(weights.get(one).packages for one in preset.weights)]
PROMPT, THING = scene("prompt", 75, 101)
INPUT, _ = scene("input", 120, 83)


@pytest.fixture(autouse=True)
def no_weights(tmp_path, hub_home):
    """Nothing but what a test brings."""
    hub_home(tmp_path / "home")


@pytest.mark.parametrize("name", IN_TORCH)
def test_every_preset_runs_on_small_networks(name, small_models, tmp_path):
    with weights.using(small_models):
        engine = build.assemble(networks.on_small_pictures(PRESETS[name]), name)
    assert engine.info.name == name
    assert engine.info.placement.mode in ("cpu", "resident")
    assert set(engine.info.record) == {
        "engine", "features", "saliency", "segmenter", "scorer", "weights", "placement"
    }  # fmt: skip
    prompt = engine.prompt(PROMPT)
    result = engine.segment(prompt, INPUT)
    assert result.mask.shape == INPUT.shape[:2]
    assert type(result.similarity.values) is np.ndarray
    assert len(result.points.positive) > 0
    prompt.save(tmp_path / "prompt.npz")
    loaded = engine.prompt(tmp_path / "prompt.npz")  # with tensors among its model
    assert loaded.notices == prompt.notices
    again = engine.segment(loaded, INPUT)
    assert np.array_equal(again.mask, result.mask)
    assert np.array_equal(again.similarity.values, result.similarity.values)


@pytest.mark.parametrize("name", WITH_MODELS)
def test_missing_weights_are_one_message(name):
    with pytest.raises(weights.WeightError, match=r"run `python -m ipseg weights fetch [a-z0-9_ .-]+`"):
        ipseg.load(name)


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(SettingError, match="paper, released, light, compact, offline"):
        ipseg.load("paperr")


def test_an_unknown_change_lists_the_known_ones():
    with pytest.raises(SettingError, match="no fetures to choose; there are: preset, features"):
        ipseg.load("offline", fetures="texture")


def test_a_package_that_is_not_installed_is_one_message(monkeypatch):
    def no_torch(*_, **__):
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(plugins, "build", no_torch)
    with pytest.raises(SettingError, match=r'needs torch, which is missing; run pip install "ipseg\[models\]"'):
        ipseg.load("offline")


@pytest.mark.parametrize("name", ["ipseg.features.missing", "ipseg", "transformers.models.missing"])
def test_a_fault_of_the_program_is_no_missing_package(monkeypatch, name):
    def broken(*_, **__):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(plugins, "build", broken)
    with pytest.raises(ModuleNotFoundError, match=name):
        ipseg.load("offline")


def test_an_engine_is_frozen_and_shares_its_cache_with_what_is_made_of_it(make_scene):
    engine = ipseg.load("offline")
    with pytest.raises(FrozenInstanceError):
        engine.config = None
    other = replace(engine, config=replace(engine.config, k=9))
    assert other.encodings is engine.encodings
    assert (engine.config.k, other.config.k) == (32, 9)


@pytest.fixture
def offline_stands_in(monkeypatch):
    """What is asked of here is which engine is taken, not the offline one."""
    real = build.assemble

    def assemble(preset, name="custom", placement=None, *, reason=""):
        if name == "offline":
            return IPSeg(None, None, None, None, info=build.EngineInfo("offline", reason))
        return real(preset, name, placement, reason=reason)

    monkeypatch.setattr(build, "assemble", assemble)


def test_without_weights_the_offline_engine_is_the_best(no_weights, offline_stands_in, monkeypatch):
    monkeypatch.setattr(hardware, "installed", lambda _: True)
    engine = ipseg.load("best")
    assert engine.info.name == "offline"
    assert engine.info.reason.startswith('"offline" is the best that this machine can run with what it has. paper: ')


def test_changes_apply_to_the_best(no_weights):
    engine = ipseg.load("best", saliency="none")
    assert engine.info.name == "offline, saliency=none"
    assert engine.info.reason
    with pytest.raises(SettingError, match='no "nothing" among the saliency'):
        ipseg.load("best", saliency="nothing")


def test_without_its_weights_the_default_says_what_answers(no_weights):
    engine = ipseg.load()
    assert engine.info.name == "offline"
    assert engine.info.reason == (
        '"offline" answers instead of "compact": weights of EfficientNet-Lite0, U2-Net-p missing (23 MB); '
        "run `python -m ipseg weights fetch compact`."
    )
    assert ipseg.load(saliency="none").info.name == "offline, saliency=none"
    with pytest.raises(weights.WeightError, match="fetch efficientnet_lite0"):  # by its name it is that or nothing
        ipseg.load("compact")


def test_changed_weights_of_the_default_are_an_error(no_weights, tmp_path):
    for name in ("efficientnet-lite0-57934424.pth", "u2netp.onnx"):
        (tmp_path / name).write_bytes(b"changed")
    with weights.using(tmp_path), pytest.raises(weights.WeightError, match="sha256"):
        ipseg.load()


def test_the_paper_s_models_are_taken_where_there_is_a_gpu(small_models, monkeypatch):
    monkeypatch.setattr(hardware, "memory", lambda: 64.0)
    monkeypatch.setattr(hardware, "gpu_memory", lambda placement=None: 24.0)
    with weights.using(small_models):
        engine = ipseg.load("best")
    reason = '"paper" is the best that this machine can run with what it has.'
    assert (engine.info.name, engine.info.reason) == ("paper", reason)


def test_on_a_cpu_the_light_ones_are_taken(small_models, monkeypatch):
    monkeypatch.setattr(hardware, "gpu_memory", lambda placement=None: 0.0)
    monkeypatch.setattr(hardware, "memory", lambda: 64.0)
    with weights.using(small_models):
        engine = ipseg.load("best")
    assert engine.info.name == "light"
    assert "paper: slow without a GPU of 6 GB; load it by its name to have it anyway." in engine.info.reason


def test_damaged_weights_are_passed_over(small_models, no_weights, offline_stands_in, tmp_path, monkeypatch):
    for folder in ("dinov2-small", "sam2.1-hiera-tiny"):
        shutil.copytree(small_models / folder, tmp_path / folder)
    (tmp_path / "dinov2-small" / "model.safetensors").write_bytes(b"cut short")
    monkeypatch.setattr(hardware, "memory", lambda: 64.0)
    with weights.using(tmp_path):
        engine = ipseg.load("best")
    assert engine.info.name == "offline"
    assert "damaged or cut short; run `python -m ipseg weights fetch dinov2_small`" in engine.info.reason


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


def test_the_default_is_one_constant(root, tmp_path):
    """Another default reaches the command line, the API, the page and the package, from one place."""
    code = """
import argparse, json
from ipseg.engine import presets
presets.DEFAULT = "light"
from ipseg import EngineSpec
from ipseg.cli import _engine
from ipseg.engine import hardware
from ipseg.ui import serving
parser = argparse.ArgumentParser()
_engine.add_arguments(parser)
print(json.dumps([
    EngineSpec().preset, parser.parse_args([]).preset, serving.arguments([]).preset,
    hardware.default()[1], serving.engine_pool(serving.arguments([])).reason
]))
"""
    clean = {**clean_environment(), "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=600, env=clean
    )
    assert done.returncode == 0, done.stderr
    *names, reason, of_the_page = json.loads(done.stdout)
    assert names == ["light", None, None]
    assert reason.startswith('"offline" answers instead of "light": ')
    assert of_the_page == reason


PARTS = {
    "features": "class Part:\n    density = True\n    def __call__(self, image):\n        return texture(image)\n",
    "saliency": "class Part:\n    def __call__(self, image, features):\n        return colourful(image)\n",
}


def test_a_preset_of_new_files_without_torch_is_one_entry(root, tmp_path):
    """Plug-ins that want no placement, weights that need other packages: neither torch nor accelerate is asked for."""
    for kind, source in PARTS.items():
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "compacted.py").write_text(PLUGIN.replace("# PART", source))
    code = f"""
import json, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "accelerate", "transformers"):
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Watch())
import numpy as np, ipseg, ipseg.features, ipseg.saliency
for package in (ipseg.features, ipseg.saliency):
    package.__path__.append("{tmp_path}/" + package.__name__.rpartition(".")[2])
from ipseg.engine import presets
presets.PRESETS["compacted"] = presets.Preset(
    summary="A preset for a test.",
    features=("compacted", {{}}),
    saliency=("compacted", {{}}),
    segmenter=("graphcut", {{}}),
    scorer=("density", {{}}),
    config=presets.SCORERS["density"],
)
image = np.random.default_rng(0).integers(0, 99, (64, 80, 3), dtype=np.uint8)
image[20:44, 24:56] = (220, 40, 30)
engine = ipseg.load("compacted")
result = engine.segment(engine.prompt(image), image)
named = ipseg.load("compacted", saliency="none")
print(json.dumps([engine.info.placement, sorted(engine.info.record), int(result.mask.sum()) > 0, named.info.name]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=600)
    record = ["engine", "features", "saliency", "scorer", "segmenter", "weights"]
    assert json.loads(done.stdout or "0") == [None, record, True, "compacted, saliency=none"], done.stderr


PLUGIN = """'''A part for a test.'''
from dataclasses import dataclass
import numpy as np
from ipseg.core import plugins
@dataclass(frozen=True)
class Settings:
    '''None.'''
def texture(image):
    return plugins.build("features", "texture")(image)
def colourful(image):
    return (np.ptp(image.astype(np.float32), axis=-1) / 255).astype(np.float32)
# PART
def build(settings):
    return Part()
"""


def clean_environment() -> dict[str, str]:
    """Without what decides which preset the page opens with, and where weights are."""
    deciding = ("PRESET", "SPACE_ID", "IPSEG_WEIGHTS_DIR", "HF_HUB_CACHE")
    return {name: value for name, value in os.environ.items() if name not in deciding}
