"""One question about many images: answers are kept, a stop is a stop, and bad files never end a run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ipseg.batch import inputs, looks, pictures
from ipseg.core.types import SettingError


@pytest.fixture
def folder(tmp_path, save, make_scene):
    """Three scenes and one file of words."""
    for number in range(3):
        save(tmp_path / "in" / f"{number}.png", make_scene(48, 64, (200, 30, 40), seed=number)[0])
    (tmp_path / "in" / "bad.png").write_text("words")
    return tmp_path / "in"


def test_a_bad_file_is_told_and_the_rest_go_on(ask, folder, make_scene):
    outcomes = list(pictures.run(ask(), inputs.gather([folder])))
    assert [(outcome.number, outcome.total) for outcome in outcomes] == [(number, 4) for number in (1, 2, 3, 4)]
    errors = [outcome.error for outcome in outcomes if outcome.error]
    assert errors == ["bad.png is not an image that can be read; give a JPEG, PNG or WebP file."]
    for number, outcome in enumerate(outcomes[:3]):
        truth = make_scene(48, 64, (200, 30, 40), seed=number)[1]
        mask = outcome.look.guess
        assert (mask & truth).sum() / (mask | truth).sum() > 0.8
        assert pictures.overlay(outcome.picture, outcome.look).shape == (48, 64, 3)


def test_the_answers_are_the_engines_own(ask, folder, offline):
    question = ask(k=16, clusters=2)
    (first, *_) = pictures.run(question, inputs.gather([folder]))
    direct = offline.segment(question.prompt, folder / "0.png", k=16, clusters=2)
    np.testing.assert_array_equal(first.look.guess, direct.mask)
    assert (first.look.found, first.look.score) == (direct.found, direct.score)


def test_what_was_answered_is_not_asked_again(ask, folder):
    items = inputs.gather([folder])
    first, second = ask(), ask()
    before = [outcome.look for outcome in pictures.run(first, items)]
    assert [outcome.look for outcome in pictures.run(second, items)] == before
    assert (first.asked, second.asked) == (3, 0)


def test_another_question_is_asked_anew(ask, folder, offline, make_scene):
    items = inputs.gather([folder])
    list(pictures.run(ask(), items))
    others = [ask(k=16), ask(threshold=0.9)]
    others.append(looks.Question(offline, [make_scene(60, 80, seed=9)[0]], folder=ask().folder.parent))
    assert len({question.folder for question in [ask(), *others]}) == 4
    for question in others:
        list(pictures.run(question, items))
        assert question.asked == 3


def test_half_an_answer_is_no_answer(ask, folder):
    items = inputs.gather([folder])
    list(pictures.run(ask(), items))
    one, two, _ = sorted(ask().folder.iterdir())
    one.write_text(one.read_text()[:40])
    two.write_text('{"size": [2, 2], "counts": [3], "found": true, "score": 1, "threshold": 0}')
    again = ask()
    assert sum(outcome.look is not None for outcome in pictures.run(again, items)) == 3
    assert again.asked == 2


def test_a_stop_between_pictures_and_a_run_that_goes_on(ask, folder):
    items, stop = inputs.gather([folder]), []
    question = ask(stop=lambda: bool(stop))
    for outcome in pictures.run(question, items):
        if outcome.number == 2:
            stop.append(True)
    assert question.asked == 2
    again = ask()
    assert len(list(pictures.run(again, items))) == 4
    assert again.asked == 1


def test_a_stop_in_the_middle_of_a_picture(ask, folder):
    calls = itertools.count()
    question = ask(stop=lambda: next(calls) >= 3)
    assert list(pictures.run(question, inputs.gather([folder]))) == []
    assert not question.folder.exists() or not list(question.folder.iterdir())


def test_a_setting_that_is_wrong_ends_the_run(ask, folder):
    with pytest.raises(SettingError, match="K is 999"):
        list(pictures.run(ask(k=999), inputs.gather([folder])))


def test_where_the_thing_is_not_found_the_mask_is_empty(ask, scene):
    look = ask(threshold=1.0).look(scene[0])
    assert not look.found
    assert not look.mask.any()
    assert look.guess.shape == look.mask.shape == (48, 64)
