"""Plug-ins are found by their file name, and a name or setting that is not known is said."""

from __future__ import annotations

import importlib
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

import ipseg
from ipseg.core import plugins
from ipseg.core.types import SettingError
from ipseg.engine import presets
from ipseg.engine.spec import EngineSpec

PARTS = [(kind, name) for kind in ("features", "saliency", "segmenters") for name in plugins.names(kind)]

PLUGIN = '''"""A part for a test."""
from dataclasses import dataclass
@dataclass(frozen=True)
class Settings:
    size: int = 3
def build(settings):
    return ("part", settings.size)
'''


@pytest.fixture
def made(tmp_path: Path, monkeypatch):
    """A plug-in that is one new file, and a helper beside it."""
    (tmp_path / "made_here.py").write_text(PLUGIN)
    (tmp_path / "_helpers.py").write_text("raise RuntimeError('helpers are not plug-ins')")
    monkeypatch.setattr("ipseg.features.__path__", [*ipseg.features.__path__, str(tmp_path)])


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_names_are_the_files(kind):
    folder = Path(importlib.import_module(plugins.PACKAGES.get(kind, f"ipseg.{kind}")).__path__[0])
    files = {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    files = {name for name in files if not name.startswith("_")}
    assert plugins.names(kind) == sorted(files)


def test_one_new_file_is_one_new_part(made):
    assert "made_here" in plugins.names("features")
    assert "_helpers" not in plugins.names("features")
    assert plugins.build("features", "made_here") == ("part", 3)
    assert plugins.build("features", "made_here", size=5) == ("part", 5)


def test_a_part_with_models_is_known_by_its_build(tmp_path, made):
    (tmp_path / "placed_here.py").write_text(PLUGIN.replace("build(settings)", "build(settings, placement)"))
    assert plugins.wants_placement("features", "placed_here")
    assert not plugins.wants_placement("features", "made_here")


def test_a_docstring_is_read_without_importing(made, tmp_path, monkeypatch):
    assert plugins.docstring("features", "made_here") == "A part for a test."
    (tmp_path / "broken_here.py").write_text('"""It cannot be imported."""\nraise RuntimeError("imported")\n')
    assert plugins.docstring("features", "broken_here") == "It cannot be imported."
    with pytest.raises(SettingError, match='no "magic" among the features'):
        plugins.docstring("features", "magic")


def test_an_unknown_name_lists_what_there_is(made, one_message):
    for name in ("magic", "_helpers", "made_here.py", ""):
        with pytest.raises(SettingError, match=rf'no "{name}" among the features.*made_here') as caught:
            plugins.module("features", name)
        one_message(caught.value)


def test_an_unknown_setting_lists_what_there_is(made):
    with pytest.raises(SettingError, match=r'"made_here" has no setting colour, sise; it has: size\.'):
        plugins.build("features", "made_here", sise=5, colour=1)


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_settings_are_frozen_with_a_default_each(kind, name):
    settings = plugins.module(kind, name).Settings()
    for each in fields(settings):
        with pytest.raises(FrozenInstanceError):
            setattr(settings, each.name, None)


@pytest.mark.parametrize("name", presets.PRESETS)
def test_presets_name_parts_and_settings_that_exist(name):
    preset = presets.PRESETS[name]
    assert preset.summary.endswith(".")
    for kind, (part, settings) in zip(
        ("features", "saliency", "segmenters"), (preset.features, preset.saliency, preset.segmenter), strict=True
    ):
        assert part in plugins.names(kind)
        assert set(settings) <= {each.name for each in fields(plugins.module(kind, part).Settings)}


def test_an_unknown_preset_lists_what_there_is(one_message):
    with pytest.raises(SettingError, match=r'no preset "online"; choose one of: .*offline') as caught:
        EngineSpec("online").resolve()
    one_message(caught.value)


@pytest.mark.parametrize(
    ("kind", "name", "capability", "expected"),
    [
        ("segmenters", "graphcut", "accepts_prior", True),
        ("segmenters", "sam", "accepts_prior", False),
        ("segmenters", "sam", "is_sam", True),
        ("segmenters", "sam2", "is_sam", False),
        ("features", "texture", "density", True),
        ("features", "fusion", "density", False),
        ("scorers", "density", "log_odds", True),
        ("scorers", "cosine", "log_odds", False),
    ],
)
def test_capabilities_are_read_without_an_import(kind, name, capability, expected, monkeypatch):
    monkeypatch.setattr(plugins, "module", None)
    assert plugins.declares(kind, name, capability) is expected


def test_capabilities_of_an_unknown_part():
    with pytest.raises(SettingError, match='There is no "lasso" among the segmenters'):
        plugins.declares("segmenters", "lasso", "is_sam")
