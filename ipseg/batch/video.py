"""Segment a clip: the engine segments keyframes, and between them the mask is propagated by optical flow.

The motion is DIS optical flow (Kroeger et al., 2016) from each frame back to the one before, at reduced size. It is
not part of the paper, whose method takes single images; with ``per_second`` at the clip's own rate every frame is a
keyframe and no mask is propagated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.batch import clips
from ipseg.batch.clips import Clip, TimedFrame
from ipseg.batch.predictions import Prediction, Predictor
from ipseg.core import overlap
from ipseg.core.types import ImageArray, Mask, SettingError, Stopped

PER_SECOND = 3.0  # keyframes; a clip of 10 s then has 30 of them
TOLERANCE = 0.5  # of a frame, by which a keyframe may come early
FLOW_SIDE = 320  # pixels: the longer side at which the motion is measured


@dataclass(frozen=True)
class VideoFrame:
    """One frame and its mask."""

    number: int  # from 1
    total: int  # as the clip's header says; never less than ``number``
    time: float  # seconds from the start of the clip
    image: ImageArray  # (H, W, 3) uint8 RGB
    mask: Mask  # (H, W) bool: the best guess, even where the object is not detected
    prediction: Prediction  # of the last keyframe, which is this frame where ``is_keyframe``
    is_keyframe: bool  # whether the engine segmented this frame


def check(per_second: float) -> None:
    """Raise SettingError unless 0 < ``per_second``."""
    if not per_second > 0:
        raise SettingError(f"There are {per_second:g} keyframes per second; give a number above 0, for example 3.")


def run(predictor: Predictor, clip: Clip, *, per_second: float = PER_SECOND) -> Iterator[VideoFrame]:
    """Every frame with its mask, in order; ends early, without an error, when ``predictor.stop`` returns True.

    Keyframes are at least 1 / ``per_second`` seconds apart. Frames are decoded ahead, two at most.
    Raises ClipError when the clip is longer than its header said, and IncompleteClipError after the last frame when
    some cannot be read.
    """
    check(per_second)
    prediction, propagator = None, MaskPropagator()
    for number, frame, is_keyframe in with_keyframes(clip, per_second):
        if predictor.stop():
            return
        if is_keyframe:
            try:
                prediction = predictor.predict(frame.image)
            except Stopped:
                return
            mask = propagator.start(frame.image, prediction.guess)
        else:
            mask = propagator.propagate(frame.image)
        if prediction is not None:
            total = max(clip.frames, number)
            yield VideoFrame(number, total, frame.time, frame.image, mask, prediction, is_keyframe)


def with_keyframes(clip: Clip, per_second: float) -> Iterator[tuple[int, TimedFrame, bool]]:
    """The number of each frame from 1, the frame, and whether it is a keyframe, as the first one always is.

    Keyframes are at least 1 / ``per_second`` seconds apart; :data:`TOLERANCE` of a frame less is near enough. Raises
    what :func:`ipseg.batch.clips.timed_frames` raises.
    """
    due = 0.0
    for number, frame in enumerate(overlap.ahead(clips.timed_frames(clip)), 1):
        is_keyframe = number == 1 or frame.time >= due
        if is_keyframe:
            due = frame.time + 1 / per_second - TOLERANCE / clip.fps
        yield number, frame, is_keyframe


class MaskPropagator:
    """Propagates a mask from frame to frame along the optical flow between them."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._grey: NDArray[np.uint8] | None = None
        self._soft = np.zeros((0, 0), np.float32)

    def start(self, image: ImageArray, mask: Mask) -> Mask:
        """Reset to the (H, W) bool ``mask`` of this (H, W, 3) uint8 RGB frame; returns the mask."""
        self._grey, self._soft = _small(image), mask.astype(np.float32)
        return mask

    def propagate(self, image: ImageArray) -> Mask:
        """The mask in the next frame, (H, W) bool, sampled from the last one where each pixel moved from."""
        grey, (height, width) = _small(image), self._soft.shape
        if self._soft.any() and self._grey is not None:
            motion = self._flow.calc(grey, self._grey, None)
            scale = np.array([width / grey.shape[1], height / grey.shape[0]], np.float32)
            motion = cv2.resize(motion, (width, height), interpolation=cv2.INTER_LINEAR) * scale
            y, x = np.mgrid[:height, :width].astype(np.float32)
            self._soft = cv2.remap(self._soft, x + motion[..., 0], y + motion[..., 1], cv2.INTER_LINEAR)
        self._grey = grey
        return self._soft > 0.5


def _small(image: ImageArray) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, FLOW_SIDE / max(grey.shape))
    return grey if scale == 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
