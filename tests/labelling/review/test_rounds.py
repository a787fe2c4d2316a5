"""Rounds of corrections: the lowest scores first, held-out images are never corrected, mIoU is that of the masks."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.__main__ import main
from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core.types import InputError
from ipseg.labelling import run as labelling
from ipseg.labelling.review import rounds


def half_right(labeller, one) -> LabelledImage:
    """The true mask where its class has two examples or more, else the left half of it."""
    ((label, mask),) = one.truth().items()
    known = next(len(each.examples) for each in labeller.examples if each.name == label)
    found = mask.copy()
    columns = np.flatnonzero(mask.any(0))
    if known < 2:
        found[:, columns[len(columns) // 2] :] = False
    score = 0.9 if label == "sky" else 0.5
    return LabelledImage(one.name, mask.shape, (LabelledInstance(label, found, score),))


def test_corrections_and_examples_raise_the_miou(perseg_folder, engine):
    classes, images = rounds.of_data(perseg_folder)
    assert {name: len(shown) for name, shown in classes.items()} == {"apple": 1, "leaf": 1, "sky": 1}
    assert len(images) == 6
    made = list(rounds.measure(engine, classes, images, rounds=3, per_round=1, seed=0, label=half_right))
    assert [one.corrected for one in made] == [0, 1, 2, 3]
    assert [one.examples for one in made] == [3, 4, 5, 6]
    assert made[0].labels == pytest.approx(0.5, abs=0.05)
    assert [one.labels for one in made] == sorted(one.labels for one in made)
    assert made[-1].labels == 1
    assert made[-1].held_out > made[0].held_out


def test_the_lowest_scores_are_corrected_first(perseg_folder, engine):
    classes, images = rounds.of_data(perseg_folder)
    asked = []

    def label(labeller, one):
        asked.append({each.name: len(each.examples) for each in labeller.examples})
        return half_right(labeller, one)

    list(rounds.measure(engine, classes, images, rounds=1, per_round=1, seed=1, label=label))
    assert asked[0]["sky"] == asked[-1]["sky"] == 1, "the class with the high scores waits"
    assert sum(asked[-1].values()) == 4


def test_the_halves_are_drawn_by_the_seed_and_share_nothing(perseg_folder):
    _, images = rounds.of_data(perseg_folder)
    halves = [tuple(one.name for one in half) for half in rounds.split(images, 0)]
    assert halves == [tuple(one.name for one in half) for half in rounds.split(images, 0)]
    assert not set(halves[0]) & set(halves[1])
    assert len(halves[0]) + len(halves[1]) == len(images)
    assert len({rounds.split(images, seed)[0][0].name for seed in range(8)}) > 1


def test_the_truth_takes_the_pixels_of_other_classes():
    mask = np.zeros((4, 6), bool)
    mask[:, :3] = True
    image = LabelledImage(
        "a", (4, 6), (LabelledInstance("cup", mask, 0.4), LabelledInstance("mug", np.roll(mask, 1, 1) & ~mask, 0.3))
    )
    made = rounds.by_truth(image, {"mug": np.roll(mask, 2, 1)})
    assert [(one.label, one.score, one.area) for one in made.instances] == [("mug", 1.0, 12), ("cup", 0.4, 8)]
    assert not (made.instances[0].mask & made.instances[1].mask).any()
    nothing = rounds.by_truth(image, {"cup": np.zeros((4, 6), bool)})
    assert [one.label for one in nothing.instances] == ["mug"]


def test_miou_is_the_mean_over_the_classes():
    found, mask = rounds.IoU(), np.ones((2, 2), bool)
    assert found.mean is None
    found.add(LabelledImage("a", (2, 2), (LabelledInstance("mug", mask, 1.0),)), {"mug": mask, "cup": mask})
    assert found.mean == 0.5
    found.add(LabelledImage("b", (2, 2)), {"mug": np.zeros((2, 2), bool)})
    assert found.mean == 0.5, "an absent class that is not found changes nothing"


def test_the_command_prints_a_row_for_each_round(perseg_folder, capsys, monkeypatch, one_message):
    monkeypatch.setattr(labelling, "label_image", lambda *given, **more: ())
    assert main(["rounds", str(perseg_folder), "--preset", "offline", "--rounds", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2:] == ["| 0 | 0 | 3 | 0.0 | 0.0 |", "| 1 | 3 | 6 | 100.0 | 0.0 |"]
    assert main(["rounds", str(perseg_folder), "--rounds", "0"]) == 2
    assert main(["rounds", str(perseg_folder), "--examples", "3"]) == 2
    for line in capsys.readouterr().err.strip().splitlines():
        one_message(line.removeprefix("ipseg: "))


def test_a_class_needs_more_images_than_examples(perseg_folder):
    with pytest.raises(InputError, match='"apple" has 3 images; give more than 3'):
        rounds.of_data(perseg_folder, 3)
