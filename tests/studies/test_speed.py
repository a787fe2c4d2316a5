"""What is measured: the right calls on the right state; never how long they take."""

from __future__ import annotations

import numpy as np
import pytest

import ipseg
from ipseg.studies import speed

pytestmark = pytest.mark.usefixtures("small_offline")


class Engine:
    """Counts what is computed; encodings are cached as an engine's are."""

    def __init__(self, made):
        self.made, self.computed = made, []
        for name in ("features", "foreground", "encoding"):
            self._count(name)

    def _count(self, name):
        inner = getattr(self.made.encodings, name)

        def counted(image):
            if not self.made.encodings.has(name, image):
                self.computed.append(name)
            return inner(image)

        setattr(self.made.encodings, name, counted)

    def during(self, call):
        before = len(self.computed)
        call()
        return sorted(set(self.computed[before:]))


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    images = rng.integers(90, 130, (2, 48, 64, 3), dtype=np.uint8)
    images[:, 16:32, 20:44] = (200, 30, 40)
    return images


def test_each_request_begins_in_its_own_state(pair, monkeypatch):
    made, found = Engine(ipseg.load("offline")), {}

    def timed(name, prepare, answers, repeat):
        found[name] = made.during(prepare())
        return speed.Row(name, 1.0, answers)

    monkeypatch.setattr(speed, "timed", timed)
    monkeypatch.setattr(speed, "BATCH", 2)
    speed.measure(made.made, *pair, repeat=1, prompts=3)
    everything = ["encoding", "features", "foreground"]
    assert found["new prompt, new input"] == everything
    assert "features" in found["prompt encoding"]
    assert "encoding" in found["new input"]
    assert found["batch of 2"] == everything
    for name in ("known input, other prompt", "K = 64", "c = 8", "threshold = 0", "click", "3 prompts on one input"):
        assert found[name] == [], name


def test_rows_that_are_not_wanted_are_not_computed(pair, monkeypatch):
    monkeypatch.setattr(speed, "timed", lambda name, prepare, answers, repeat: speed.Row(name, 1.0, answers))
    names = [row.name for row in speed.measure(ipseg.load("offline"), *pair, repeat=1, prompts=0, batch=0)]
    assert "click" in names
    assert not [name for name in names if "batch" in name or "prompts" in name]


def test_the_fastest_repetition_counts_and_memory_is_what_the_system_says():
    calls = []
    row = speed.timed("test", lambda: lambda: calls.append(1), 1, 3)
    assert len(calls) == 3
    assert 0 <= row.seconds < float("inf")
    assert row.gpu_mb is None or row.gpu_mb >= 0
    assert row.peak_mb is None or row.peak_mb > 1
    assert row.as_data()["name"] == "test"


def test_variants_and_prompts_differ(pair):
    assert len({image.tobytes() for image in speed.variants(pair[0], 4)}) == 4
    engine = ipseg.load("offline")
    prompts = list(speed.prompts_on(engine, pair[0], 5))
    assert len({prompt.views[0].saliency.tobytes() for prompt in prompts}) == 5


def test_the_naive_engine_computes_what_it_is_asked_for_again(pair):
    made = Engine(speed.naive(ipseg.load("offline")))
    made.made.prompt(pair[0])
    assert made.computed.count("features") > 1


def test_a_table_has_the_ratios_within_the_run():
    rows = [speed.Row("a", 2.0, cpu_seconds=3.0, peak_mb=100.0), speed.Row("b", 1.0, answers=4)]
    lines = speed.table(rows, [speed.Row("a", 4.0)])
    assert lines[2:] == [
        "| a | 2.000 | 3.000 | 100% | 50% | 100 | not measured |",
        "| b | 1.000 (0.250 each) |  | 50% | | not measured | not measured |",
    ]


def test_a_floor_needs_a_rate():
    assert speed.matrix_rate() > 0
