"""The line about the engine."""

from __future__ import annotations

import html
import re
from types import SimpleNamespace

import pytest

from ipseg.engine.presets import PRESETS
from ipseg.engine.spec import EngineSpec
from ipseg.ui.widgets import engine_state


@pytest.mark.parametrize("name", PRESETS)
def test_the_first_line_is_one_short_sentence_and_the_rest_is_below_it(name):
    pool = SimpleNamespace(lacks=lambda _: "", absent=lambda _: [], offer=lambda _: None, reason="", first=None)
    text = html.unescape(engine_state.describe(pool, EngineSpec(name)))
    lead = re.sub("<[^>]+>", "", re.search(r"<summary>(.*)</summary>", text)[1])
    assert lead.startswith(f"Engine: {name}. ")
    assert len(lead) <= 110  # more is cut at 1280 pixels
    for sentence in PRESETS[name].summary.rstrip(".").split(". "):
        assert sentence in re.sub("<[^>]+>", " ", text)
