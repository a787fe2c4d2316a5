"""Value objects say what they expected and what they got, and do not change."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from ipseg.core import types
from ipseg.core.types import Candidates, FeatureMap, Frame, InputError, Points, Prototype, Similarity, View

FRAME = Frame((20, 30), (2, 3), (0, 0, 30, 20))
GRID = np.zeros((2, 3), np.float32)
INSIDE = np.ones((2, 3), bool)
NONE = np.zeros((0, 2), np.float32)

GOOD = {
    "Frame": FRAME,
    "FeatureMap": FeatureMap("colour", np.zeros((2, 3, 5)), FRAME),
    "Prototype": Prototype({"colour": np.zeros(5)}),
    "View": View(np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.float32), False, INSIDE, FRAME),
    "Similarity": Similarity(GRID, INSIDE, FRAME),
    "Points": Points(NONE, NONE),
    "Candidates": Candidates(np.zeros((2, 4, 5), bool), np.zeros(2, np.float32), np.zeros((2, 1, 1), np.float32)),
    "Proposal": types.Proposal(GRID, (GRID, GRID)),
    "PromptFeatures": types.PromptFeatures((FeatureMap("colour", np.zeros((2, 3, 5)), FRAME),), lambda frame: INSIDE),
    "InputFeatures": types.InputFeatures((FeatureMap("colour", np.zeros((2, 3, 5)), FRAME),), lambda: GRID),
}

BAD = [
    ("Frame", {"image_size": (0, 30)}, r"at least 1x1 pixels, got \(0, 30\)"),
    ("Frame", {"grid": (2, 0)}, r"at least 1x1 cells, got \(2, 0\)"),
    ("Frame", {"box": (30, 0, 0, 20)}, r"left < right, top < bottom\), got \(30, 0, 0, 20\)"),
    ("Frame", {"box": (0, 20, 30, 20)}, r"top < bottom\), got"),
    ("FeatureMap", {"values": np.zeros((2, 3))}, r"\(rows, columns, C\), got \(2, 3\)"),
    ("FeatureMap", {"values": np.zeros((3, 2, 5))}, r"grid of \(2, 3\), got \(3, 2\)"),
    ("View", {"saliency": np.zeros((30, 20), np.float32)}, r"shape \(20, 30\), got \(30, 20\)"),
    ("View", {"cells": INSIDE.T}, r"expected \(2, 3\) cells, got \(3, 2\)"),
    ("PromptFeatures", {"features": ()}, "at least one feature layer, got none"),
    ("InputFeatures", {"features": ()}, "at least one feature layer, got none"),
    ("Similarity", {"values": GRID.T}, r"expected \(2, 3\) cells, got \(3, 2\)"),
    ("Similarity", {"inside": INSIDE[:1]}, r"expected \(2, 3\) cells, got \(1, 3\)"),
    ("Points", {"positive": np.zeros((2, 3))}, r"positive points of shape \(n, 2\), got \(2, 3\)"),
    ("Points", {"negative": np.zeros(2)}, r"negative points of shape \(n, 2\), got \(2,\)"),
    ("Candidates", {"masks": np.zeros((4, 5), bool)}, r"shape \(n, H, W\), got \(4, 5\)"),
    ("Candidates", {"masks": np.zeros((0, 4, 5), bool)}, r"shape \(n, H, W\), got \(0, 4, 5\)"),
    ("Candidates", {"scores": np.zeros(3)}, r"expected 2 scores, got \(3,\)"),
    ("Proposal", {"logits": np.zeros(3)}, r"shape \(h, w\), got \(3,\)"),
    ("Proposal", {"parts": (GRID,)}, "no part or several, got 1"),
    ("Proposal", {"parts": (GRID, GRID.T)}, r"parts of shape \(2, 3\), got \[\(3, 2\)\]"),
    ("Candidates", {"logits": np.zeros((1, 1, 1))}, r"expected 2 logit maps, got \(1, 1, 1\)"),
]


@pytest.mark.parametrize(("name", "change", "message"), BAD, ids=[f"{name}-{next(iter(c))}" for name, c, _ in BAD])
def test_errors_say_expected_and_actual(name, change, message):
    with pytest.raises(ValueError, match=message):
        replace(GOOD[name], **change)


@pytest.mark.parametrize("name", GOOD)
def test_frozen(name):
    value = GOOD[name]
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(value)[0].name, None)


def test_every_value_object_is_held_here():
    made = {name for name, kind in vars(types).items() if hasattr(kind, "__dataclass_fields__")}
    assert made == set(GOOD)


def test_cells_are_width_first():
    assert FRAME.cell == (10, 10)
    assert Frame((20, 30), (4, 3), (0, 0, 30, 20)).cell == (10, 5)


def test_every_error_from_outside_is_an_input_error():
    for error in (types.ImageError, types.MaskError, types.SettingError):
        assert issubclass(error, InputError)
        assert issubclass(error, ValueError)
