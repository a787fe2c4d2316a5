"""Presets: their parts and settings exist, and their numbers are those of the paper and of the released script."""

from __future__ import annotations

from dataclasses import fields

import pytest
from parity_rules import scene

from ipseg import weights
from ipseg.core import plugins
from ipseg.engine.presets import PRESETS

WITH_MODELS = [name for name, preset in PRESETS.items() if preset.weights]
PROMPT, _ = scene("prompt", 75, 101)
INPUT, _ = scene("input", 120, 83)


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
    assert (paper.config.k, paper.config.clusters) == (32, 4)
