"""The progress of a prompt, by which a caller ends it."""

from __future__ import annotations

import itertools

import pytest

import ipseg


class LateError(Exception):
    """The time is up."""


@pytest.mark.parametrize("last", range(6))
def test_progress_is_called_before_each_image_and_its_features(last, make_scene, monkeypatch):
    engine, worked, calls = ipseg.load("offline"), [], []
    view, features = type(engine)._view, type(engine.encodings).features
    monkeypatch.setattr(type(engine), "_view", lambda *given: (worked.append("view"), view(*given))[1])
    monkeypatch.setattr(type(engine.encodings), "features", lambda *given: (worked.append("f"), features(*given))[1])

    def progress(share: float, step: str) -> None:
        assert step == "prompt"
        calls.append(len(worked))
        if len(calls) > last:
            raise LateError

    with pytest.raises(LateError):
        engine.prompt([make_scene(seed=seed)[0] for seed in range(3)], progress=progress)
    assert worked.count("view") == min(last, 3)
    assert len(calls) == last + 1
    assert all(before < after for before, after in itertools.pairwise(calls))  # work between any two calls
