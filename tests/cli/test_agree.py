"""``ipseg agree``: how often half precision chooses the points of float32."""

from __future__ import annotations

import numpy as np
import pytest
import small_engine

from ipseg.__main__ import main
from ipseg.cli.agree import agree
from ipseg.core.types import Points
from ipseg.engine import presets
from tests.ui.conftest import EXAMPLES

DATA = EXAMPLES.parent
NONE = np.empty((0, 2), np.float32)


def at(*xy: tuple[float, float]) -> Points:
    return Points(np.array(xy, np.float32), NONE)


def test_points_agree_to_a_cell():
    cell = (10.0, 8.0)
    assert agree(at((5, 5), (50, 50)), at((50, 50), (5, 5)), cell)  # in any order
    assert agree(at((5, 5)), at((14, 12)), cell)
    assert not agree(at((5, 5)), at((5, 14)), cell)
    assert not agree(at((5, 5)), at((5, 5), (50, 50)), cell)
    assert agree(Points(NONE, NONE), Points(NONE, NONE), cell)
    assert not agree(Points(NONE, at((5, 5)).positive), Points(NONE, NONE), cell)


def test_an_engine_agrees_with_itself(monkeypatch, capsys):
    monkeypatch.setitem(presets.PRESETS, "compact", small_engine.compact())
    assert main(["agree", str(DATA), "--dtype", "float16", "--pairs", "2"]) == 0
    assert capsys.readouterr().out == "2 of 2 pairs (100.0%): the same points in float16 and float32\n"


def test_features_are_compared_with_others(small_offline, capsys):
    asked = ["agree", str(DATA), "--preset", "offline", "--features", "texture", "--against", "texture", "--pairs", "2"]
    assert main(asked) == 0
    assert capsys.readouterr().out == "2 of 2 pairs (100.0%): the same points in texture and texture\n"
    assert main([*asked[:-3], "nothing", "--pairs", "2"]) == 2
    assert 'no "nothing" among the features' in capsys.readouterr().err


def test_half_precision_on_small_networks(small_models, monkeypatch, capsys):
    import networks

    made = networks.on_small_pictures(presets.PRESETS["released"])
    monkeypatch.setattr(presets, "PRESETS", {**presets.PRESETS, "released": made})
    monkeypatch.setattr("ipseg.engine.spec.PRESETS", presets.PRESETS)
    arguments = [
        "agree",
        str(DATA),
        "--preset",
        "released",
        "--dtype",
        "bfloat16",
        "--placement",
        "cpu",
        "--pairs",
        "2",
    ]
    assert main([*arguments, "--weights-dir", str(small_models)]) == 0
    assert "of 2 pairs (" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "choose float16 or bfloat16"),
        (("--dtype", "float32"), "choose float16 or bfloat16"),
        (("--dtype", "float16", "--pairs", "-1"), "give 0 or more"),
    ],
)
def test_wrong_usage(capsys, arguments, message):
    assert main(["agree", str(DATA), *arguments]) == 2
    assert message in capsys.readouterr().err
