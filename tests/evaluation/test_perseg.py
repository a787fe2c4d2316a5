"""The protocol of ``ipseg evaluate``, with an engine whose answers are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from ipseg.__main__ import main
from ipseg.cli import evaluate as command
from ipseg.core.status import Status
from ipseg.core.types import InputError
from ipseg.evaluation import perseg
from ipseg.evaluation.perseg import Evaluation, Presence, Row, States


def test_a_perfect_engine(engine, perseg_folder, tmp_path):
    found = perseg.evaluate(engine, perseg_folder, tmp_path / "runs")
    rows, presence = found.rows, found.presence
    assert found.notices == ()
    assert [(row.object, row.pairs) for row in rows] == [("apple", 6), ("leaf", 6), ("sky", 6), ("mean of pairs", 18)]
    for row in rows:
        assert (row.miou, row.worst, row.states.detected) == (1, 1, 1)
        assert row.saliency > 0.95
    assert presence == Presence(0.5, 0.25, present=States(18, 1, 0, 0), absent=States(54, 0, 0, 1), auc=1)
    assert engine.calls == 18 + 54
    perseg.evaluate(engine, perseg_folder, tmp_path / "runs")
    assert engine.calls == 18 + 54


def test_an_engine_that_is_wrong_about_one_object(engine, perseg_folder, tmp_path, save, make_scene):
    _, mask = make_scene(40, 57, (200, 30, 40), seed=1)
    shifted = np.roll(mask, 1, axis=1)
    save(perseg_folder / "Annotations/apple/01.png", shifted.astype(np.uint8) * 255)
    known = (mask & shifted).sum() / (mask | shifted).sum()
    rows = perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0).rows
    apple, mean = rows[0], rows[-1]
    assert apple.worst == mean.worst == pytest.approx(known)
    assert apple.miou == pytest.approx((4 + 2 * known) / 6)
    assert mean.miou == pytest.approx((16 + 2 * known) / 18)


def test_presence_counts_refusals(engine, perseg_folder, tmp_path):
    engine.config = type(engine.config)(threshold=0.0, reject_threshold=0.0)
    engine.segment, real = None, engine.segment

    def always(prompt, image):
        result = real(prompt, image)
        return type(result)(**{**vars(result), "status": Status.DETECTED})

    engine.segment = always
    presence = perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=10).presence
    assert presence == Presence(0.0, 0.0, present=States(18, 1, 0, 0), absent=States(10, 1, 0, 0), auc=1)


def test_each_state_is_counted_and_only_a_refused_pair_loses_its_mask(engine, perseg_folder, tmp_path):
    segment, statuses = engine.segment, []

    def in_turn(prompt, image):
        result = segment(prompt, image)
        if len(statuses) < 18:  # the pairs of one object come first: apple, leaf, sky
            result = dataclasses.replace(result, status=list(Status)[len(statuses) // 6])
        statuses.append(result.status)
        return result

    engine.segment = in_turn
    found = perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=2)
    assert [row.states for row in found.rows[:3]] == [States(6, 1, 0, 0), States(6, 0, 1, 0), States(6, 0, 0, 1)]
    assert [row.written for row in found.rows[:3]] == [1, 1, 0]
    assert [row.miou for row in found.rows] == [1, 1, 1, 1]  # of the best guess
    assert found.rows[-1].written == pytest.approx(12 / 18)
    assert found.presence.present == found.rows[-1].states
    assert found.rows[-1].states == States(18, 6 / 18, 6 / 18, 6 / 18)
    assert found.presence.absent == States(2, 0, 0, 1)


def test_no_absent_pairs_no_presence(engine, perseg_folder, tmp_path):
    assert perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0).presence is None
    assert engine.calls == 18


def test_absent_pairs_are_spread_over_the_set():
    assert perseg._spread(list(range(54)), 9) == list(range(0, 54, 6))
    assert perseg._spread(list(range(5)), 9) == list(range(5))
    assert len(set(perseg._spread(list(range(997)), 200))) == 200


def test_the_table_in_words():
    states = States(6, 0.5, 0.3333, 0.1667)
    rows = [Row(name, 6, 0.91234, 0.81, 0.5, 0.25, states) for name in ("cat", "mean of pairs")]
    text = perseg.table(Evaluation(rows, Presence(0.4, 0.3, states, States(54, 0.04, 0.06, 0.9), 0.876)))
    assert text.splitlines() == [
        "| object | pairs | IPSeg mIoU | CLI mIoU | saliency alone | worst pair | detected | uncertain |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        "| cat | 6 | 0.912 | 0.810 | 0.500 | 0.250 | 50% | 33% |",
        "| mean of pairs | 6 | 0.912 | 0.810 | 0.500 | 0.250 | 50% | 33% |",
        "",
        "Presence, threshold 0.40, reject threshold 0.30 (area under the curve 0.88):",
        "",
        "| pairs | number | detected | uncertain | not detected |",
        "|---|---:|---:|---:|---:|",
        "| of one object | 6 | 50% | 33% | 17% |",
        "| of different objects | 54 | 4% | 6% | 90% |",
    ]
    assert "Presence" not in perseg.table(Evaluation(rows, None))


def test_flat_saliency_is_an_empty_mask(engine, perseg_folder, tmp_path):
    engine.encodings.detector = lambda image, features: np.full(image.shape[:2], 0.5, np.float32)
    rows = perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0).rows
    assert rows[-1].saliency == 0


def test_one_image_of_each_object_is_not_enough(engine, perseg_folder, tmp_path):
    for path in perseg_folder.glob("Images/*/0[12].png"):
        path.unlink()
    with pytest.raises(InputError, match="two images"):
        perseg.evaluate(engine, perseg_folder, tmp_path / "runs")
    assert engine.calls == 0


def test_an_annotation_of_another_size(engine, perseg_folder, tmp_path, save):
    save(perseg_folder / "Annotations/apple/01.png", np.full((20, 20), 255, np.uint8))
    with pytest.raises(InputError, match=r"01\.png"):
        perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0)


def test_truths_of_every_kind_give_the_same_table(engine, perseg_folder, tmp_path, save):
    """0/1, white on transparent, a palette with its border, one bit: what a perfect engine answers is perfect."""
    for path in perseg_folder.glob("Annotations/*/*.png"):
        mask = np.asarray(Image.open(path)) > 0
        if path.parent.name == "apple":
            save(path, mask.astype(np.uint8))
        elif path.parent.name == "leaf":
            save(path, np.dstack([mask * 255] * 4).astype(np.uint8))
        else:
            values = np.where(ndimage.binary_dilation(mask, iterations=2), 255, 0)
            values[ndimage.binary_erosion(mask)] = 8
            image = Image.fromarray(values.astype(np.uint8)).convert("P")
            image.putpalette([0, 0, 0] * 8 + [64, 0, 0] + [0, 0, 0] * 246 + [224, 224, 192])
            image.save(path)
    for row in perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0).rows:
        assert (row.miou, row.worst) == (1, 1)


def test_several_objects_in_a_truth(engine, perseg_folder, tmp_path, save, one_message):
    for path in perseg_folder.glob("Annotations/apple/*.png"):
        values = (np.asarray(Image.open(path)) > 0).astype(np.uint8) * 5
        values[:4, :6] = 9
        save(path, values)
    with pytest.raises(InputError, match="values 5 and 9") as caught:
        perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0)
    one_message(caught.value, names="00.png of apple")
    assert engine.calls == 0  # said before the first prediction


def test_mask_value_chooses_among_the_objects_of_all_truths(engine, perseg_folder, tmp_path, save):
    for path in perseg_folder.glob("Annotations/*/*.png"):
        values = (np.asarray(Image.open(path)) > 0).astype(np.uint8) * 5
        values[:4, :6] = 9
        save(path, values)
    rows = perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0, mask_value=5).rows
    assert rows[-1].miou == 1


def test_an_empty_truth_counts_as_absent(engine, perseg_folder, tmp_path, save, make_scene):
    save(perseg_folder / "Annotations/apple/01.png", np.zeros((40, 57), np.uint8))
    save(perseg_folder / "Images/apple/01.png", make_scene(40, 57, (40, 170, 60))[0])
    found = perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0)
    assert [(row.object, row.pairs, row.miou) for row in found.rows] == [
        ("apple", 2, 1),
        ("leaf", 6, 1),
        ("sky", 6, 1),
        ("mean of pairs", 14, 1),
    ]
    assert found.presence == Presence(0.5, 0.25, States(14, 1, 0, 0), States(2, 0, 0, 1), 1, empty_truths=2)
    assert engine.calls == 14 + 2  # apple/01 is never a prompt
    (notice,) = found.notices
    assert notice.startswith("Empty truth: apple/01;")
    text = perseg.table(found)
    assert "| without the object (2 of them by an empty truth) | 2 | 0% | 0% | 100% |" in text
    assert notice in text


def test_a_truth_on_the_stored_pixels_of_a_rotated_image(engine, perseg_folder, tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    for folder in ("Images", "Annotations"):
        path = perseg_folder / folder / "apple/01.png"
        stored = Image.open(path).transpose(Image.Transpose.ROTATE_90)
        stored.save(path, **({"exif": exif} if folder == "Images" else {}))
    assert perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0).rows[0].miou == 1


def test_the_command_chooses_and_says(engine, perseg_folder, tmp_path, monkeypatch, capsys, save):
    monkeypatch.setattr(command._engine, "load", lambda *_, **__: engine)
    for path in perseg_folder.glob("Annotations/*/*.png"):
        values = (np.asarray(Image.open(path)) > 0).astype(np.uint8) * 5
        values[:4, :6] = 9
        save(path, values)
    given = ["evaluate", str(perseg_folder), "--runs", str(tmp_path / "runs"), "--absent", "0"]
    assert main(given) == 2
    assert "choose one with --mask-value" in capsys.readouterr().err
    save(perseg_folder / "Annotations/leaf/02.png", np.zeros((40, 58), np.uint8))
    assert main([*given, "--mask-value", "5"]) == 0
    printed = capsys.readouterr().out
    assert "| mean of pairs | 14 | 1.000 |" in printed
    assert "Empty truth: leaf/02" in printed


def test_the_command(engine, perseg_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command._engine, "load", lambda *_, **__: engine)
    runs = str(tmp_path / "runs")
    assert main(["evaluate", str(perseg_folder), "--runs", runs, "--absent", "6"]) == 0
    printed = capsys.readouterr()
    assert "| mean of pairs | 18 | 1.000 |" in printed.out
    assert "| of different objects | 6 | 0% | 0% | 100% |" in printed.out
    assert printed.err == ""
    assert main(["evaluate", str(tmp_path), "--runs", runs]) == 2
    assert "PerSeg's layout" in capsys.readouterr().err
    assert main(["evaluate", str(perseg_folder), "--absent", "-1"]) == 2
    assert "--absent is -1" in capsys.readouterr().err
