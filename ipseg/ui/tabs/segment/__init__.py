"""The tab "Segment": prompt images and images to search in; masks and the evidence for them out."""

from __future__ import annotations

from ipseg.ui.tabs.segment.handlers import build

__all__ = ["ORDER", "TITLE", "build"]

TITLE, ORDER = "Segment", 0
