"""The tab "Ablation": the intermediate results of the method for one prompt image and one image."""

from __future__ import annotations

from ipseg.ui.tabs.ablation.handlers import build

__all__ = ["ORDER", "TITLE", "build"]

TITLE, ORDER = "Ablation", 4
