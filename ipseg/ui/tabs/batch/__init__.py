"""The tab "Batch and video": one prompt, many images or a clip."""

from __future__ import annotations

from ipseg.ui.tabs.batch.handlers import build

__all__ = ["ORDER", "TITLE", "build"]

TITLE, ORDER = "Batch and video", 5
