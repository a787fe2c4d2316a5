"""Prompt images and negative prompts: how many, how many pixels, and the time limit before each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

import ipseg
from ipseg.core.types import ImageError, InputError
from ipseg.engine.spec import EngineSpec
from ipseg.method.config import Parameters
from ipseg.ui.server import prompts
from ipseg.ui.server.limits import Ended, Watch
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.tabs.batch import jobs
from ipseg.ui.tabs.compare import handlers
from ipseg.ui.tabs.segment.request import SegmentRequest

PARAMETERS = Parameters(32, 4, 0.0, 0.0)


@pytest.fixture
def paths(tmp_path: Path, scene, save) -> list[str]:
    return [str(save(tmp_path / f"{number}.png", scene[0])) for number in range(10)]


def request(prompts, negative=(), images=None, mask=None) -> SegmentRequest:
    return SegmentRequest(tuple(prompts), tuple(images or prompts[:1]), mask, tuple(negative), False, PARAMETERS)


def check(given: SegmentRequest) -> None:
    prompts.check(given.prompts, given.negative_prompt)


@pytest.mark.parametrize(("prompts", "negative"), [(9, 0), (8, 1), (1, 8)])
def test_at_most_eight_in_one_request(prompts, negative, paths, one_message, monkeypatch):
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("decoded"))
    given = [*paths, *paths]
    with pytest.raises(ImageError, match="at most 8") as caught:
        check(request(given[:prompts], given[prompts : prompts + negative]))
    one_message(caught.value)


def test_eight_are_taken(paths):
    check(request(paths[:8]))
    check(request(paths[:5], paths[5:8]))


def large(path: Path, width: int, height: int) -> str:
    Image.new("1", (width, height)).save(path)
    return str(path)


@pytest.mark.parametrize("split", [0, 1, 2])
def test_the_sum_of_pixels_is_bounded_before_any_is_decoded(split, tmp_path, monkeypatch, one_message):
    given = [large(tmp_path / f"{number}.png", 8000, 6000) for number in range(3)]
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("decoded"))
    check(request(given[:2]))
    with pytest.raises(ImageError, match="144 megapixels together") as caught:
        check(request(given[: 3 - split], given[3 - split :]))
    one_message(caught.value)


def test_a_batch_and_a_clip_have_the_same_bounds(paths, tmp_path, one_message):
    watch = Watch(60)
    for given in (paths[:9], [large(tmp_path / f"{number}.png", 8000, 6000) for number in range(3)]):
        with pytest.raises(ImageError, match=r"at most 8|megapixels together") as caught:
            jobs._opened(jobs.Given([(path, None) for path in given], None, PARAMETERS, EngineSpec()), watch)
        one_message(caught.value)


def test_images_of_a_comparison_are_bounded_together(tmp_path, monkeypatch, one_message, paths):
    given = [(large(tmp_path / f"{number}.png", 8000, 6000), None) for number in range(5)]
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ImageError, match="240 megapixels together") as caught:
        handlers._opened(paths[0], given, ["ipseg", "persam"], None, None, None, (None, None), lambda: None)
    one_message(caught.value)


class Clock:
    """A report that ends the job at its call number ``last``."""

    def __init__(self, last: int) -> None:
        self.calls, self.last = 0, last

    def __call__(self, *_) -> None:
        self.calls += 1
        if self.calls > self.last:
            raise Ended("late")


@pytest.fixture
def opened(monkeypatch) -> list:
    """The files that were decoded."""
    load, seen = ImageFile.ImageFile.load, []

    def counted(image):
        if image.tile:
            seen.append(image)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", counted)
    return seen


@pytest.mark.parametrize("last", [0, 1, 3, 5])
def test_the_time_limit_is_checked_before_each_image_is_opened(last, paths, opened):
    asked = request(paths[:4], paths[4:6])
    with pytest.raises(Ended):
        asked.session(EnginePool(EngineSpec()), EngineSpec(), Clock(last))
    assert len(opened) == last


@pytest.mark.parametrize("last", [0, 2])
def test_the_same_in_a_batch(last, paths, opened, monkeypatch):
    watch, clock = Watch(60), Clock(last)
    monkeypatch.setattr(watch, "check", clock)
    with pytest.raises(Ended):
        jobs._opened(jobs.Given([(path, None) for path in paths[:4]], None, PARAMETERS, EngineSpec()), watch)
    assert len(opened) == last


@pytest.mark.parametrize("last", [0, 1, 2])
def test_the_same_in_a_comparison(last, paths, opened):
    images = [(path, None) for path in paths[1:3]]
    with pytest.raises(Ended):
        handlers._opened(paths[0], images, ["ipseg", "persam"], None, None, paths[1:3], (None, None), Clock(last))
    assert len(opened) == last


def test_one_image_needs_no_second_reading(paths, monkeypatch):
    monkeypatch.setattr(prompts.images, "size_of", lambda *_: pytest.fail("read"))
    prompts.check(paths[:1])


def test_arrays_are_as_they_were(paths, scene):
    (first,) = prompts.opened(paths[:1], lambda: None)
    np.testing.assert_array_equal(first, scene[0])


def test_a_saved_prompt_is_taken_as_a_prompt_image(paths, tmp_path, scene, one_message):
    engine = ipseg.load("offline")
    made = replace(engine.prompt([scene[0]] * 3), negative=engine.prompt(scene[0]))
    made.save(tmp_path / "mug.npz")
    given, seen = str(tmp_path / "mug.npz"), []
    found = prompts.open_prompts([given], [given], mask=None, mask_value=None, on_open=lambda: seen.append(1))
    assert [len(each.views) for each in (*found.images, *found.negative)] == [3, 3]
    assert len(seen) == 2
    session = request([given], images=paths[:1]).session(
        EnginePool(EngineSpec("offline")), EngineSpec("offline"), Clock(99)
    )
    assert session.prompt.fingerprint() == engine.prompt(given).fingerprint()
    with pytest.raises(ImageError, match=r"There are 9 prompt images .*; give at most 8") as caught:  # 4, 4 and 1
        prompts.open_prompts([given, paths[0]], [given], mask=None, mask_value=None, on_open=lambda: None)
    one_message(caught.value)
    (tmp_path / "text.npz").write_text("no prompt")
    with pytest.raises(InputError, match=r"text\.npz is not a saved prompt"):
        request([str(tmp_path / "text.npz")]).session(
            EnginePool(EngineSpec("offline")), EngineSpec("offline"), Clock(99)
        )
