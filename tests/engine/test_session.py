"""One prompt on one engine, for any number of images."""

from __future__ import annotations

import numpy as np
import pytest

from ipseg.core.types import ImageError, Points
from ipseg.engine.session import SegmentSession
from ipseg.method.config import Parameters


@pytest.fixture
def session(engine, scene):
    """A session on the stub, with numbers of its own."""
    image, mask = scene
    parameters = Parameters(k=8, threshold=0.75)
    return SegmentSession.of(engine, [image], [mask], [image], parameters=parameters, all_instances=True)


def test_prompt_numbers_and_clicks_reach_the_engine(session, scene):
    image = scene[0]
    clicks = Points(np.array([[3, 4]], np.float32), np.empty((0, 2), np.float32))
    result = session.segment(image, clicks=clicks)
    assert session.engine.asked == {"negative_prompt": session.negative_prompt, "clicks": clicks}
    assert session.negative_prompt is not None
    assert (result.threshold, result.instances is not None) == (0.75, True)
    assert len(session.engine.prompts) == 2


def test_an_image_that_cannot_be_used_is_an_outcome_with_its_error(session, scene, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    seen = []
    outcomes = session.segment_each(
        [tmp_path / "text.png", scene[0]], progress=lambda number: lambda *_: seen.append(number)
    )
    bad, good = outcomes
    assert (bad.number, bad.result, good.number, good.error) == (0, None, 1, None)
    assert "text.png" in str(bad.error)
    assert good.result.mask.any()


def test_clicks_are_those_of_their_image(session, scene):
    clicks = [None, Points(np.array([[1, 1]], np.float32), np.empty((0, 2), np.float32))]
    asked = [session.engine.asked["clicks"] for _ in session.segment_each([scene[0], scene[0]], clicks)]
    assert asked == clicks


def test_where_no_image_can_be_used_the_first_error_is_raised(session, tmp_path):
    for name in ("one.png", "two.png"):
        (tmp_path / name).write_text("no image")
    outcomes = session.segment_each([tmp_path / "one.png", tmp_path / "two.png"])
    assert [next(outcomes).number, next(outcomes).number] == [0, 1]
    with pytest.raises(ImageError, match=r"one\.png"):
        next(outcomes)
