"""The offline engine as a whole: what it promises on images, on the examples and, where there are, on photographs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
import small_engine

import ipseg
from ipseg.core.masks import iou
from ipseg.engine import build
from ipseg.evaluation import perseg

EXAMPLES = Path(__file__).resolve().parents[1] / "examples_media"
PHOTOS = Path(os.environ.get("IPSEG_PHOTOS", "photos")) / "perseg"


@pytest.fixture(scope="module")
def engine():
    return ipseg.load("offline")


@pytest.fixture(scope="module")
def small():
    """The same on smaller images, for what holds whatever the masks are."""
    return build.assemble(small_engine.offline())


def example(name: str) -> Path:
    return EXAMPLES / "Images" / f"{name}.jpg"


def truth(name: str) -> np.ndarray:
    return ipseg.open_mask(EXAMPLES / "Annotations" / f"{name}.png")


def test_the_object_is_found_and_the_same_twice(engine):
    prompt = engine.prompt(example("yellow_duck/00"))
    first = engine.segment(prompt, example("yellow_duck/01"))
    again = ipseg.load("offline").segment(prompt, example("yellow_duck/01"))
    assert first.status == "detected"
    assert iou(first.mask, truth("yellow_duck/01")) > 0.8
    assert np.array_equal(first.mask, again.mask)
    assert first.score == again.score


def test_threads_share_an_engine_and_get_the_same_answers(small):
    names = ["robot/01", "cactus/01", "toy_car/01", "red_mug/01"]
    prompt = small.prompt(example("robot/00"))
    alone = [small.segment(prompt, example(name)).mask for name in names]
    fresh = build.assemble(small_engine.offline())  # its cache is empty
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: fresh.segment(prompt, example(name)).mask, names * 2))
    assert all(np.array_equal(mask, alone[number % 4]) for number, mask in enumerate(together))


@pytest.mark.parametrize("size", [(301, 77), (64, 400), (900, 1201), (16, 16)])
def test_the_mask_has_the_size_of_its_image(small, size):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 90, (*size, 3), dtype=np.uint8)
    image[size[0] // 4 : size[0] // 2, size[1] // 4 : size[1] // 2] = (240, 30, 30)
    result = small.segment(small.prompt(image), image)
    assert result.mask.shape == result.similarity_map().shape == size
    assert result.mask.dtype == bool
    assert 0 <= result.score <= 1


def test_only_points_and_mask_are_made_anew_when_k_changes(small):
    prompt = small.prompt(example("robot/00"))
    small.segment(prompt, example("robot/01"))
    moved = small.segment(prompt, example("robot/01"), k=96, clusters=7)
    assert set(moved.seconds) == {"points", "mask"}
    assert len(moved.points.positive) == 7


def test_a_prompt_can_be_several_images_each_with_a_mask(engine):
    names = ["cactus/00", "cactus/01"]
    prompt = engine.prompt([example(name) for name in names], [truth(names[0]), None])
    assert [view.given for view in prompt.views] == [True, False]
    assert engine.segment(prompt, example("cactus/01")).status == "detected"


def test_a_flat_image_is_not_found_and_breaks_nothing(small):
    grey = np.full((120, 160, 3), 127, dtype=np.uint8)
    result = small.segment(small.prompt(example("robot/00")), grey)
    assert result.status == "not_detected"
    prompt = small.prompt(grey)
    assert small.segment(prompt, example("robot/00")).mask.shape == ipseg.open_image(example("robot/00")).shape[:2]


def test_a_negative_prompt_keeps_a_look_alike_out(engine):
    shares = []
    for target, other in (("red_mug", "cactus"), ("robot", "toy_car"), ("cactus", "blue_teapot")):
        negative_prompt = engine.prompt(example(f"{other}/00"), truth(f"{other}/00"))
        prompt, inside = engine.prompt(example(f"{target}/00"), truth(f"{target}/00")), truth(f"{other}/02")
        without, with_it = (
            engine.segment(prompt, example(f"{other}/02"), negative_prompt=no) for no in (None, negative_prompt)
        )
        shares.append([(result.mask & inside).sum() / inside.sum() for result in (without, with_it)])
    without, with_it = np.mean(shares, axis=0)
    assert without > 0.5
    assert with_it < 0.2


def test_clicks_correct_the_mask_and_are_obeyed(engine):
    inside, nothing = truth("green_mug/02"), np.empty((0, 2), np.float32)
    prompt = engine.prompt(example("green_mug/00"))
    before = engine.segment(prompt, example("green_mug/02"))
    depth = cv2.distanceTransform((before.mask & ~inside).astype(np.uint8), cv2.DIST_L2, 3)  # the largest excess
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    away = ipseg.Points(nothing, np.array([[x + 0.5, y + 0.5]], np.float32))
    after = engine.segment(prompt, example("green_mug/02"), clicks=away)
    assert not after.mask[y, x]
    assert iou(after.mask, inside) > iou(before.mask, inside) + 0.1
    there = ipseg.Points(np.array([[5.5, 5.5]], np.float32), nothing)
    said = engine.segment(prompt, example("green_mug/02"), clicks=there, threshold=1.0)
    assert said.mask[5, 5]
    assert said.status == "detected"  # whoever clicks on it knows that it is there


def test_a_click_off_the_image_gets_its_message(small):
    beside = ipseg.Points(np.array([[641, 3]], np.float32), np.empty((0, 2), np.float32))
    with pytest.raises(ipseg.InputError, match="a click at \\(641, 3\\); the image is 640 x 480 pixels large"):
        small.segment(small.prompt(example("red_mug/00")), example("red_mug/02"), clicks=beside)


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOS.is_dir(), reason="set IPSEG_PHOTOS to a folder that holds perseg/Images")
def test_on_photographs_it_beats_saliency_alone_and_refuses_strangers(engine, tmp_path):
    found = perseg.evaluate(engine, PHOTOS, tmp_path, absent=54)
    rows, presence = found.rows, found.presence
    mean = rows[-1]
    assert mean.miou >= 0.85
    assert mean.miou > mean.saliency
    assert min(row.worst for row in rows) >= 0.3
    assert presence.present.not_detected <= 0.2
    assert presence.absent.not_detected >= 0.8
