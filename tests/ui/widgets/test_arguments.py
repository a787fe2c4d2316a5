"""The arguments that a handler takes by name, as Gradio and as the handler see them."""

from __future__ import annotations

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


def test_keywords_become_the_engine_and_the_numbers():
    """That Gradio names the arguments of the endpoints likewise is tried on the page, in test_api.py."""
    assert engine_of(SETTINGS) == SPEC
    assert parameters_of(SETTINGS) == Parameters(5, 2, 0.5, 0.25)


def test_a_number_out_of_range_is_an_error():
    with pytest.raises(SettingError, match="K is 999"):
        parameters_of({**SETTINGS, "k": 999.0})


def test_a_setting_that_is_missing_is_noticed():
    with pytest.raises(KeyError, match="timestep"):
        engine_of({name: value for name, value in SETTINGS.items() if name != "timestep"})
