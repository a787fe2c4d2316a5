"""Sphinx: ``sphinx-build -W --keep-going docs build/docs``. Everything needs ``pip install -e '.[docs]'``."""

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this checkout, whichever is installed
import ipseg

project = "ipseg"
author = "The ipseg maintainers"
release = version = ipseg.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinxarg.ext"]
html_theme = "furo"
html_title = "ipseg"

myst_heading_anchors = 3  # what links with "#" point at, as on GitHub
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
exclude_patterns = ["_build"]
smartquotes = False  # two hyphens begin an argument


def _beside(app: object, name: str, source: list[str]) -> None:
    """Markdown files of the repository outside of this folder are offered as files: they are no pages."""
    source[0] = re.sub(r"\]\((\.\./[^)#]+\.md)", r"](path:\1", source[0])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _beside)
