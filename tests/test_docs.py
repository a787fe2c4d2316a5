"""The documentation is built without a warning, and the README stays short."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from ipseg.core import plugins


def test_the_readme_has_at_most_150_lines(root):
    assert len((root / "README.md").read_text().splitlines()) <= 150


@pytest.mark.slow
def test_the_documentation_is_built_without_a_warning(root, tmp_path):
    """Each warning is an error: links inside, names of the API, pages that no list names."""
    pytest.importorskip("sphinx")
    site = tmp_path / "site"
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", tmp_path / "doctrees"]
    done = subprocess.run([*command, root / "docs", site], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    reference = re.sub(r"<[^>]+>", "", (site / "cli.html").read_text())
    assert [name for name in plugins.names("cli") if f"ipseg {name} [-h]" not in reference] == []
    assert "--reject-threshold" in reference
    assert 'id="ipseg.load"' in (site / "api.html").read_text()


def test_the_numbers_of_the_readme_are_those_of_the_page_evaluation(root):
    begins = ("| `compact` on ", "| is the object there?")
    rows = [line for line in (root / "README.md").read_text().splitlines() if line.startswith(begins)]
    assert len(rows) == 2
    numbers = [number for row in rows for number in re.findall(r"\b0\.\d{3}\b|\b\d+ %", row)]
    assert len(numbers) >= 3
    page = (root / "docs" / "evaluation.md").read_text().replace("%", " %").replace("  %", " %")
    assert [number for number in numbers if number not in page] == []
