"""A clip through the engine: every frame gets its mask; between keyframes it is propagated by the optical flow."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ipseg.batch import clips, video
from ipseg.core.types import SettingError
from tests.batch.conftest import shot

pytestmark = pytest.mark.usefixtures("small_offline")


def iou(mask, truth) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


def test_every_frame_has_its_mask_and_few_are_keyframes(make_predictor, film):
    predictor, clip = make_predictor(), clips.open_clip(film(12, 6))
    frames = list(video.run(predictor, clip, per_second=2))
    assert [frame.number for frame in frames] == list(range(1, 13))
    assert [frame.number for frame in frames if frame.is_keyframe] == [1, 4, 7, 10]
    assert predictor.computed == 4
    for number, frame in enumerate(frames):
        assert iou(frame.mask, shot(number)[1]) > 0.75
    held = [iou(frames[number - 1].mask, shot(number)[1]) for number in (2, 3)]
    assert iou(frames[2].mask, shot(2)[1]) > held[0]  # it moved with the object


def test_every_frame_can_be_a_keyframe(make_predictor, film):
    predictor, clip = make_predictor(), clips.open_clip(film(5, 5))
    assert all(frame.is_keyframe for frame in video.run(predictor, clip, per_second=99))
    assert predictor.computed == 5


def test_keyframes_go_by_time(make_predictor, encode_clip):
    """Ten frames in a tenth of a second, then one each second."""
    times = [*(number / 100 for number in range(10)), 1.0, 2.0, 3.0]
    clip = clips.open_clip(encode_clip("variable.mp4", times))
    frames = list(video.run(make_predictor(), clip, per_second=2))
    assert [frame.time for frame in frames] == pytest.approx(times, abs=1e-3)
    assert [frame.number for frame in frames if frame.is_keyframe] == [1, 11, 12, 13]


def test_a_clip_cut_short_ends_with_a_message(make_predictor, encode_clip):
    path = encode_clip("cut.mp4", [number / 20 for number in range(60)], options={"movflags": "+faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    numbers: list[int] = []
    with pytest.raises(clips.IncompleteClipError, match="of 60 frames"):
        numbers.extend(frame.number for frame in video.run(make_predictor(), clips.open_clip(path), per_second=1))
    assert 10 < len(numbers) < 60


def test_a_stopped_clip_goes_on_where_it_was(make_predictor, film):
    stop: list[bool] = []
    clip = clips.open_clip(film(8, 4))
    predictor = make_predictor(stop=lambda: bool(stop))
    for frame in video.run(predictor, clip, per_second=4):
        if frame.number == 3:
            stop.append(True)
    assert predictor.computed == 3
    again = make_predictor()
    assert len(list(video.run(again, clip, per_second=4))) == 8
    assert again.computed == 5


def test_propagation_by_hand():
    """The camera moves by (3, 2) pixels a frame over a texture; what it shows moves with it, and so must the mask."""
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    world = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3), None, 0, 255, cv2.NORM_MINMAX)
    object_mask, propagator = np.zeros((240, 320), bool), video.MaskPropagator()
    object_mask[80:160, 90:190] = True
    views = [
        (world[y : y + 200, x : x + 260], object_mask[y : y + 200, x : x + 260])
        for x, y in zip(range(0, 30, 3), range(0, 20, 2), strict=True)
    ]
    found = propagator.start(*views[0])
    for image, _ in views[1:]:
        found = propagator.propagate(image)
    assert iou(found, views[-1][1]) > 0.95
    assert iou(views[0][1], views[-1][1]) < 0.5


def test_an_empty_mask_stays_empty(scene):
    propagator = video.MaskPropagator()
    propagator.start(scene[0], scene[1] & False)
    assert not propagator.propagate(scene[0]).any()


@pytest.mark.parametrize("per_second", [0, -1, float("nan")])
def test_keyframes_per_second_must_be_above_zero(per_second):
    with pytest.raises(SettingError, match="above 0"):
        video.check(per_second)
