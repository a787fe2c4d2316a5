"""The tab "Label": classes by example images, every instance of them in many images, review, export."""

from __future__ import annotations

from ipseg.ui.tabs.label.handlers import build

__all__ = ["ORDER", "TITLE", "build"]

TITLE, ORDER = "Label", 6
