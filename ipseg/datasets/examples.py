"""The rendered examples of this project, ``examples_media`` of its repository: every ordered pair of an object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ipseg.datasets import _folders, folder
from ipseg.datasets._episodes import Dataset

TITLE = "Rendered examples"
SOURCE = "the folder examples_media of this project's repository"
LICENCE = "MIT, as this project"
PROTOCOL = folder.PROTOCOL


@dataclass(frozen=True)
class Settings:
    """Where they are."""

    data: Path  # the folder


def build(settings: Settings) -> Dataset:
    """One episode for each ordered pair."""
    root = _folders.root(settings.data, "examples_media")
    _folders.need(root, ["Images", "Annotations"], SOURCE)
    return replace(folder.build(folder.Settings(root)), name="examples", settings={})
