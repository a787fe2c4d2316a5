"""Corrections change what they say, never overlap, and survive thresholds; clicks go through the segmenter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ipseg.annotations.labels import LabelFolder, LabelledImage, LabelledInstance, encode
from ipseg.core.status import Status
from ipseg.core.types import InputError, Points, SettingError
from ipseg.labelling import examples
from ipseg.labelling.review import edits
from tests import two_squares
from tests.two_squares import square


def clicks(positive=(), negative=()) -> Points:
    return Points(*(np.array(each, np.float32).reshape(-1, 2) for each in (positive, negative)))


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """A red square on the left and a blue one on the right, on noisy grey."""
    return two_squares.image()


@pytest.fixture
def image() -> LabelledImage:
    """The red square whole, and half of the blue one."""
    red = LabelledInstance("red", square(15, 65), 0.9)
    blue = LabelledInstance("blue", square(95, 120), 0.4, Status.UNCERTAIN, second="red", second_score=0.2)
    return LabelledImage("a.png", (90, 160), (red, blue))


def iou(one, other):
    return (one & other).sum() / (one | other).sum()


def test_an_instance_is_deleted(image):
    after = edits.deleted(image, 0)
    assert [one.label for one in after.instances] == ["blue"]
    assert after.corrected
    assert not image.corrected


def test_another_class_is_a_confirmation(image):
    one = edits.relabelled(image, 1, "red").instances[1]
    assert (one.label, one.score, one.status, one.second) == ("red", 1.0, Status.DETECTED, "")
    assert (one.mask == image.instances[1].mask).all()
    assert len(edits.confirmed(image).above(1.0).instances) == 2


def test_a_click_completes_a_mask(offline, pixels, image):
    after, place = edits.corrected(offline, pixels, image, 1, clicks([(135, 45)]))
    assert place == 1
    assert iou(image.instances[1].mask, square(95, 145)) < 0.6
    assert iou(after.instances[1].mask, square(95, 145)) > 0.9
    assert (after.instances[0].mask == image.instances[0].mask).all()
    assert after.instances[1].score == edits.CONFIRMED


def test_a_click_takes_a_part_away(offline, pixels):
    both = LabelledInstance("red", square(15, 65) | square(95, 145), 0.8)
    whole = LabelledImage("a.png", (90, 160), (both,))
    after, _ = edits.corrected(offline, pixels, whole, 0, clicks((), [(120, 45)]))
    assert iou(after.instances[0].mask, square(15, 65)) > 0.9


def test_a_click_that_takes_everything_away_is_one_message(offline, pixels, image):
    with pytest.raises(InputError, match="Nothing is left of the mask"):
        edits.corrected(offline, pixels, image, 0, clicks((), [(40, 45)]))  # all of the square has one colour


def test_a_click_adds_an_instance(offline, pixels, image):
    alone = edits.deleted(image, 1)
    after, place = edits.added(offline, pixels, alone, "blue", clicks([(120, 45)], [(80, 45)]))
    assert place == 1
    assert [one.label for one in after.instances] == ["red", "blue"]
    assert iou(after.instances[1].mask, square(95, 145)) > 0.8


def test_masks_never_overlap(image):
    new = LabelledInstance("blue", square(40, 120), 1.0)
    polite, _ = edits._placed(image, 1, new, clicks([(80, 45)]))
    assert (polite.instances[1].mask == square(65, 120)).all(), "the red square keeps its pixels"
    greedy, _ = edits._placed(image, 1, new, clicks([(50, 45)]))
    assert (greedy.instances[1].mask == square(40, 120)).all(), "a click on the red square takes them"
    assert (greedy.instances[0].mask == square(15, 40)).all()
    whole, place = edits._placed(image, 1, LabelledInstance("blue", square(10, 120), 1.0), clicks([(50, 45)]))
    assert [one.label for one in whole.instances] == ["blue"], "an instance without a pixel is gone"
    assert place == 0
    with pytest.raises(InputError, match="Nothing is left"):
        edits._placed(image, 1, LabelledInstance("blue", square(20, 60), 1.0), clicks())


def test_a_click_on_the_last_edge_counts(image):
    after, _ = edits._placed(image, 1, image.instances[1], clicks([(160, 90)]))
    assert len(after.instances) == 2


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda image, engine, pixels: edits.deleted(image, 2), "no instance 3"),
        (lambda image, engine, pixels: edits.relabelled(image, -1, "red"), "no instance 0"),
        (lambda image, engine, pixels: edits.corrected(engine, pixels, image, 0, clicks()), "no click"),
        (lambda image, engine, pixels: edits.corrected(engine, pixels, image, 0, clicks([(200, 5)])), "click at"),
        (lambda image, engine, pixels: edits.added(engine, pixels, image, "red", clicks((), [(5, 5)])), "no click on"),
        (lambda image, engine, pixels: edits.added(engine, pixels[:60], image, "red", clicks([(5, 5)])), "not the"),
        (lambda image, engine, pixels: edits.example_of(pixels, image, 7), "no instance 8"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_gets_a_message(offline, pixels, image, edit, message):
    with pytest.raises(InputError, match=message):
        edit(image, offline, pixels)


def test_an_example_is_the_instance_with_a_margin(pixels, image):
    example = edits.example_of(pixels, image, 0)
    assert example.label == "red"
    assert example.image.shape[:2] == example.mask.shape == (74, 74), "12 pixels on each side"
    assert example.mask.sum() == image.instances[0].area
    assert (example.image[example.mask] == (200, 30, 40)).all()


def test_a_correction_is_saved_and_undone(tmp_path, image):
    labels = LabelFolder.create(tmp_path, ["red", "blue"])
    labels.write(image)
    labels.correct(edits.deleted(image, 0))
    assert len(labels.read("a.png").instances) == 1
    labels.discard_correction("a.png")
    assert encode(labels.read("a.png")) == encode(image)


def test_no_click_on_a_new_instance_is_a_setting_error(offline, pixels, image):
    with pytest.raises(SettingError):
        edits.added(offline, pixels, image, "red", clicks())


def test_a_saved_example_is_read_as_one_of_its_class(tmp_path, pixels, image):
    example = edits.example_of(pixels, image, 0)
    file, mask = edits.save_example(tmp_path, example, "corrected_1")
    assert (file.parent.name, mask.name) == ("red", "corrected_1.mask.png")
    ((read,),) = [each.examples for each in examples.read(tmp_path)]
    shown, given = read.open()
    assert (shown == example.image).all()
    assert (given.mask == example.mask).all()
    with pytest.raises(InputError, match="cannot be"):
        edits.save_example(tmp_path, edits.Example("a/b", example.image, example.mask), "x")


class Recorder:
    """A segmenter that notes the priors that it is given."""

    is_sam = False

    def __init__(self, inner, accepts_prior: bool) -> None:
        self.inner, self.accepts_prior, self.priors = inner, accepts_prior, []

    def encode(self, image):
        return self.inner.encode(image)

    def predict(self, encoding, points, *, prior=None, **more):
        self.priors.append(prior)
        return self.inner.predict(encoding, points, prior=prior, **more)


@pytest.mark.parametrize("accepts_prior", [True, False])
def test_the_similarity_to_the_class_helps_a_new_instance_where_a_prior_is_taken(offline, pixels, image, accepts_prior):
    segmenter = Recorder(offline.segmenter, accepts_prior)
    engine = replace(offline, segmenter=segmenter, encodings=None)
    prompt = offline.prompt(pixels[:, :80], square(15, 65)[:, :80])
    blank = LabelledImage("a.png", (90, 160))
    edits.added(engine, pixels, blank, "red", clicks([(40, 45)]))
    assert segmenter.priors[0] is None
    segmenter.priors.clear()
    edits.added(engine, pixels, blank, "red", clicks([(40, 45)]), prompt=prompt)
    assert (segmenter.priors[0] is not None) == accepts_prior
    if accepts_prior:
        prior = segmenter.priors[0]
        rows, columns = prior.shape
        assert prior[rows // 2, columns // 4] > 0 > prior[0, 0], "the red square is like the class, the corner is not"
