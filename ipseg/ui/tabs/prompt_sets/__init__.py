"""The tab "Prompt sets": the same inputs under different prompts of one kind of object."""

from __future__ import annotations

from ipseg.ui.tabs.prompt_sets.handlers import build

__all__ = ["ORDER", "TITLE", "build"]

TITLE, ORDER = "Prompt sets", 2
