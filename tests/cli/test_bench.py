"""`ipseg bench`: a table and the same as JSON."""

from __future__ import annotations

import json

import pytest

from ipseg.__main__ import main
from ipseg.studies import speed

pytestmark = pytest.mark.usefixtures("small_offline")


@pytest.fixture
def files(save, make_scene, tmp_path):
    paths = [save(tmp_path / f"{seed}.png", make_scene(seed=seed)[0]) for seed in (0, 1)]
    return [str(path) for path in paths]


def test_every_question_is_a_line_of_the_table_and_of_the_file(files, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(speed, "BATCH", 2)
    out = tmp_path / "out.json"
    settings = ["--preset", "offline", "--repeat", "1", "--classes", "2"]
    assert main(["bench", *files, *settings, "--json", str(out)]) == 0
    data, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert [row["name"] for row in data["rows"]] == [
        "new prompt, new input",
        "prompt encoding",
        "new input",
        "known input, other prompt",
        "K = 64",
        "c = 8",
        "threshold = 0",
        "click",
        "batch of 2",
        "2 prompts on one input",
        "1 class on one image",
        "2 classes on one image",
        "2 classes that are all in one image",
    ]
    assert "2 classes on one image: " in printed
    assert "times the CPU seconds of one" in printed
    assert all(f"| {row['name']} |" in printed for row in data["rows"])
    assert data["naive"]["name"].startswith("naive")
    assert data["offline"] == []  # compared with itself it says nothing
    assert "GPU memory not measured" in printed
    assert data["floor"]["seconds"] is None  # it has no network
    assert data["cold_start_seconds"] > 0


def test_the_networks_of_the_default_engine_have_a_floor(files, tmp_path, capsys, monkeypatch):
    """Needs the weights: `make test` fetches them."""
    out = tmp_path / "out.json"
    alone = [speed.Row("new input", 1.0)]  # the questions themselves are measured of the engine without networks
    monkeypatch.setattr(speed, "measure", lambda *_, **__: alone)
    settings = ["--preset", "compact", "--repeat", "1", "--classes", "0", "--alone"]
    assert main(["bench", *files, *settings, "--json", str(out)]) == 0
    data = json.loads(out.read_text())
    assert data["floor"]["operations"] > 1e9
    assert data["floor"]["seconds"] > 0
    assert data["naive"] is None
    assert "floor of a new input" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--repeat", "0"], ["--classes", "-1"]])
def test_numbers_out_of_range(files, wrong, capsys):
    assert main(["bench", *files, *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err


def test_made_up_weights_are_for_presets_with_networks(files, capsys):
    pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    assert main(["bench", *files, "--preset", "offline", "--made-up-weights"]) == 2
    assert "choose the preset paper, released or light" in capsys.readouterr().err
