"""On a GPU: every preset, placement and precision, on small networks; seconds and peak memory are printed (-s)."""

from __future__ import annotations

import time

import networks
import numpy as np
import pytest
from parity_rules import scene

from ipseg import weights
from ipseg.engine import build
from ipseg.engine.placement import Placement
from ipseg.engine.presets import PRESETS

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA")

PROMPT, _ = scene("prompt", 75, 101)
INPUT, _ = scene("input", 120, 83)
IN_TORCH = [name for name, preset in PRESETS.items() if any(weights.get(one).packages for one in preset.weights)]


def answer(name, folder, placement):
    with weights.using(folder):
        engine = build.assemble(networks.on_small_pictures(PRESETS[name]), name, placement)
    return engine.segment(engine.prompt(PROMPT), INPUT)


@pytest.mark.parametrize("mode", ["resident", "sequential"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", IN_TORCH)
def test_every_preset_runs(name, dtype, mode, small_models):
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    result = answer(name, small_models, Placement(mode, dtype=dtype))
    seconds, peak = time.perf_counter() - start, torch.cuda.max_memory_allocated() / 2**20
    print(f"{name}, {dtype}, {mode}: {seconds:.2f} s, {peak:.0f} MB")
    assert result.mask.shape == INPUT.shape[:2]
    assert np.isfinite(result.similarity.values).all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", IN_TORCH)
def test_a_saved_prompt_is_the_same_prompt(name, dtype, small_models, tmp_path):
    with weights.using(small_models):
        preset = networks.on_small_pictures(PRESETS[name])
        engine = build.assemble(preset, name, Placement("resident", dtype=dtype))
    prompt = engine.prompt(PROMPT)
    prompt.save(tmp_path / "prompt.npz")
    one, other = (engine.segment(each, INPUT) for each in (prompt, engine.prompt(tmp_path / "prompt.npz")))
    np.testing.assert_array_equal(one.mask, other.mask)


@pytest.mark.parametrize("name", IN_TORCH)
def test_float32_agrees_with_the_cpu(name, small_models):
    there = answer(name, small_models, Placement("resident", dtype="float32"))
    here = answer(name, small_models, Placement("cpu"))
    np.testing.assert_allclose(there.similarity.values, here.similarity.values, atol=2e-3)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("name", IN_TORCH)
def test_encoders_at_once_on_streams_give_the_same(name, dtype, small_models):
    """Several images one after another: memory that is used again too early would show in a later one."""
    with weights.using(small_models):
        preset = networks.on_small_pictures(PRESETS[name])
        engines = [
            build.assemble(preset, name, Placement("resident", dtype=dtype, streams=streams))
            for streams in (False, True)
        ]
    assert engines[1].info.placement.overlaps
    prompts = [engine.prompt(PROMPT) for engine in engines]
    for moved in range(0, 40, 5):
        image = np.ascontiguousarray(np.roll(INPUT, moved, axis=1))
        one, other = (engine.segment(prompt, image) for engine, prompt in zip(engines, prompts, strict=True))
        np.testing.assert_array_equal(one.similarity.values, other.similarity.values)
        np.testing.assert_array_equal(one.mask, other.mask)


@pytest.mark.parametrize("name", IN_TORCH)
def test_compiled_networks_agree(name, small_models):
    """Needs what torch's compiler needs."""
    plain = answer(name, small_models, Placement("resident", dtype="float32"))
    made = answer(name, small_models, Placement("resident", dtype="float32", compiler="inductor"))
    np.testing.assert_allclose(made.similarity.values, plain.similarity.values, atol=2e-3)
