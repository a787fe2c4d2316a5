"""The progress of a prompt, by which a caller ends it."""

from __future__ import annotations

import pytest

import ipseg
from ipseg.core import masks
from ipseg.method.encodings import Encodings

pytestmark = pytest.mark.usefixtures("small_offline")


class LateError(Exception):
    """The time is up."""


@pytest.mark.parametrize("last", range(9))
def test_progress_is_called_before_each_image_is_opened_and_encoded(last, make_scene, monkeypatch):
    engine, opened, saliency_maps, calls = ipseg.load("offline"), [], [], []
    open_image, foreground = masks.images.open_image, Encodings.foreground
    scenes = [make_scene(seed=seed)[0] for seed in range(3)]
    monkeypatch.setattr(Encodings, "foreground", lambda *given: (saliency_maps.append(1), foreground(*given))[1])

    def progress(share: float, step: str) -> None:
        assert step == "prompt"
        calls.append(step)
        if len(calls) > last:
            raise LateError

    def counted(source, **named):
        if any(source is scene for scene in scenes):
            opened.append(source)
        return open_image(source, **named)

    monkeypatch.setattr(masks.images, "open_image", counted)
    with pytest.raises(LateError):
        engine.prompt(scenes, progress=progress)
    assert len(opened) == min(last, 3)
    assert len(saliency_maps) == min(max(last - 3, 0), 3)
    assert len(calls) == last + 1
