"""The engines behind the page: built once each, on first use, without holding up the others."""

from __future__ import annotations

import threading

import pytest

from ipseg.core.types import InputError
from ipseg.engine import build
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server.pool import ENGINES, EnginePool


@pytest.fixture
def built(monkeypatch):
    """What was built, by name; "slow" ones wait until they may go on."""
    made, gate = [], threading.Event()

    def load(chosen, placement):
        if chosen.saliency == "none":
            gate.wait(600)
        made.append(chosen.name)
        return object()

    monkeypatch.setattr(build, "build", load)
    return made, gate


def test_an_engine_is_built_once_however_many_ask(built):
    made, gate = built
    pool, found = EnginePool(EngineSpec()), []
    slow = EngineSpec(saliency="none")
    threads = [threading.Thread(target=lambda: found.append(pool.engine(slow))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert not pool.loaded(slow)
    assert pool.engine(EngineSpec()) is pool.engine(EngineSpec())  # others are not held up
    gate.set()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert sorted(made) == [EngineSpec().name, slow.name]
    assert pool.loaded(slow)


def test_the_wait_for_an_engine_can_be_ended_and_the_build_goes_on(built):
    made, gate = built
    pool, slow = EnginePool(EngineSpec()), EngineSpec(saliency="none")
    reports = []

    def report(share, step):
        reports.append(step)
        if len(reports) == 3:
            raise InputError("stopped")

    with pytest.raises(InputError, match="stopped"):
        pool.engine(slow, report)
    assert reports == ["models"] * 3
    assert not made
    gate.set()
    assert pool.engine(slow)
    assert made == [slow.name]


def test_a_build_that_has_not_begun_is_dropped_where_nobody_waits(built):
    made, gate = built
    pool = EnginePool(EngineSpec())

    def leave(*_):
        raise InputError("left")

    for timestep in range(10):  # each visitor asks for another engine, and leaves
        with pytest.raises(InputError, match="left"):
            pool.engine(EngineSpec(saliency="none", refinement="single", timestep=timestep), leave)
    gate.set()
    assert pool.engine(EngineSpec())
    assert len(made) <= ENGINES + 1


def test_few_engines_are_saved(built):
    made, _ = built
    pool = EnginePool(EngineSpec())
    for refinement in ("", "single", "cascade"):
        pool.engine(EngineSpec(refinement=refinement))
    assert not pool.loaded(EngineSpec())
    assert pool.loaded(EngineSpec(refinement="cascade"))
    assert len(made) == ENGINES + 1


def test_a_choice_that_cannot_be_built_can_be_asked_again(monkeypatch):
    calls = []

    def load(chosen, placement):
        calls.append(chosen)
        if len(calls) == 1:
            raise InputError("The weights are not here.")
        return object()

    monkeypatch.setattr(build, "build", load)
    pool = EnginePool(EngineSpec())
    with pytest.raises(InputError, match="not here"):
        pool.engine(EngineSpec())
    assert pool.engine(EngineSpec()) is not None


def test_what_a_build_leaves_behind_is_returned_before_the_first_request(built, monkeypatch):
    returned = []
    monkeypatch.setattr("ipseg.ui.server.pool.give_back", lambda: returned.append(list(built[0])))
    pool = EnginePool(EngineSpec("offline"))
    pool.engine(EngineSpec("offline"))
    pool.engine(EngineSpec("offline"))
    assert returned == [["offline"]]
