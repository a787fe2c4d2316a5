"""The tab "Failure cases": prompts that break the rule "one single, complete object", and hard images."""

from __future__ import annotations

from ipseg.ui.tabs.failure_cases.handlers import build

__all__ = ["ORDER", "TITLE", "build"]

TITLE, ORDER = "Failure cases", 3
