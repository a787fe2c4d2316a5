"""The public names, in Python, on the command line and in the API, and that those before them are gone."""

from __future__ import annotations

import argparse
import inspect

import pytest

import ipseg
from ipseg.__main__ import parser
from ipseg.core import plugins

EXPORTED = {
    "load", "open_image", "open_mask", "InputError", "ImageError", "IPSeg", "IPSegConfig", "EngineSpec", "Prompt",
    "Result", "Points", "PRESETS",
}  # fmt: skip
FLAGS = {
    "--negative", "--all-instances", "--negative-click", "--preset", "--output", "--json", "--threshold",
    "--prompt-mask", "--k", "--clusters",
}  # fmt: skip


def flags(command: str) -> set[str]:
    """The options of one command."""
    (commands,) = (each for each in parser(command)._actions if isinstance(each, argparse._SubParsersAction))
    return {flag for action in commands.choices[command]._actions for flag in action.option_strings}


def test_the_package_exports_them():
    assert set(ipseg.__all__) >= EXPORTED
    assert not {"PictureError", "Method", "Options"} & set(ipseg.__all__)
    assert issubclass(ipseg.ImageError, ipseg.InputError)


def test_load_takes_a_name_a_placement_and_changes():
    signature = inspect.signature(ipseg.load)
    assert list(signature.parameters) == ["name", "placement", "changes"]


def test_segment_takes_them():
    names = set(inspect.signature(ipseg.IPSeg.segment).parameters)
    assert {"negative_prompt", "all_instances", "k", "clusters", "threshold", "clicks"} <= names
    assert not {"unlike", "every"} & names


def test_results_have_them():
    fields = set(ipseg.Result.__dataclass_fields__)
    assert {"mask", "points", "score", "status", "similarity", "instances"} <= fields


def test_the_command_line_takes_them():
    assert flags("segment") >= FLAGS
    assert not {"--unlike", "--every", "--click-not"} & flags("segment")


@pytest.mark.parametrize("command", ["batch", "compare", "evaluate", "agree", "bench"])
def test_every_command_with_an_engine_takes_the_preset(command):
    assert {"--preset", "--features", "--saliency", "--segmenter", "--placement", "--weights-dir"} <= flags(command)


def test_the_tabs_have_them():
    tabs = plugins.names("tabs")
    assert "ablation" in tabs
    assert "inside" not in tabs
    assert plugins.module("tabs", "ablation").TITLE == "Ablation"
