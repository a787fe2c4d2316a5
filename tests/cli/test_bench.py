"""`ipseg bench`: a table and the same as JSON."""

from __future__ import annotations

import argparse
import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

import ipseg
from ipseg.__main__ import main
from ipseg.cli._engine import options_of
from ipseg.engine.placement import Placement
from ipseg.method.config import EngineInfo
from ipseg.studies import speed

pytestmark = pytest.mark.usefixtures("small_offline")


@pytest.fixture
def files(save, make_scene, tmp_path):
    paths = [save(tmp_path / f"{seed}.png", make_scene(seed=seed)[0]) for seed in (0, 1)]
    return [str(path) for path in paths]


def test_every_request_is_a_line_of_the_table_and_of_the_file(files, tmp_path, capsys, monkeypatch):
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
    assert "| naive: new prompt, new input |" in printed
    assert data["offline"] == []  # compared with itself it says nothing
    assert "GPU memory not measured" in printed
    assert data["floor"]["seconds"] is None  # it has no network
    assert data["cold_start_seconds"] > 0


def test_the_networks_of_the_default_engine_have_a_floor(files, tmp_path, capsys, monkeypatch):
    """Needs the weights: `make test` fetches them."""
    out = tmp_path / "out.json"
    alone = [speed.Row("new input", 1.0)]  # the requests themselves are measured of the engine without networks
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


def test_the_options_of_a_placement_are_measured_with_and_without(files, tmp_path, capsys, monkeypatch):
    """Small networks with made-up weights; compiled by what runs torch's operators as they are."""
    torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
    pytest.importorskip("accelerate", reason="the paper's models need the extra [models]")
    built = []

    class Small(torch.nn.Module):
        """Takes the place of DINOv2 with settings that are its own."""

        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(()))

        def forward(self, values):
            return values * self.scale

    @contextmanager
    def engine_of(arguments, **other):
        chosen = argparse.Namespace(**{**vars(arguments), **other})
        placement = Placement(chosen.placement, **options_of(chosen))
        made, network = ipseg.load("offline"), placement.place(Small())
        built.append(placement)

        def features(image):
            network(torch.ones(3))
            return made.features(image)

        yield replace(made, features=features, info=EngineInfo("small", placement=placement))

    monkeypatch.setattr("ipseg.cli.bench._built", engine_of)
    monkeypatch.setattr(speed, "measure", lambda *_, **__: [speed.Row("new input", 1.0)])
    out = tmp_path / "out.json"
    settings = ["--repeat", "1", "--classes", "0", "--alone", "--streams", "--compile"]
    monkeypatch.setattr("ipseg.engine.placement.compiled", lambda forward, compiler: forward)
    assert main(["bench", *files, *settings, "--json", str(out)]) == 0
    assert [(each.streams, each.compiler) for each in built] == [(True, "inductor"), (False, "")]
    data = json.loads(out.read_text())
    assert [row["name"] for row in data["without_options"]] == ["first mask", "new input"]
    assert 0 < data["first_mask_seconds"] < data["cold_start_seconds"]
    assert data["machine"]["compiler"] == "inductor"
    printed = capsys.readouterr().out
    assert "with the options: first mask of the engine" in printed
    assert "without --streams and --compile" in printed
