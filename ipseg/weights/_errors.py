"""The error of weights: one message, with the command that resolves it."""

from __future__ import annotations

from ipseg.core.types import InputError


class WeightError(InputError):
    """Weights are missing, damaged, not the right ones, or cannot be downloaded."""


class UnreachableError(WeightError):
    """The place that publishes weights cannot be reached."""


def command(name: str) -> str:
    """The command that downloads ``name``, or downloads it again where it is damaged."""
    return f"`python -m ipseg weights fetch {name}`"


def readable_size(size: float) -> str:
    """Bytes in decimal units: 346 MB, 2.6 GB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
