"""The protocol of ``ipseg evaluate``, with an engine whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.__main__ import main
from ipseg.cli import evaluate as command
from ipseg.core.types import InputError
from ipseg.evaluation import perseg
from ipseg.evaluation.perseg import Presence, Row


def test_a_perfect_engine(engine, perseg_folder, tmp_path):
    rows, presence = perseg.evaluate(engine, perseg_folder, tmp_path / "runs")
    assert [(row.object, row.pairs) for row in rows] == [("apple", 6), ("leaf", 6), ("sky", 6), ("mean of pairs", 18)]
    for row in rows:
        assert (row.miou, row.worst, row.kept) == (1, 1, 1)
        assert row.saliency > 0.95
    assert presence == Presence(threshold=0.5, kept=1, refused=1, absent_pairs=54, auc=1)
    assert engine.calls == 18 + 54
    perseg.evaluate(engine, perseg_folder, tmp_path / "runs")
    assert engine.calls == 18 + 54


def test_an_engine_that_is_wrong_about_one_object(engine, perseg_folder, tmp_path, save, make_scene):
    _, mask = make_scene(40, 57, (200, 30, 40), seed=1)
    shifted = np.roll(mask, 1, axis=1)
    save(perseg_folder / "Annotations/apple/01.png", shifted.astype(np.uint8) * 255)
    known = (mask & shifted).sum() / (mask | shifted).sum()
    rows, _ = perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0)
    apple, mean = rows[0], rows[-1]
    assert apple.worst == mean.worst == pytest.approx(known)
    assert apple.miou == pytest.approx((4 + 2 * known) / 6)
    assert mean.miou == pytest.approx((16 + 2 * known) / 18)


def test_presence_counts_refusals(engine, perseg_folder, tmp_path):
    engine.config = type(engine.config)(threshold=0.0)
    engine.segment, real = None, engine.segment

    def always(prompt, image):
        result = real(prompt, image)
        return type(result)(**{**vars(result), "found": True})

    engine.segment = always
    _, presence = perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=10)
    assert (presence.kept, presence.refused, presence.absent_pairs, presence.auc) == (1, 0, 10, 1)


def test_no_absent_pairs_no_presence(engine, perseg_folder, tmp_path):
    assert perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0)[1] is None
    assert engine.calls == 18


def test_absent_pairs_are_spread_over_the_set():
    assert perseg._spread(list(range(54)), 9) == list(range(0, 54, 6))
    assert perseg._spread(list(range(5)), 9) == list(range(5))
    assert len(set(perseg._spread(list(range(997)), 200))) == 200


def test_the_table_in_words():
    rows = [Row("cat", 6, 0.91234, 0.5, 0.25, 0.5), Row("mean of pairs", 6, 0.91234, 0.5, 0.25, 0.5)]
    text = perseg.table(rows, Presence(0.4, 0.8333, 0.9, 54, 0.876))
    assert text.splitlines() == [
        "| object | pairs | IPSeg mIoU | saliency alone | worst pair | found |",
        "|---|---:|---:|---:|---:|---:|",
        "| cat | 6 | 0.912 | 0.500 | 0.250 | 50% |",
        "| mean of pairs | 6 | 0.912 | 0.500 | 0.250 | 50% |",
        "",
        "Presence, threshold 0.40: 83% of the pairs of one object are found, 90% of 54 pairs of different objects are "
        "refused (area under the curve 0.88).",
    ]
    assert "Presence" not in perseg.table(rows, None)


def test_flat_saliency_is_an_empty_mask(engine, perseg_folder, tmp_path):
    engine.encodings.detector = lambda picture, features: np.full(picture.shape[:2], 0.5, np.float32)
    rows, _ = perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0)
    assert rows[-1].saliency == 0


def test_one_picture_of_each_object_is_not_enough(engine, perseg_folder, tmp_path):
    for path in perseg_folder.glob("Images/*/0[12].png"):
        path.unlink()
    with pytest.raises(InputError, match="two images"):
        perseg.evaluate(engine, perseg_folder, tmp_path / "runs")
    assert engine.calls == 0


def test_an_annotation_of_another_size(engine, perseg_folder, tmp_path, save):
    save(perseg_folder / "Annotations/apple/01.png", np.full((20, 20), 255, np.uint8))
    with pytest.raises(InputError, match=r"01\.png"):
        perseg.evaluate(engine, perseg_folder, tmp_path / "runs", absent=0)


def test_the_command(engine, perseg_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command._engine, "make", lambda arguments: engine)
    runs = str(tmp_path / "runs")
    assert main(["evaluate", str(perseg_folder), "--runs", runs, "--absent", "6"]) == 0
    told = capsys.readouterr()
    assert "| mean of pairs | 18 | 1.000 |" in told.out
    assert "100% of 6 pairs of different objects are refused" in told.out
    assert told.err == ""
    assert main(["evaluate", str(tmp_path), "--runs", runs]) == 2
    assert "PerSeg's layout" in capsys.readouterr().err
    assert main(["evaluate", str(perseg_folder), "--absent", "-1"]) == 2
    assert "--absent is -1" in capsys.readouterr().err
