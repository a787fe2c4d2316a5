"""All instances: groups of points from the hills of a similarity, a mask for each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small_engine

import ipseg
from ipseg.classical import outlines
from ipseg.core import geometry
from ipseg.core.status import Status
from ipseg.core.types import Candidates, Points, Proposal, Similarity
from ipseg.engine import build
from ipseg.method import instances, points

GALLERIES = Path(__file__).resolve().parents[2] / "examples_media"
SIZE = (60, 90)
FRAME = geometry.squash_frame(SIZE, (20, 30))


def bumps(*centres, height=None, width=2.0) -> Similarity:
    """Hills about (row, column) cells, 1 high unless reported."""
    rows, columns = np.indices((20, 30))
    values = np.zeros((20, 30))
    for number, (y, x) in enumerate(centres):
        top = 1.0 if height is None else height[number]
        values = np.maximum(values, top * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * width**2)))
    return Similarity(values.astype(np.float32), np.ones((20, 30), bool), FRAME)


def choose(similarity: Similarity) -> Points:
    return points.choose(similarity, k=8, clusters=2)


def squares(those: Points, values) -> Candidates:
    """A segmenter that answers with the pixels of the cells above 0.6."""
    return answer(geometry.to_image(values, FRAME, smooth=False) > 0.6)


def answer(mask) -> Candidates:
    return Candidates(mask[None], np.ones(1, np.float32), np.zeros((1, 2, 2), np.float32))


def find(similarity, refined=squares, score=None, threshold=0.5, reject_threshold=None):
    limits = threshold, threshold if reject_threshold is None else reject_threshold
    return instances.find(similarity, 16, choose, refined, score or sure, *limits)


def sure(mask) -> float:
    return 0.9 if mask.any() else 0.0


def test_each_hill_is_an_instance_with_points_of_its_own():
    found = find(bumps((5, 5), (14, 24), (5, 20)), threshold=0.5)
    assert len(found) == 3
    for one in found:
        assert one.score == 0.9
        columns, rows = np.floor(one.points.positive).astype(int).T
        assert one.mask[rows, columns].all()
    assert np.sum([one.mask for one in found], axis=0).max() == 1  # they do not overlap


def test_a_hill_with_two_tops_is_one_instance():
    assert len(find(bumps((10, 12), (10, 15), width=3.0), threshold=0.5)) == 1


def test_a_low_hill_and_a_crumb_are_none():
    assert len(list(instances.groups(bumps((5, 5), (14, 24), height=[1.0, 0.55]), 16))) == 1
    similarity = bumps((10, 8), width=4.0)
    similarity.values[3, 26] = 1.0
    assert len(list(instances.groups(similarity, 16))) == 1


def test_a_flat_similarity_has_no_hill():
    assert not instances.hills_of(bumps(), 16).any()
    assert find(bumps(), threshold=0.0) == ()


def test_what_scores_too_little_is_left_out():
    def score(mask):
        return 0.8 if mask[:, :45].any() else 0.3

    pair = bumps((5, 5), (14, 24))
    assert len(find(pair, score=score, threshold=0.2)) == 1  # less than 0.4 of the best
    assert [one.score for one in find(pair, score=lambda mask: 0.3, threshold=0.2)] == [0.3, 0.3]
    assert find(pair, score=lambda mask: 0.3, threshold=0.5) == ()


def test_each_instance_has_the_status_of_its_score():
    pair = bumps((5, 5), (14, 24))
    scored = find(pair, score=lambda mask: 0.5 if mask[:, :45].any() else 0.25, threshold=0.5, reject_threshold=0.25)
    assert [(one.score, one.status) for one in scored] == [(0.5, "detected"), (0.25, "uncertain")]
    assert len(find(pair, score=lambda mask: 0.25, threshold=0.5, reject_threshold=0.26)) == 0


def test_masks_of_one_object_are_merged_and_of_two_are_parted():
    whole = np.zeros(SIZE, bool)
    whole[10:50, 10:70] = True
    part = np.zeros(SIZE, bool)
    part[10:50, 40:70] = True
    for second, count in ((whole, 1), (part, 2)):
        answers = iter([answer(whole), answer(second)])
        found = find(bumps((5, 5), (14, 24)), lambda those, values, a=answers: next(a))
        assert len(found) == count
        assert np.array_equal(np.sum([one.mask for one in found], axis=0), whole)


def index():
    return json.loads((GALLERIES / "galleries" / "index.json").read_text(encoding="utf-8"))["several"]


@pytest.fixture(scope="module")
def engine():
    """The offline engine on smaller images, by whose masks it still counts."""
    return build.assemble(small_engine.offline())


@pytest.mark.slow
def test_an_engine_counts_most_of_the_examples(engine):
    right = []
    for one in index():
        prompt = engine.prompt(GALLERIES / one["prompt"]["image"])
        result = engine.segment(prompt, GALLERIES / one["input"]["image"], all_instances=True)
        assert result.instances
        assert np.array_equal(result.labels() > 0, result.all_instances)
        right.append(len(result.instances) == one["count"])
    assert np.mean(right) > 0.5


def test_a_request_for_one_object_has_no_instances():
    engine, pair = ipseg.load("offline"), index()[1]
    prompt = engine.prompt(GALLERIES / pair["prompt"]["image"])
    one = engine.segment(prompt, GALLERIES / pair["input"]["image"])
    everything = engine.segment(prompt, GALLERIES / pair["input"]["image"], all_instances=True)
    assert one.instances == ()
    assert len(everything.instances) == pair["count"]
    assert not one.all_instances.any()
    assert np.array_equal(one.mask, everything.mask)  # the paper's single mask stands beside them
    assert "instances" in everything.seconds
    assert everything.overlay_instances().shape == everything.image.shape


def box(left: int, right: int, score: float = 0.9) -> instances.Instance:
    mask = np.zeros(SIZE, bool)
    mask[:, left:right] = True
    return instances.Instance(mask, instances.NO_POINTS, score, Status.NOT_DETECTED)


def spans(found) -> list[tuple[int, int]]:
    return sorted((int(np.nonzero(one.mask[0])[0][0]), int(np.nonzero(one.mask[0])[0][-1]) + 1) for one in found)


def test_a_group_that_merged_several_objects_gives_way_to_them():
    merged, first, second = box(0, 40, 0.99), box(2, 18, 0.6), box(20, 38, 0.7)
    assert spans(instances.combined([merged], [first, second])) == [(2, 18), (20, 38)]


def test_of_a_group_and_an_object_that_are_alike_the_group_stays():
    group, same = box(0, 20, 0.6), box(2, 21, 0.9)
    assert spans(instances.combined([group], [same])) == [(0, 20)]


@pytest.mark.parametrize(("score", "expected"), [(0.8, [(0, 10)]), (0.7, [(0, 40)]), (0.6, [(0, 40)])])
def test_of_a_part_and_a_larger_object_the_better_score_stays(score, expected):
    assert spans(instances.combined([box(0, 10, score)], [box(0, 40, 0.7)])) == expected


@pytest.mark.parametrize(("score", "expected"), [(0.8, [(0, 40)]), (0.7, [(0, 10)]), (0.6, [(0, 10)])])
def test_of_a_group_and_a_single_object_in_it_the_better_score_stays(score, expected):
    assert spans(instances.combined([box(0, 40, score)], [box(0, 10, 0.7)])) == expected


def test_what_is_apart_is_there_twice_and_overlaps_belong_to_the_smaller():
    assert spans(instances.combined([box(0, 30)], [box(25, 45)])) == [(0, 25), (25, 45)]
    assert spans(instances.combined([box(0, 10)], [])) == [(0, 10)]
    assert instances.combined([], []) == []


def disc(x: int, y: int, radius: float) -> np.ndarray:
    """Logits on a low map of 240x360: 8 inside, -8 outside."""
    rows, columns = np.mgrid[:240, :360]
    return np.where((columns - x) ** 2 + (rows - y) ** 2 <= radius**2, 8, -8).astype(np.float32)


def drawn(logits) -> np.ndarray:
    return logits[2::4, 2::4] > 0


PAIR = disc(120, 120, 48), disc(210, 120, 48)
ROUND = (outlines.outline(PAIR[0] > 0),)


def proposed(known=ROUND, *others) -> instances.Proposed:
    return instances.Proposed((Proposal(np.maximum(*PAIR), PAIR), *others), known, drawn)


def proposed_instances(similarity, given, score=sure):
    """With a segmenter that gives one mask for all groups: the two discs together."""
    together = answer(drawn(np.maximum(*PAIR)))
    return instances.find(similarity, 16, choose, lambda *_: together, score, 0.5, 0.5, given)


def test_objects_that_touch_are_told_apart_where_the_prompt_shows_one_of_them():
    similarity = bumps((10, 10), (10, 17), width=3.0)
    found = proposed_instances(similarity, proposed())
    assert len(found) == 2
    for one in found:
        assert any((one.mask == drawn(each)).mean() > 0.99 for each in PAIR)
        columns, rows = np.floor(one.points.positive).astype(int).T
        assert one.mask[rows, columns].all()
    both = (outlines.outline(np.maximum(*PAIR) > 0),)
    assert len(proposed_instances(similarity, proposed(both))) == 1
    assert len(proposed_instances(similarity, instances.Proposed())) == 1


def test_a_proposed_object_that_is_not_similar_or_scores_too_little_is_none():
    similarity = bumps((10, 10), (10, 17), width=3.0)
    corner = Proposal(disc(330, 30, 20))
    assert len(proposed_instances(similarity, proposed(ROUND, corner))) == 2
    everywhere = replace(similarity, values=np.maximum(similarity.values, bumps((2, 27), width=2.0).values))
    assert len(proposed_instances(everywhere, proposed(ROUND, corner))) == 3
    assert len(proposed_instances(similarity, proposed(), to_the_right)) == 1


def to_the_right(mask) -> float:
    return 0.9 if mask[:, 45:].sum() > mask[:, :45].sum() else 0.4


def test_heights_have_the_most_similar_at_one_and_the_least_at_zero():
    values = np.zeros((20, 30), np.float32)
    values[0, :16], values[1, :16] = 4, 2
    height = instances.heights(Similarity(values, np.ones((20, 30), bool), FRAME), 16)
    assert (height[0, 0], height[1, 0], height[2, 0]) == (1, 0.5, 0)
    assert not instances.heights(Similarity(values * 0, np.ones((20, 30), bool), FRAME), 16).any()


def test_a_group_is_held_where_most_of_its_best_cells_lie_in_objects():
    left = bumps((10, 5))
    assert instances._is_held(left, [box(0, 30)])
    assert not instances._is_held(left, [box(60, 90)])
    assert not instances._is_held(left, [])
    off = bumps((10, 5), (10, 25), height=[1, 5])
    off.inside[:, 20:] = False  # cells off the image are not among the best
    assert instances._is_held(off, [box(0, 30)])


def test_a_proposed_object_is_similar_on_the_whole_not_at_one_cell():
    given = instances.Proposed((Proposal(disc(120, 120, 48)),), (), drawn)
    assert list(instances._objects(bumps((10, 10), width=0.3), 1, choose, given)) == []
    assert len(list(instances._objects(bumps((10, 10), width=4.0), 1, choose, given))) == 1


def test_one_group_alone_is_the_single_mask_of_the_paper():
    whole = box(0, 30)
    found = instances.find(bumps((5, 5)), 16, choose, squares, sure, 0.5, 0.5, whole=whole)
    assert spans(found) == [(0, 30)]
    pair = instances.find(bumps((5, 5), (14, 24)), 16, choose, squares, sure, 0.5, 0.5, whole=whole)
    assert len(pair) == 2


def test_a_reduced_prompt_has_the_same_outlines_and_segments_alike(small_offline, make_scene):
    engine = ipseg.load("offline")
    (shown, mask), (other, _), (image, _) = (make_scene(700, 500, seed=seed) for seed in (0, 1, 2))
    whole = engine.prompt([shown, other], [mask, None])
    small = instances.reduced(replace(whole, negative=engine.prompt(other)))
    assert instances.outlines_of(small) == instances.outlines_of(whole)
    assert max(view.image.nbytes + view.saliency.nbytes for view in small.views) < shown.nbytes / 2
    assert small.negative.views[0].image.shape == small.views[0].image.shape
    assert small.negative.model is not None
    assert small.fingerprint() == replace(whole, negative=small.negative).fingerprint()
    found, expected = (
        engine.segment(each, image, negative_prompt=small.negative, all_instances=True) for each in (small, whole)
    )
    np.testing.assert_array_equal(found.mask, expected.mask)
    assert [one.score for one in found.instances] == [one.score for one in expected.instances]


def test_a_prompt_without_a_model_is_not_reduced(small_offline, make_scene):
    made = replace(ipseg.load("offline").prompt(make_scene()[0]), model=None)
    assert instances.reduced(made) is made
