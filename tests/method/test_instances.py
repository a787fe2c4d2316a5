"""All instances: groups of points from the hills of a similarity, a mask for each."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ipseg
from ipseg.core import geometry
from ipseg.core.types import Candidates, Points, Similarity
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


@pytest.mark.slow
def test_the_offline_engine_counts_most_of_the_examples():
    engine = ipseg.load("offline")
    right = []
    for one in index():
        prompt = engine.prompt(GALLERIES / one["prompt"]["image"])
        result = engine.segment(prompt, GALLERIES / one["input"]["image"], all_instances=True)
        assert result.instances
        assert np.array_equal(result.labels() > 0, result.all_instances)
        right.append(len(result.instances) == one["count"])
    assert np.mean(right) > 0.5


def test_a_question_for_one_object_has_no_instances():
    engine, pair = ipseg.load("offline"), index()[1]
    prompt = engine.prompt(GALLERIES / pair["prompt"]["image"])
    one = engine.segment(prompt, GALLERIES / pair["input"]["image"])
    everything = engine.segment(prompt, GALLERIES / pair["input"]["image"], all_instances=True)
    assert one.instances == ()
    assert not one.all_instances.any()
    assert np.array_equal(one.mask, everything.mask)  # the paper's single mask stands beside them
    assert "instances" in everything.seconds
    assert everything.overlay_instances().shape == everything.image.shape
