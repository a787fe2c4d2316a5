"""Predictions are saved, read again, and never mixed."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pytest

from ipseg.core import store
from ipseg.core.masks import iou
from ipseg.core.types import SettingError
from ipseg.datasets import folder
from ipseg.evaluation import predict
from ipseg.method.config import EngineInfo, IPSegConfig
from ipseg.method.scorers.cosine import Cosine, Settings


@pytest.fixture
def episodes(perseg_folder):
    return list(folder.pairs(folder.samples(perseg_folder)))[:4]


def test_each_episode_gets_a_record_and_a_mask(engine, episodes, tmp_path):
    seen = []
    answers = list(predict.predict(engine, episodes, tmp_path / "run", lambda *done: seen.append(done)))
    assert [episode for episode, _ in answers] == episodes
    assert seen == [(0, 4), (1, 4), (2, 4), (3, 4)]
    for episode, record in answers:
        assert set(record) == {"status", "score", "seconds", "mask", "content"}
        assert record["status"] == "detected"
        truth = predict.read_mask(episode.query.truth.parent, {"mask": episode.query.truth.name})
        mask = predict.read_mask(tmp_path / "run", record)
        assert mask.dtype == bool
        assert iou(mask, truth) == 1


def test_the_second_run_asks_nothing(engine, episodes, tmp_path):
    first = list(predict.predict(engine, episodes, tmp_path / "run"))
    assert engine.calls == 4
    second = list(predict.predict(engine, episodes, tmp_path / "run"))
    assert engine.calls == 4
    assert first == second


@pytest.mark.parametrize("left", ["a part", "a mask without its record"])
def test_what_was_half_written_is_done_again(left, engine, episodes, tmp_path):
    list(predict.predict(engine, episodes, tmp_path / "run"))
    record = sorted((tmp_path / "run").glob("*.json"))[2]
    text = record.read_text()
    record.unlink()
    if left == "a part":
        record.with_suffix(".part").write_text(text[:20])
    else:
        record.with_suffix(".png").write_bytes(b"half")
    answers = list(predict.predict(engine, episodes, tmp_path / "run"))
    assert engine.calls == 5
    assert record.read_text() == text
    assert all(predict.read_mask(tmp_path / "run", found).any() for _, found in answers)


def test_a_run_that_is_stopped_goes_on(engine, episodes, tmp_path):
    running = predict.predict(engine, episodes, tmp_path / "run")
    for _ in range(2):
        next(running)
    running.close()
    assert len(list(predict.predict(engine, episodes, tmp_path / "run"))) == 4
    assert engine.calls == 4


def test_the_folder_is_named_after_all_that_decides(engine, perseg_folder, tmp_path, monkeypatch):
    def name() -> str:
        return predict.folder(tmp_path, engine, perseg_folder).name

    names = [name()]
    assert name() == names[0]
    assert names[0].startswith("data-colour-")
    for change in ({"k": 33}, {"seed": 1}, {"consensus": True}, {"threshold": 0.25}, {"reject_threshold": 0.125}):
        engine.config = dataclasses.replace(IPSegConfig(threshold=0.5, reject_threshold=0.25), **change)
        names.append(name())
    engine.config, engine.scorer = IPSegConfig(threshold=0.5, reject_threshold=0.25), Cosine(Settings({"a": 1.0}))
    names.append(name())
    engine.scorer, engine.info = Cosine(), EngineInfo("colour2")
    names.append(name())
    engine.info = EngineInfo("colour")
    assert name() == names[0]
    monkeypatch.setattr(store, "code_version", lambda: "other code")
    names.append(name())
    assert len(set(names)) == len(names)


def test_only_the_pairs_of_a_changed_image_are_predicted_again(engine, episodes, tmp_path, save, make_scene):
    """Pixels count, and names and dates of files do not."""
    list(predict.predict(engine, episodes, tmp_path / "run"))
    changed = episodes[0].query.image
    os.utime(changed, ns=(1, 1))
    list(predict.predict(engine, episodes, tmp_path / "run"))
    assert engine.calls == 4
    save(changed, make_scene(40, 56, (200, 30, 40), seed=7)[0])
    again = list(predict.predict(engine, episodes, tmp_path / "run"))
    assert engine.calls == 4 + sum(changed in (each.prompt.image, each.query.image) for each in episodes)
    assert predict.read_mask(tmp_path / "run", again[0][1]).shape == (40, 56)


def test_a_mask_that_is_gone_is_predicted_again(engine, episodes, tmp_path):
    list(predict.predict(engine, episodes, tmp_path / "run"))
    next((tmp_path / "run").glob("*.png")).unlink()
    answers = list(predict.predict(engine, episodes, tmp_path / "run"))
    assert engine.calls == 5
    assert all((tmp_path / "run" / record["mask"]).is_file() for _, record in answers)


def test_a_folder_that_cannot_be_written_is_one_message_before_the_first_prediction(engine, episodes, tmp_path):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(SettingError, match=r"^The folder .* cannot be made or written .*; choose another --runs\.$"):
        list(predict.predict(engine, episodes, tmp_path / "run"))
    assert engine.calls == 0


def test_names_that_look_alike_do_not_share_a_record(engine, tmp_path, save, make_scene):
    image, mask = make_scene()
    for path in ("a_b/c", "a_b/d", "a/b_c", "a/b_d"):
        save(tmp_path / "data/Images" / f"{path}.png", image)
        save(tmp_path / "data/Annotations" / f"{path}.png", mask.astype(np.uint8) * 255)
    asked = list(folder.pairs(folder.samples(tmp_path / "data")))
    answers = list(predict.predict(engine, asked, tmp_path / "run"))
    assert len({record["mask"] for _, record in answers}) == len(asked) == engine.calls
    assert len(list((tmp_path / "run").glob("*.json"))) == len(asked)


def test_records_are_plain_json(engine, episodes, tmp_path):
    list(predict.predict(engine, episodes[:1], tmp_path / "run"))
    (path,) = (tmp_path / "run").glob("*.json")
    assert json.loads(path.read_text())["mask"] == path.with_suffix(".png").name
