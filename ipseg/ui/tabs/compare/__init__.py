"""The tab "Compare": IPSeg and the baselines on one prompt, side by side."""

from __future__ import annotations

from ipseg.ui.tabs.compare.handlers import build

__all__ = ["ORDER", "TITLE", "build"]

TITLE, ORDER = "Compare", 1
