"""Weights are declared in the file of the plug-in that reads them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ipseg import weights
from ipseg.core import plugins
from ipseg.weights import _table

NEW = """
import no_such_package

WEIGHTS = (
    {"name": "new_small", "title": "New S", "source": "owner/new-s", "bytes": 2_000, "licence": "MIT", "model": "s"},
    {
        "name": "new_large",
        "title": "New L",
        "source": "https://example.org/models/large.pth",
        "bytes": 9_000,
        "licence": "MIT",
        "sha256": "ab",
        "model": "l",
    },
    {
        "name": "new_lite",
        "title": "New lite",
        "licence": "MIT",
        "wheel": {"project": "new", "version": "1.0", "sha256": "cd", "member": "new/lite.onnx", "bytes": 7},
    },
)


def build(settings):
    return WEIGHTS
"""


def test_one_new_file_brings_its_weights_and_is_not_imported(tmp_path):
    (tmp_path / "new.py").write_text(NEW)
    (tmp_path / "_helper.py").write_text(NEW)
    (tmp_path / "plain.py").write_text("SIZE = 3\n")
    small, large, lite = _table.declared(tmp_path)
    assert {each.part for each in (small, large, lite)} == {"new"}
    assert (small.on_hub, small.files, small.revision, small.model) == (True, _table.MODEL, "main", "s")
    assert (large.on_hub, large.files, large.sha256) == (False, (("large.pth",),), "ab")
    assert (lite.source, lite.files, lite.bytes) == ("pypi:new==1.0", (("lite.onnx",),), 7)
    assert lite.wheel.requirement == "new==1.0"


def test_a_field_that_no_weights_have_is_an_error():
    with pytest.raises(TypeError, match="license"):
        _table.entry({"name": "a", "title": "A", "source": "b/c", "bytes": 1, "license": "MIT"}, "a")


@pytest.mark.parametrize("weight", weights.WEIGHTS.values(), ids=lambda weight: weight.name)
def test_every_entry_belongs_to_a_plug_in(weight):
    assert any(weight.part in plugins.names(kind) for kind in _table.KINDS)
    assert weight.name in weights.serving(weight.part, weight.model)


def test_reading_them_imports_no_plug_in(root):
    code = (
        "import sys; from ipseg import weights; assert weights.WEIGHTS; print([n for n in sys.modules if 'sam' in n])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=600, check=True
    )
    assert done.stdout.strip() == "[]"
