"""Which class a pixel belongs to, by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

import ipseg
from ipseg.annotations.labels import LabelledInstance
from ipseg.core import geometry
from ipseg.core.result import Result
from ipseg.core.status import Status
from ipseg.core.types import Points, SettingError, Similarity
from ipseg.labelling import matching
from ipseg.method import presence
from ipseg.method.config import IPSegConfig, Parameters
from ipseg.method.encodings import named
from ipseg.method.prompt import Prompt

pytestmark = pytest.mark.usefixtures("small_offline")


def claim(label: str, columns: slice, score: float) -> LabelledInstance:
    mask = np.zeros((1, 10), bool)
    mask[0, columns] = True
    return LabelledInstance(label, mask, score)


def row(one: LabelledInstance) -> list[int]:
    return np.flatnonzero(one.mask[0]).tolist()


def test_the_better_score_gets_the_pixels_of_both():
    placed = matching.assign([claim("cup", slice(3, 8), 0.6), claim("mug", slice(0, 5), 0.9)])
    assert [(one.label, row(one)) for one in placed] == [("mug", [0, 1, 2, 3, 4]), ("cup", [5, 6, 7])]
    assert [one.second for one in placed] == ["", ""]


def test_an_object_claimed_by_two_classes_is_labelled_once():
    claims = [claim("cup", slice(0, 4), 0.6), claim("mug", slice(0, 5), 0.9), claim("jar", slice(1, 5), 0.5)]
    placed = matching.assign(claims)
    assert [(one.label, row(one)) for one in placed] == [("mug", [0, 1, 2, 3, 4])]


def test_exactly_half_claimed_is_dropped():
    placed = matching.assign([claim("mug", slice(0, 4), 0.9), claim("cup", slice(2, 6), 0.6)])
    assert [one.label for one in placed] == ["mug"]
    placed = matching.assign([claim("mug", slice(0, 4), 0.9), claim("cup", slice(2, 7), 0.6)])
    assert [one.label for one in placed] == ["mug", "cup"]


def test_of_equal_scores_the_larger_comes_first_then_the_earlier():
    placed = matching.assign([claim("cup", slice(0, 3), 0.5), claim("mug", slice(0, 4), 0.5)])
    assert [one.label for one in placed] == ["mug"]
    placed = matching.assign([claim("cup", slice(0, 3), 0.5), claim("mug", slice(0, 3), 0.5)])
    assert [one.label for one in placed] == ["cup"]


def test_fragments_of_what_lost_pixels_are_removed():
    mask = np.zeros((20, 40), bool)
    mask[:, 10:] = True  # 600 pixels, of which the better one takes all but 400, four in a corner, and one
    better = np.zeros_like(mask)
    better[:, 10:20] = True
    better[0, 10] = better[18:, 10:12] = False
    placed = matching.assign([LabelledInstance("mug", better, 0.9), LabelledInstance("cup", mask, 0.6)])
    assert placed[1].area == 400
    assert not placed[1].mask[:, :20].any()
    assert matching.without_fragments(mask & ~better).sum() == 400
    parts = np.zeros((20, 40), bool)
    parts[:10, :10] = parts[:5, 20] = parts[10, 10] = True  # five of 101, and one that joins the first by its corner
    assert matching.without_fragments(parts).sum() == 101, "five are less than a twentieth of the largest part"
    parts[5, 20] = True
    assert matching.without_fragments(parts).sum() == 107
    parts = np.zeros((20, 40), bool)
    parts[:10, :10] = parts[:5, 20] = True
    assert matching.without_fragments(parts).sum() == 105, "five are a twentieth of 100"
    parts[:10, :10] = False
    parts[10, 10] = True
    assert matching.without_fragments(parts).sum() == 6, "one pixel is a fifth of five"
    assert not matching.without_fragments(np.zeros((4, 4), bool)).any()


def test_what_lost_no_pixel_keeps_its_small_parts():
    spots = np.zeros((20, 40), bool)
    spots[:10, :10] = spots[15, 15] = True
    placed = matching.assign([LabelledInstance("mug", spots, 0.9), LabelledInstance("cup", np.roll(spots, 20, 1), 0.8)])
    assert [one.area for one in placed] == [101, 101]


INSIDE = np.ones((2, 8), bool)


def cells(*best: tuple[int, float]) -> np.ndarray:
    """(2, 8) scores: so many cells of the first row have that score, one after the other, the others 0."""
    scores = np.zeros(16, np.float32)
    scores[: sum(count for count, _ in best)] = np.concatenate([np.full(count, score) for count, score in best])
    return scores.reshape(2, 8)


def test_a_class_can_be_there_from_the_reject_threshold_on():
    scores = np.array([cells((8, 0.5)), cells((8, 0.49)), cells((4, 0.6), (4, 0.4)), cells((16, 0.3))])
    assert matching.likely(scores[[0]], INSIDE, 0.5) == [0]
    assert matching.likely(scores[[1]], INSIDE, 0.5) == []
    assert matching.likely(scores[[2]], INSIDE, 0.5) == [0]  # the mean of its eight best
    assert matching.likely(scores[[3]], INSIDE, 0.0) == [0]


def test_the_best_class_comes_first_and_what_is_far_behind_it_not_at_all():
    scores = np.array([cells((8, 0.85)), cells((8, 0.9)), cells((8, 0.79))])
    assert matching.likely(scores, INSIDE, 0.5) == [1, 0]
    assert matching.likely(np.array([cells((8, 0.9)), cells((8, 0.81))]), INSIDE, 0.5) == [0, 1]  # 0.09 behind
    elsewhere = np.roll(cells((8, 0.6)), 8)
    assert matching.likely(np.array([cells((8, 0.9)), elsewhere]), INSIDE, 0.5) == [0, 1]


def test_cells_off_the_image_count_for_no_class():
    inside = INSIDE.copy()
    inside[0, :4] = False
    assert matching.likely(np.array([cells((8, 0.9))]), inside, 0.5) == []  # four at 0.9 and four at 0


FRAME = geometry.squash_frame((48, 64), (6, 8))  # of cells of 8x8 pixels


def rows(*scores: float) -> np.ndarray:
    """(6, 8) scores: those of the cells of each row."""
    return np.repeat(np.float32(scores)[:, None], 8, axis=1)


def held(*numbers: int) -> np.ndarray:
    """The mask of these rows of cells: (48, 64)."""
    mask = np.zeros((48, 64), bool)
    for number in numbers:
        mask[8 * number : 8 * number + 8] = True
    return mask


class Engine:
    """Scores of classes on masks as reported; what is segmented is recorded.

    The similarity to a class is that of its cells, or what ``similar`` has of it; a region scores the mean of what
    ``regions`` has of a class, else of its cells.
    """

    def __init__(self, scores, cells, results, similar, regions):
        self.config, self.scorer = IPSegConfig(k=8, threshold=0.8, reject_threshold=0.5), self
        self.scores, self.cells, self.results, self.segmented = scores, cells, results, []
        self.similar, self.regions, self.scored, self.numbers = cells | similar, regions, [], None

    def apply(self, images, step, *arguments, progress=None):
        return step(self, *arguments, progress)

    def input_features(self, image):
        return SimpleNamespace(features=())

    def layer_weights(self, layers):
        return {}

    def cell_scores(self, models, features):
        return np.array([self.cells[model] for model in models]), FRAME

    def region_scores(self, models, features, cells, regions, frame):
        own = [self.regions.get(model, each) for model, each in zip(models, cells, strict=True)]
        return presence.of_regions(np.array(own), regions)

    def similarity(self, model, features, negative):
        return Similarity(self.similar[model], geometry.cells_inside(FRAME), FRAME)

    def mask_score(self, prompt, image, mask, negative_prompt=None):
        self.scored.append(prompt.model)
        return self.scores[prompt.model]

    def segment(self, prompt, image, *, all_instances, negative_prompt, progress=None, **numbers):
        assert all_instances
        self.numbers = numbers
        if progress:
            progress(0.25, "mask")
        self.segmented.append(prompt.model)
        mask, score = self.results[prompt.model]
        status = presence.status(score, mask, 0.8, 0.5)
        nothing = Points(np.empty((0, 2), np.float32), np.empty((0, 2), np.float32))
        return Result(image, mask, status, score, 0.8, 0.5, nothing, None, {})


def label(scores, cells, results, similar=(), regions=(), progress=None):
    engine = Engine(scores, cells, results, dict(similar), dict(regions))
    classes = [matching.ClassPrompt(name, SimpleNamespace(model=name, negative=None)) for name in scores]
    return matching.label_image(engine, classes, np.zeros((48, 64, 3), np.uint8), progress=progress), engine


UPPER, LOWER, NOWHERE = rows(0.9, 0.9, 0, 0, 0, 0), rows(0, 0, 0, 0, 0.85, 0.85), np.zeros((48, 64), bool)


def test_a_class_that_could_only_find_the_same_mask_again_is_not_segmented():
    found, engine = label(
        {"mug": 0.95, "cup": 0.7},
        {"mug": UPPER, "cup": 0.95 * UPPER},
        {"mug": (held(0, 1), 0.95), "cup": (held(0, 1), 0.7)},
    )
    assert engine.segmented == ["mug"]
    assert [(one.label, one.score, one.second, one.second_score) for one in found] == [("mug", 0.95, "cup", 0.7)]


def test_cells_around_a_mask_are_those_of_its_border():
    _, engine = label(
        {"mug": 0.95, "cup": 0.7},
        {"mug": UPPER, "cup": rows(0.85, 0.85, 0.85, 0, 0, 0)},
        {"mug": (held(0, 1), 0.95), "cup": (held(0, 1, 2), 0.7)},
    )
    assert engine.segmented == ["mug"]


def test_a_class_that_may_be_elsewhere_too_is_segmented():
    found, engine = label(
        {"mug": 0.95, "cup": 0.7},
        {"mug": UPPER, "cup": 0.9 * UPPER + LOWER},
        {"mug": (held(0, 1), 0.95), "cup": (held(4, 5), 0.9)},
    )
    assert engine.segmented == ["mug", "cup"]
    assert len(found) == 2


def test_the_progress_of_a_class_is_its_share_of_those_that_are_tried():
    seen = []
    label(
        {"mug": 0.95, "cup": 0.7, "jar": 0.9},
        {"mug": UPPER, "cup": 0.9 * UPPER + LOWER, "jar": 0.1 * UPPER},  # no jar can be there
        {"mug": (held(0, 1), 0.95), "cup": (held(4, 5), 0.9)},
        progress=lambda share, step: seen.append((share, step)),
    )
    assert seen == [(0.0, "mug"), (0.25 / 2, "mask"), (1 / 2, "cup"), (1.25 / 2, "mask")]


def test_a_class_that_scores_more_on_the_mask_of_another_is_segmented_and_gets_it():
    whole, most = held(0, 1), held(0, 1)
    most[:, 60:] = False
    found, engine = label(
        {"mug": 0.6, "cup": 0.7},
        {"mug": UPPER, "cup": 0.95 * UPPER},
        {"mug": (whole, 0.6), "cup": (most, 0.75)},
    )
    assert engine.segmented == ["mug", "cup"]
    assert [(one.label, one.area, one.second, one.status) for one in found] == [("cup", 960, "mug", "uncertain")]


def test_a_mask_that_another_class_found_and_that_is_good_for_this_one_gets_its_name():
    found, engine = label(
        {"mug": 0.91, "cup": 0.95},
        {"mug": UPPER, "cup": 0.95 * UPPER},
        {"mug": (held(0, 1), 0.91), "cup": (NOWHERE, 0.0)},
    )
    assert engine.segmented == ["mug"], "it could only find it again"
    assert [(one.label, one.score, one.second, one.status) for one in found] == [("cup", 0.95, "mug", "detected")]


def test_a_mask_for_which_another_class_is_much_better_says_that_this_one_is_there():
    found, engine = label(
        {"mug": 0.7, "cup": 0.95},
        {"mug": UPPER, "cup": 0.95 * UPPER},
        {"mug": (held(0, 1), 0.7), "cup": (NOWHERE, 0.0)},
    )
    assert engine.segmented == ["mug", "cup"]
    assert [(one.label, one.score, one.second) for one in found] == [("cup", 0.95, "mug")]


def test_a_class_that_cannot_be_there_is_neither_segmented_nor_a_rival():
    found, engine = label(
        {"mug": 0.95, "cup": 0.9},
        {"mug": UPPER, "cup": rows(0.3, 0.3, 0, 0, 0, 0)},
        {"mug": (held(0, 1), 0.95)},
    )
    assert engine.segmented == ["mug"]
    assert [(one.label, one.second) for one in found] == [("mug", "")]


def test_a_class_is_not_segmented_where_the_similarity_is_high_in_places_that_are_not_like_it():
    spots = np.zeros((6, 8), np.float32)
    spots[::2, ::2] = 0.9  # cells of it, but no region
    elsewhere = rows(0, 0, 0, 0, 0.9, 0.9)
    for cells, similar in ((spots, {}), (UPPER, {"cup": elsewhere})):
        found, engine = label({"cup": 0.9}, {"cup": cells}, {"cup": (held(0, 1), 0.9)}, similar)
        assert (found, engine.segmented) == ((), [])
    for similar in ({}, {"cup": elsewhere + UPPER}):
        assert label({"cup": 0.9}, {"cup": UPPER}, {"cup": (held(0, 1), 0.9)}, similar)[1].segmented == ["cup"]


def test_of_a_hundred_alike_classes_few_are_segmented_and_few_compared():
    names = [f"mug {number}" for number in range(100)]
    score = {name: 0.8 + number / 1000 for number, name in enumerate(names)}
    cells = {name: UPPER * np.float32(score[name]) for name in names}
    found, engine = label(score, cells, {name: (held(0, 1), score[name]) for name in names})
    assert [(one.label, one.second) for one in found] == [("mug 99", "mug 98")]
    assert engine.segmented == ["mug 99"]
    assert len(engine.scored) <= 100 + matching.RIVALS


@pytest.mark.parametrize(("score", "segmented"), [(0.21, True), (0.19, False)])
def test_a_region_of_a_class_scores_two_fifths_of_the_reject_threshold(score, segmented):
    """The reject threshold is 0.5, so that is 0.2: of a class alone, and of one beside what is found."""
    alone = label({"cup": 0.9}, {"cup": UPPER}, {"cup": (held(0, 1), 0.9)}, regions={"cup": rows(*[score] * 6)})[1]
    assert alone.segmented == ["cup"] * segmented
    beside = label(
        {"mug": 0.95, "cup": 0.7},
        {"mug": UPPER, "cup": 0.9 * UPPER + LOWER},
        {"mug": (held(0, 1), 0.95), "cup": (held(4, 5), 0.9)},
        regions={"cup": rows(0.9, 0.9, 0, 0, score, score)},
    )[1]
    assert beside.segmented == ["mug"] + ["cup"] * segmented


@pytest.mark.parametrize(("score", "segmented"), [(0.08, True), (0.07, False)])
def test_the_region_of_the_highest_similarity_scores_a_share_of_the_reject_threshold(score, segmented):
    """0.15 of 0.5, so 0.075."""
    elsewhere, worth = rows(0, 0, 0, 0, 0.9, 0.9), rows(0.9, 0.9, *[score] * 4)
    found = label({"cup": 0.9}, {"cup": UPPER}, {"cup": (held(0, 1), 0.9)}, {"cup": elsewhere}, {"cup": worth})
    assert found[1].segmented == ["cup"] * segmented


@pytest.mark.parametrize(
    ("mug", "cup", "segmented"),
    [
        (0.9, 0.945, False),  # above the threshold of 0.8, and 0.045 more: the cup takes the name
        (0.9, 0.955, True),  # 0.055 more: much better
        (0.75, 0.8, True),  # 0.05 more
        (0.78, 0.8, False),
        (0.72, 0.75, True),  # below the threshold
        (0.6, 0.6, False),  # the same
    ],
)
def test_when_a_mask_of_another_class_leaves_nothing_to_find(mug, cup, segmented):
    cells = {"mug": UPPER, "cup": 0.95 * UPPER}
    _, engine = label({"mug": mug, "cup": cup}, cells, {"mug": (held(0, 1), mug), "cup": (NOWHERE, 0.0)})
    assert engine.segmented == ["mug"] + ["cup"] * segmented


def test_the_five_likeliest_classes_are_compared_on_a_mask():
    """Its own, and four others in the order of their cells; the fifth other one scores more than these."""
    scores = {"mug": 0.95, "a": 0.1, "b": 0.2, "c": 0.3, "d": 0.5, "e": 0.6}
    cells = {name: UPPER * np.float32(1 - number / 100) for number, name in enumerate(scores)}
    (found,), engine = label(scores, cells, {"mug": (held(0, 1), 0.95)})
    assert engine.segmented == ["mug"]
    assert (found.label, found.second, found.second_score) == ("mug", "d", 0.5)


def test_a_class_alone_has_no_second_and_is_segmented_with_both_thresholds():
    (found,), engine = label({"mug": 0.95}, {"mug": UPPER}, {"mug": (held(0, 1), 0.95)})
    assert (found.second, found.second_score) == ("", 0)
    assert (engine.numbers["threshold"], engine.numbers["reject_threshold"]) == (0.8, 0.5)


def test_one_instance_is_the_single_mask_and_two_are_those_told_apart():
    single, parts = held(0, 1), (held(0), held(1))
    instances = tuple(
        SimpleNamespace(mask=mask, score=score, status="detected") for mask, score in zip(parts, (1, 0.9), strict=True)
    )
    given = {"mask": single, "score": 0.8, "status": Status.DETECTED}
    one, both = (SimpleNamespace(instances=instances[:count], **given) for count in (1, 2))
    assert [each.area for each in matching.of_result("mug", one)] == [1024]
    assert [(each.area, each.score) for each in matching.of_result("mug", both)] == [(512, 1), (512, 0.9)]


@pytest.mark.parametrize("names", [[], ["mug", "mug"]])
def test_classes_have_names_of_their_own(names):
    classes = [matching.ClassPrompt(name, None) for name in names]  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="name of its own"):
        matching.label_image(None, classes, np.zeros((8, 8, 3), np.uint8))  # type: ignore[arg-type]


def test_a_loaded_prompt_is_a_class_with_its_negative_prompt_and_the_thresholds_of_the_call(make_scene, tmp_path):
    engine, (image, _) = ipseg.load("offline"), make_scene()
    prompt, other = engine.prompt(make_scene(seed=1)[0]), engine.prompt(make_scene(colour=(40, 60, 200), seed=2)[0])
    saved = replace(prompt, negative=other, parameters=Parameters(threshold=1.0, reject_threshold=1.0))
    saved.save(tmp_path / "mug.npz")
    expected = matching.label_image(engine, [matching.ClassPrompt("mug", prompt, other)], image)
    found = matching.label_image(engine, [matching.ClassPrompt("mug", Prompt.load(tmp_path / "mug.npz"))], image)
    assert len(expected) == len(found) == 1
    assert (found[0].score, found[0].status) == (expected[0].score, expected[0].status)
    assert np.array_equal(found[0].mask, expected[0].mask)


def test_a_class_that_scores_nothing_is_not_the_next_best():
    scores = SimpleNamespace(of=lambda each, mask: {"cup": 0.0, "jar": 0.2}[each.name])
    one, cup, jar = claim("mug", slice(0, 4), 0.9), SimpleNamespace(name="cup"), SimpleNamespace(name="jar")
    assert matching.named_by_score(one, [cup], scores, (0.8, 0.5)).second == ""
    assert matching.named_by_score(one, [cup, jar], scores, (0.8, 0.5)).second == "jar"


SCORES = (0.6, 0.9, 0.7)  # of the windows of a thin image, in turn


def test_a_thin_image_is_labelled_in_windows_and_each_instance_once(monkeypatch):
    image = np.zeros((16, 16 * 20, 3), np.uint8)
    image[4:12, 20:30] = image[4:12, 100:200] = 255  # one in a window, one over several
    seen = []

    def of_window(engine, classes, window, parameters, progress):
        seen.append(window.pixels.shape[:2])
        mask = window.pixels[..., 0] > 0
        parts = [mask & (labels == number) for labels, n in [ndimage.label(mask)] for number in range(1, n + 1)]
        return tuple(LabelledInstance("mug", part, SCORES[len(seen) % len(SCORES)]) for part in parts)

    monkeypatch.setattr(matching, "_label", of_window)
    engine = SimpleNamespace(config=IPSegConfig())
    found = matching._label_all(engine, (), named(image), Parameters(), None)
    assert set(seen) == {(16, 64)}
    assert [one.label for one in found] == ["mug", "mug"]
    np.testing.assert_array_equal(np.logical_or(*(one.mask for one in found)), image[..., 0] > 0)
    assert max(found, key=lambda one: one.area).score == max(SCORES), "the best of the windows that see it"
    assert matching._label_all(engine, (), named(image[:, :64].copy()), Parameters(), None)[0].mask.shape == (16, 64)
