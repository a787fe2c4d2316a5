"""The engine `compact` from end to end: it needs its two weights, which `make test` fetches, and fails without them."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

import ipseg
from ipseg.core import images, masks
from ipseg.engine.presets import PRESETS
from ipseg.engine.spec import EngineSpec

PAIRS = [("yellow_duck", 0, 1, 0.9), ("toy_car", 0, 1, 0.7), ("robot", 0, 2, 0.7)]  # object, images, least IoU
PHOTOS = Path(os.environ.get("IPSEG_PHOTOS", "")) / "perseg"


@pytest.fixture(scope="module")
def engine():
    return ipseg.load("compact")


@pytest.fixture(scope="module")
def media(root):
    return root / "examples_media"


def image(folder, name, number):
    return folder / "Images" / name / f"{number:02d}.jpg"


def truth(folder, name, number):
    return masks.read_mask(folder / "Annotations" / name / f"{number:02d}.png").mask


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_it_is_the_default_and_says_nothing():
    engine = ipseg.load()
    assert (engine.info.name, engine.info.reason) == ("compact", "")
    assert ipseg.load(saliency="none").info.name == "compact, saliency=none"


@pytest.mark.parametrize(("name", "first", "second", "least"), PAIRS)
def test_pairs_of_the_examples(engine, media, name, first, second, least):
    found = engine.segment(engine.prompt(image(media, name, first)), image(media, name, second))
    assert iou(found.mask, truth(media, name, second)) > least
    assert found.score > engine.config.threshold
    assert len(found.points.positive) == engine.config.clusters
    columns, rows = np.floor(found.points.positive).astype(int).T
    assert found.mask[rows, columns].any()


def test_another_object_scores_less(engine, media):
    found = engine.segment(engine.prompt(image(media, "yellow_duck", 0)), image(media, "robot", 0))
    assert found.score < engine.config.threshold


def test_all_that_may_be_asked(engine, media):
    duck, mug = (engine.prompt(image(media, name, 0)) for name in ("yellow_duck", "red_mug"))
    shown = image(media, "yellow_duck", 1)
    plain = engine.segment(duck, shown)
    everything = engine.segment(duck, shown, all_instances=True)
    assert iou(everything.instances[0].mask, plain.mask) > 0.8
    assert iou(engine.segment(duck, shown, negative_prompt=mug).mask, plain.mask) > 0.8
    itself = engine.segment(duck, shown, negative_prompt=duck)
    assert itself.score == pytest.approx(plain.score)
    corner = ipseg.Points(np.float32([[3, 3]]), np.empty((0, 2), np.float32))
    assert engine.segment(duck, shown, clicks=corner).mask[3, 3]
    assert not plain.mask[3, 3]
    inside = plain.points.positive[[plain.mask[int(y), int(x)] for x, y in plain.points.positive].index(True)]
    without = engine.segment(duck, shown, clicks=ipseg.Points(np.empty((0, 2), np.float32), inside[None]))
    assert not without.mask[int(inside[1]), int(inside[0])]
    both = engine.prompt([image(media, "yellow_duck", 0), image(media, "yellow_duck", 2)])
    assert iou(engine.segment(both, shown).mask, truth(media, "yellow_duck", 1)) > 0.85
    given = engine.prompt(image(media, "yellow_duck", 0), truth(media, "yellow_duck", 0))
    assert iou(engine.segment(given, shown).mask, truth(media, "yellow_duck", 1)) > 0.85


def test_two_threads_answer_as_one(media):
    asked = [("yellow_duck", 0, 1), ("red_mug", 0, 1)] * 2

    def answer(engine, name, first, second):
        found = engine.segment(engine.prompt(image(media, name, first)), image(media, name, second))
        return found.mask.tobytes(), found.score, found.points.positive.tobytes(), found.similarity.values.tobytes()

    one, other = ipseg.load("compact"), ipseg.load("compact")
    alone = [answer(one, *each) for each in asked[:2]] * 2
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda each: answer(other, *each), asked)) == alone


def test_one_network_serves_saliency_and_segmenter(engine, media, monkeypatch):
    assert engine.segmenter.network is engine.saliency
    shown = images.open_image(image(media, "yellow_duck", 3))
    passes = []
    square = engine.saliency.square
    monkeypatch.setattr(engine.saliency, "square", lambda *args: passes.append(args[0].shape) or square(*args))
    engine.saliency(shown)
    engine.segmenter.encode(shown)
    assert len(passes) == 1


def test_it_needs_no_torch_and_no_placement(engine):
    assert engine.info.placement is None
    assert PRESETS["compact"].weights == ("efficientnet_lite0", "u2netp")
    source = "import sys, ipseg; ipseg.load('compact'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("changes", "scorer", "refinement"),
    [
        ({"saliency": "boundary"}, "nearest", "ranked"),
        ({"segmenter": "graphcut"}, "nearest", "ranked"),
        ({"segmenter": "sam/vit_b"}, "nearest", "single"),
        ({"features": "texture"}, "density", "ranked"),
        ({"features": "efficientnet"}, "nearest", "ranked"),
        ({"features": "clip+efficientnet"}, "cosine", "single"),
    ],
)
def test_parts_that_are_changed(changes, scorer, refinement):
    made = EngineSpec("compact", **changes).resolve()
    assert (made.scorer[0], made.config.refinement) == (scorer, refinement)
    assert made.config.consensus == (scorer == "density")
    assert "u2netp" in made.weights or changes.get("segmenter")
    if scorer == "cosine":  # of layers that have the extractors' names
        assert set(made.scorer[1]["weights"]) == {"clip", "efficientnet"}
        assert not made.sources["efficientnet"]


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="IPSEG_PHOTOS names no folder with perseg in it")
def test_photographs():
    """Nine pairs of three objects, and other objects."""
    engine = ipseg.load("compact")
    names = sorted(each.name for each in (PHOTOS / "Images").iterdir())
    prompts = {name: engine.prompt(image(PHOTOS, name, 0)) for name in names}
    found = {name: engine.segment(prompts[name], image(PHOTOS, name, 1)) for name in names}
    values = [iou(found[name].mask, truth(PHOTOS, name, 1)) for name in names]
    assert min(values) > 0.8
    assert all(each.score > engine.config.threshold for each in found.values())
    pairs = [(one, other) for one in names for other in names if one != other]
    others = [engine.segment(prompts[one], image(PHOTOS, other, 1)).score for one, other in pairs]
    assert max(others) < engine.config.threshold


def reduced(media, name: str, factor: float, size: tuple[int, int] = (640, 854)):
    """The object of an example image, ``factor`` times smaller, on even ground: (image, mask)."""
    pixels, mask = images.open_image(image(media, name, 2)), truth(media, name, 2)
    small = cv2.resize(pixels, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    share = cv2.resize(mask.astype(np.float32), small.shape[1::-1], interpolation=cv2.INTER_AREA)
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 60, (*size, 3)), (0, 0), 3)
    made = np.clip(np.median(pixels[~mask], axis=0) + noise, 0, 255).astype(np.uint8)
    top, left = (size[0] - small.shape[0]) // 3, (size[1] - small.shape[1]) // 3
    place = np.s_[top : top + small.shape[0], left : left + small.shape[1]]
    alpha = cv2.GaussianBlur(share, (0, 0), 0.5)[..., None]
    made[place] = np.rint(made[place] * (1 - alpha) + small * alpha)
    inside = np.zeros(size, bool)
    inside[place] = share > 0.5
    return made, inside


@pytest.mark.parametrize(("name", "other"), [("blue_teapot", "cactus"), ("cactus", "green_mug")])
def test_a_small_object_is_detected_and_another_is_not(engine, media, name, other):
    """Four to five times smaller than in the prompt: its few cells have some of the background in them."""
    prompt = engine.prompt(image(media, name, 0))
    for factor in (4, 5.5):
        made, inside = reduced(media, name, factor)
        found = engine.segment(prompt, made)
        assert iou(found.mask, inside) > 0.7
        assert found.score > engine.config.threshold
        assert engine.segment(prompt, reduced(media, other, factor)[0]).score < engine.config.reject_threshold
