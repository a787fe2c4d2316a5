"""The progress of a prompt, by which a caller ends it."""

from __future__ import annotations

import pytest

import ipseg
from ipseg.core import masks


class LateError(Exception):
    """The time is up."""


@pytest.mark.parametrize("last", range(9))
def test_progress_is_called_before_each_image_is_opened_seen_and_described(last, make_scene, monkeypatch):
    engine, opened, seen, calls = ipseg.load("offline"), [], [], []
    open_image, view = masks.images.open_image, type(engine)._view
    pictures = [make_scene(seed=seed)[0] for seed in range(3)]
    monkeypatch.setattr(type(engine), "_view", lambda *given: (seen.append(1), view(*given))[1])

    def progress(share: float, step: str) -> None:
        assert step == "prompt"
        calls.append(step)
        if len(calls) > last:
            raise LateError

    def counted(source, **named):
        if any(source is picture for picture in pictures):
            opened.append(source)
        return open_image(source, **named)

    monkeypatch.setattr(masks.images, "open_image", counted)
    with pytest.raises(LateError):
        engine.prompt(pictures, progress=progress)
    assert len(opened) == min(last, 3)
    assert len(seen) == min(max(last - 3, 0), 3)
    assert len(calls) == last + 1
