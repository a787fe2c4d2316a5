"""One prompt in many images: predictions are cached, a stop ends the run, and bad files do not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ipseg.batch import image_set, inputs, predictions
from ipseg.core.types import SettingError

pytestmark = pytest.mark.usefixtures("small_offline")


@pytest.fixture
def folder(tmp_path, save, make_scene):
    """Three scenes and one file of words."""
    for number in range(3):
        save(tmp_path / "in" / f"{number}.png", make_scene(48, 64, (200, 30, 40), seed=number)[0])
    (tmp_path / "in" / "bad.png").write_text("words")
    return tmp_path / "in"


def test_a_bad_file_is_reported_and_the_rest_go_on(make_predictor, folder, make_scene):
    outcomes = list(image_set.run(make_predictor(), inputs.gather([folder])))
    assert [(outcome.number, outcome.total) for outcome in outcomes] == [(number, 4) for number in (1, 2, 3, 4)]
    errors = [outcome.error for outcome in outcomes if outcome.error]
    assert errors == ["bad.png is not an image that can be read; give a JPEG, PNG or WebP file."]
    for number, outcome in enumerate(outcomes[:3]):
        truth = make_scene(48, 64, (200, 30, 40), seed=number)[1]
        mask = outcome.prediction.guess
        assert (mask & truth).sum() / (mask | truth).sum() > 0.8
        assert image_set.overlay(outcome.image, outcome.prediction).shape == (48, 64, 3)


def test_the_predictions_are_the_engines_own(make_predictor, folder, offline):
    predictor = make_predictor(k=16, clusters=2)
    (first, *_) = image_set.run(predictor, inputs.gather([folder]))
    direct = offline.segment(predictor.session.prompt, folder / "0.png", k=16, clusters=2)
    np.testing.assert_array_equal(first.prediction.guess, direct.mask)
    assert (first.prediction.status, first.prediction.score) == (direct.status, direct.score)


def test_what_is_cached_is_not_computed_again(make_predictor, folder):
    items = inputs.gather([folder])
    first, second = make_predictor(), make_predictor()
    before = [outcome.prediction for outcome in image_set.run(first, items)]
    assert [outcome.prediction for outcome in image_set.run(second, items)] == before
    assert (first.computed, second.computed) == (3, 0)


def test_another_prompt_or_setting_is_computed_anew(make_predictor, folder, offline, make_scene):
    items = inputs.gather([folder])
    list(image_set.run(make_predictor(), items))
    others = [make_predictor(k=16), make_predictor(threshold=0.9), make_predictor(reject_threshold=0.1)]
    others.append(
        predictions.Predictor(offline, [make_scene(60, 80, seed=9)[0]], folder=make_predictor().folder.parent)
    )
    assert len({predictor.folder for predictor in [make_predictor(), *others]}) == 5
    for predictor in others:
        list(image_set.run(predictor, items))
        assert predictor.computed == 3


def test_a_damaged_cache_entry_is_computed_again(make_predictor, folder):
    items = inputs.gather([folder])
    list(image_set.run(make_predictor(), items))
    one, two, _ = sorted(make_predictor().folder.iterdir())
    one.write_text(one.read_text()[:40])
    two.write_text(
        '{"size": [2, 2], "counts": [3], "status": "detected", "score": 1, "threshold": 0, "reject_threshold": 0}'
    )
    again = make_predictor()
    assert sum(outcome.prediction is not None for outcome in image_set.run(again, items)) == 3
    assert again.computed == 2


def test_a_stop_between_images_and_a_run_that_goes_on(make_predictor, folder):
    items, stop = inputs.gather([folder]), []
    predictor = make_predictor(stop=lambda: bool(stop))
    for outcome in image_set.run(predictor, items):
        if outcome.number == 2:
            stop.append(True)
    assert 2 <= predictor.computed <= 3  # the one that was worked on meanwhile is finished, or was not begun
    again = make_predictor()
    assert len(list(image_set.run(again, items))) == 4
    assert predictor.computed + again.computed == 3
    assert [outcome.earlier for outcome in image_set.run(make_predictor(), items)] == [True] * 3 + [False]


def test_a_stop_in_the_middle_of_an_image(make_predictor, folder):
    calls = itertools.count()
    predictor = make_predictor(stop=lambda: next(calls) >= 3)
    assert list(image_set.run(predictor, inputs.gather([folder]))) == []
    assert not predictor.folder.exists() or not list(predictor.folder.iterdir())


def test_a_setting_that_is_wrong_ends_the_run(make_predictor, folder):
    with pytest.raises(SettingError, match="K is 999"):
        list(image_set.run(make_predictor(k=999), inputs.gather([folder])))


def test_where_the_object_is_not_found_the_mask_is_empty(make_predictor, scene):
    prediction = make_predictor(threshold=1.0, reject_threshold=1.0).predict(scene[0])
    assert prediction.status == "not_detected"
    assert not prediction.mask.any()
    assert prediction.guess.shape == prediction.mask.shape == (48, 64)


def test_equal_images_at_once_are_computed_once(make_predictor, save, make_scene, tmp_path):
    image = make_scene(48, 64, (200, 30, 40))[0]
    for name in "abcd":
        save(tmp_path / "equal" / f"{name}.png", image)
    for folder in (None, tmp_path / "cache"):
        predictor = make_predictor()
        predictor = predictions.Predictor(predictor.session.engine, [image], folder=folder)
        outcomes = list(image_set.run(predictor, inputs.gather([tmp_path / "equal"]), workers=4))
        assert len({outcome.prediction.score for outcome in outcomes}) == 1
        assert predictor.computed == 1 or folder is None  # without a cache a later one is computed anew


def test_one_worker_and_several_give_the_same(offline, folder, make_scene):
    items, prompt = inputs.gather([folder]), make_scene(60, 80)[0]
    alone, together = (
        list(image_set.run(predictions.Predictor(offline, [prompt]), items, workers=number)) for number in (1, 3)
    )
    assert [outcome.prediction for outcome in together] == [outcome.prediction for outcome in alone]
    assert [outcome.item.name for outcome in together] == [item.name for item in items]
    assert all(set(outcome.seconds) == {"open", "segment"} for outcome in together if outcome.prediction)
