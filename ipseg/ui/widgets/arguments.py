"""The arguments of every handler beside its images: the engine, and often the numbers of the method.

A handler takes the components of the sidebar by name, and Gradio names the arguments of its endpoint likewise::

    def segment(prompts: list[Any] | None, progress=gr.Progress(), **settings: Any):
        spec, parameters = engine_of(settings), parameters_of(settings)

    button.click(segment, [prompts], outputs, inputs_kwargs=controls.by_name)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipseg.engine.spec import FIELDS, EngineSpec
from ipseg.method.config import Parameters
from ipseg.ui.widgets import inputs
from ipseg.ui.widgets.controls import chosen

ENGINE = {  # what each argument means, in the order of the sidebar
    "preset": "which engine runs",
    "features": "feature extractors instead of the default of the preset",
    "sd_weight": "weight of Stable Diffusion, the others being 1; empty: default of the preset",
    "timestep": "of Stable Diffusion, 0 to 999; empty: default of the preset",
    "saliency": "saliency method instead of the default of the preset",
    "segmenter": "segmenter instead of the default of the preset",
    "refinement": "how points become a mask, if not as in the preset",
}
NUMBERS = {
    "k": "most and least similar cells, each 1 to 256; empty: the preset's, as the next three",
    "clusters": "positive and negative points, each 1 to 32, at most k",
    "threshold": "detected from this score on, 0 to 1",
    "reject_threshold": "not detected below this score, 0 to 1; above the threshold it counts as that",
}
MEANINGS = {**NUMBERS, **ENGINE}


def engine_of(settings: Mapping[str, Any]) -> EngineSpec:
    """The engine of the keywords of a handler. Raises SettingError for a value that cannot be meant."""
    return chosen([settings[name] for name in FIELDS])


def parameters_of(settings: Mapping[str, Any]) -> Parameters:
    """The numbers of the keywords of a handler. Raises SettingError for one out of range."""
    return inputs.parameters(*(settings[name] for name in NUMBERS))
