"""Boxes and points on a prompt image: which mask they make, through every segmenter, and what is refused."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import ipseg
from ipseg.core.types import Candidates, InputError, Points, SettingError
from ipseg.method import marks
from ipseg.method.encodings import named
from ipseg.method.marks import Marks

pytestmark = pytest.mark.usefixtures("small_offline")

NONE = np.empty((0, 2), np.float32)


@pytest.fixture(scope="module")
def engine(small_offline):
    return ipseg.load("offline")


@pytest.fixture(scope="module")
def two(make_scene):
    """An image with two ellipses side by side, and the mask of each."""
    (left, first), (right, second) = make_scene(seed=1), make_scene(colour=(40, 60, 200), seed=2)
    empty = np.zeros_like(first)
    return np.hstack([left, right]), np.hstack([first, empty]), np.hstack([empty, second])


def box_of(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def middle_of(mask) -> Points:
    left, top, right, bottom = box_of(mask)
    return Points(np.float32([[(left + right) / 2, (top + bottom) / 2]]), NONE)


def iou(one, other) -> float:
    return (one & other).sum() / (one | other).sum()


def mask_of(engine, image, **given):
    (view,) = engine.prompt(image, **given).views
    assert view.given
    assert set(np.unique(view.saliency)) <= {0, 1}
    return view.saliency > 0.5


@pytest.mark.parametrize("number", [1, 2])
def test_a_box_says_which_object_is_meant(engine, two, number):
    found = mask_of(engine, two[0], boxes=box_of(two[number]))
    assert iou(found, two[number]) > 0.8
    left, top, right, bottom = map(int, box_of(two[number]))
    found[top:bottom, left:right] = False
    assert not found.any()


def test_several_boxes_are_several_objects(engine, two):
    found = mask_of(engine, two[0], boxes=[box_of(two[1]), box_of(two[2])])
    assert iou(found, two[1] | two[2]) > 0.8


@pytest.mark.parametrize("number", [1, 2])
def test_a_point_says_which_object_is_meant(engine, two, number):
    found = mask_of(engine, two[0], points=middle_of(two[number]))
    assert iou(found, two[number]) > 0.5
    assert iou(found, two[3 - number]) < 0.2


def test_points_correct_a_box(engine, two):
    image, first, second = two
    whole, beside = (0.0, 0.0, 128.0, 48.0), middle_of(second).positive
    found = mask_of(engine, image, boxes=whole, points=Points(middle_of(first).positive, beside))
    (x, y), (u, v) = middle_of(first).positive[0].astype(int), beside[0].astype(int)
    assert found[y, x]
    assert not found[v, u]


class Stubborn:
    """The segmenter of an engine, whose mask contradicts every point: it is the outermost column."""

    accepts_prior, is_sam = False, False

    def predict(self, encoding, points, *, mask_logits=None, box=None, several=False):
        mask = np.zeros((48, 128), bool)
        mask[:, 0] = True
        return Candidates(mask[None], np.ones(1, np.float32), np.ones((1, 4, 4), np.float32))


def test_the_mask_of_marks_contains_the_positive_points_and_no_negative_one(two):
    given = SimpleNamespace(segmenter=Stubborn(), encoding=lambda image: None)
    points = Points(np.float32([[20.5, 10.5]]), np.float32([[0.5, 30.5]]))
    found = marks.mask_of(given, named(two[0]), Marks((), points))
    assert found[10, 20]
    assert found[5, 0]
    assert not found[30, 0]
    boxed = marks.mask_of(given, named(two[0]), Marks(((0.0, 0.0, 40.0, 20.0),), points))
    assert boxed[10, 20]
    assert not boxed[20:].any()


def test_marks_of_several_images_come_in_lists(engine, two, make_scene):
    image, first, _ = two
    other, _ = make_scene(seed=4)
    views = engine.prompt([image, other, image], [None, None, first], boxes=[box_of(first), None, None]).views
    assert [view.given for view in views] == [True, False, True]
    alone = engine.prompt([image], boxes=[box_of(first)], points=[None]).views[0]
    assert np.array_equal(views[0].saliency, alone.saliency)
    nested = engine.prompt([image], boxes=[[box_of(first)]], points=[middle_of(first)])
    assert nested.views[0].given


def test_the_mask_of_a_mark_is_saved(engine, two, tmp_path):
    prompt = engine.prompt(two[0], boxes=box_of(two[1]))
    prompt.save(tmp_path / "mug.npz")
    assert np.array_equal(engine.prompt(tmp_path / "mug.npz").views[0].saliency, prompt.views[0].saliency)


WRONG = {
    "off the image": ({"boxes": (0, 0, 129, 48)}, "not on its image"),
    "upside down": ({"boxes": (0, 40, 20, 10)}, "not on its image"),
    "no pixel": ({"boxes": (10.6, 5, 11.4, 20)}, "holds no pixel"),
    "no box": ({"boxes": (1, 2, 3)}, "is no box"),
    "no numbers": ({"boxes": [("a", "b", "c", "d")]}, "is no box"),
    "not finite": ({"boxes": (0, 0, np.nan, 10)}, "is no box"),
    "one box of two": ({"boxes": [(0, 0, 9, 9), (1, 2)]}, "is no box"),
    "a point off the image": ({"points": Points(np.float32([[10, 49]]), NONE)}, "not on its image"),
    "negative alone": ({"points": Points(NONE, np.float32([[10, 10]]))}, "marked as the object"),
    "beside the box": ({"boxes": (0, 0, 20, 20), "points": Points(np.float32([[30, 5]]), NONE)}, "in no box"),
    "no points": ({"points": [(1, 2)]}, "give ipseg.Points"),
    "other count": ({"points": [None, None]}, "give as many"),
    "mask and box": ({"boxes": (0, 0, 9, 9), "masks": np.ones((48, 128), bool)}, "give one of the two"),
}


@pytest.mark.parametrize("name", WRONG)
def test_marks_that_say_nothing_are_one_message(name, engine, two, one_message):
    given, part = WRONG[name]
    with pytest.raises(InputError, match=part) as error:
        engine.prompt(two[0], **given)
    one_message(error.value)


def test_one_box_for_several_images_is_refused(engine, two):
    with pytest.raises(SettingError, match="no box"):
        engine.prompt([two[0]] * 4, boxes=(0, 0, 9, 9))


def test_a_box_for_a_saved_prompt_is_refused(engine, two, tmp_path):
    engine.prompt(two[0]).save(tmp_path / "mug.npz")
    with pytest.raises(InputError, match=r"mug\.npz is a saved prompt"):
        engine.prompt(tmp_path / "mug.npz", boxes=(0, 0, 9, 9))


class Blind:
    """A segmenter that finds nothing."""

    def encode(self, image):
        return image.shape[:2]

    def predict(self, encoding, points, **_):
        masks, logits = np.zeros((3, *encoding), bool), np.full((3, 4, 4), -32, np.float32)
        return Candidates(masks, np.zeros(3, np.float32), logits)


def test_where_nothing_is_found_it_is_one_message(two, one_message):
    from ipseg.method.encodings import Encodings

    encodings = Encodings(None, None, Blind())
    for mark in (Marks(((0, 0, 20, 20),)), Marks((), middle_of(two[1]))):
        with pytest.raises(InputError) as error:
            marks.mask_of(encodings, named(two[0]), mark, "mug.jpg")
        one_message(error.value, names="mug.jpg")
