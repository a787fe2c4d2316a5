"""Examples of two classes by colour, and a stand-in for the matching."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ipseg.annotations.labels import LabelledInstance
from ipseg.labelling import run as runs

RED, BLUE = (200, 30, 40), (50, 90, 210)


def by_colour(engine, classes, image, *, progress=None, **parameters):
    """What the engine of colours finds of each class."""
    found = [(each.name, engine.segment(each.prompt, image, **parameters)) for each in classes]
    return tuple(LabelledInstance(name, one.mask, one.score, one.status) for name, one in found if one.status.has_mask)


@pytest.fixture(autouse=True)
def _matching(monkeypatch):
    monkeypatch.setattr(runs, "label_image", by_colour)


@pytest.fixture
def shown(tmp_path, save, make_scene) -> Path:
    """A folder of examples: "apple" is red, "sky" is blue."""
    for name, colour in (("apple", RED), ("sky", BLUE)):
        save(tmp_path / "examples" / name / "0.png", make_scene(40, 50, colour)[0])
    return tmp_path / "examples"


@pytest.fixture
def scene_of(make_scene):
    """An image with one object of a colour, and its mask."""

    def make(colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
        return make_scene(48, 64, colour)

    return make
