"""A lack of memory or room in the middle of a run."""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path

import pytest

from ipseg.batch import image_set
from ipseg.batch.inputs import Item
from ipseg.batch.predictions import Predictor
from ipseg.core import resources


def test_an_image_without_memory_gets_its_message_and_the_rest_go_on(engine, scene, save, tmp_path, monkeypatch):
    items = [Item(name, partial(Path, save(tmp_path / name, scene[0]))) for name in ("a.png", "b.png")]
    predictor, segment = Predictor(engine, [scene[0]]), engine.segment
    monkeypatch.setattr(engine, "segment", lambda prompt, image, *, progress, **settings: segment(prompt, image))
    predict, calls = predictor.predict, []

    def short_once(image):
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return predict(image)

    monkeypatch.setattr(predictor, "predict", short_once)
    first, second = image_set.run(predictor, items, workers=1)
    assert first.error == resources.NO_MEMORY
    assert second.prediction is not None


def test_without_room_nothing_is_saved_and_the_prediction_stays(engine, scene, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    predictor = Predictor(engine, [scene[0]], folder=tmp_path / "cache")
    monkeypatch.setattr(os, "replace", full)
    assert predictor.predict(scene[0]).guess.any()
    assert (predictor.computed, list(predictor.folder.glob("*.json"))) == (1, [])


def test_the_prompt_is_encoded_under_the_clock(engine, scene, monkeypatch):
    class LateError(Exception):
        pass

    def prompt(images, masks, *, mask_value, progress):
        progress(0.0, "prompt")
        pytest.fail("encoded")

    def late(*_):
        raise LateError

    monkeypatch.setattr(engine, "prompt", prompt)
    with pytest.raises(LateError):
        Predictor(engine, [scene[0]], progress=late)
