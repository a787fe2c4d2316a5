"""A lack of memory or room in the middle of a run."""

from __future__ import annotations

import errno
from functools import partial
from pathlib import Path

import pytest

from ipseg.batch import looks, pictures
from ipseg.batch.inputs import Item
from ipseg.batch.looks import Question
from ipseg.core import resources


def test_an_image_without_memory_gets_its_message_and_the_rest_go_on(engine, scene, save, tmp_path, monkeypatch):
    items = [Item(name, partial(Path, save(tmp_path / name, scene[0]))) for name in ("a.png", "b.png")]
    question, segment = Question(engine, [scene[0]]), engine.segment
    monkeypatch.setattr(engine, "segment", lambda prompt, image, *, progress, **numbers: segment(prompt, image))
    look, calls = question.look, []

    def short_once(picture):
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return look(picture)

    monkeypatch.setattr(question, "look", short_once)
    first, second = pictures.run(question, items)
    assert first.error == resources.NO_MEMORY
    assert second.look is not None


def test_without_room_nothing_is_saved_and_the_answer_stays(tmp_path, monkeypatch):
    look = looks.Look((2, 2), [4], found=False, score=0.0, threshold=0.0)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    looks._write(tmp_path / "answers" / "a.json", look)
    assert not list((tmp_path / "answers").iterdir())


def test_the_prompt_is_encoded_under_the_clock(engine, scene, monkeypatch):
    class LateError(Exception):
        pass

    def prompt(pictures, masks, *, progress):
        progress(0.0, "prompt")
        pytest.fail("encoded")

    def late(*_):
        raise LateError

    monkeypatch.setattr(engine, "prompt", prompt)
    with pytest.raises(LateError):
        Question(engine, [scene[0]], progress=late)
