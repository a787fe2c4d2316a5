"""The arguments that a handler takes by name, as Gradio and as the handler see them."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from ipseg.core.types import SettingError
from ipseg.engine.spec import FIELDS, EngineSpec
from ipseg.method.config import Parameters
from ipseg.ui.widgets import link
from ipseg.ui.widgets.arguments import ENGINE, MEANINGS, NUMBERS, engine_of, parameters_of
from ipseg.ui.widgets.controls import values_of

SPEC = EngineSpec("light", features="dinov2/large", timestep=5)
SETTINGS = {
    **{"k": 5.0, "clusters": 2.0, "threshold": 0.5, "reject_threshold": 0.25},
    **dict(zip(FIELDS, values_of(SPEC), strict=True)),
}


def test_the_arguments_are_those_of_the_sidebar():
    assert tuple(ENGINE) == FIELDS
    assert tuple(NUMBERS) == link.NUMBERS
    assert (*ENGINE, *NUMBERS) == link.NAMES
    assert list(MEANINGS) == [*NUMBERS, *ENGINE]


def test_gradio_names_the_arguments_as_the_handler_gets_them():
    def answer(image: str, mask: str | None = None, progress: gr.Progress = gr.Progress(), **settings: Any):  # noqa: B008
        return image, mask, engine_of(settings), parameters_of(settings)

    with gr.Blocks() as page:
        image, mask = gr.Textbox(), gr.Textbox()
        named = {name: gr.JSON(value=value) for name, value in SETTINGS.items()}
        outputs = [gr.Textbox() for _ in range(4)]
        gr.Button().click(answer, [image], outputs, inputs_kwargs={**named, "mask": mask}, api_name="answer")
    arguments = page.get_api_info()["named_endpoints"]["/answer"]["parameters"]
    assert [one["parameter_name"] for one in arguments] == ["image", *NUMBERS, *ENGINE, "mask"]
    assert answer("a", mask="b", **SETTINGS) == ("a", "b", SPEC, Parameters(5, 2, 0.5, 0.25))


def test_a_number_out_of_range_is_an_error():
    with pytest.raises(SettingError, match="K is 999"):
        parameters_of({**SETTINGS, "k": 999.0})


def test_a_setting_that_is_missing_is_noticed():
    with pytest.raises(KeyError, match="timestep"):
        engine_of({name: value for name, value in SETTINGS.items() if name != "timestep"})
