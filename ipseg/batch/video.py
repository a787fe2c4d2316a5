"""A clip through the engine: some frames are looked at, and between them the mask follows the motion.

The motion is DIS optical flow (Kroeger et al., 2016) from each frame back to the one before, at reduced size. It is
no part of the paper, whose method knows single images; with ``per_second`` at the clip's own rate every frame is
looked at and nothing is followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.batch import clips
from ipseg.batch.clips import Clip
from ipseg.batch.looks import Look, Question, Stopped
from ipseg.core.types import ImageArray, Mask, SettingError

PER_SECOND = 3.0  # looks; a clip of 10 s then takes 30 of them
FLOW_SIDE = 320  # pixels: the longer side at which the motion is measured


@dataclass(frozen=True)
class Frame:
    """One frame and its mask."""

    number: int  # from 1
    total: int  # as the clip's header says; never less than ``number``
    picture: ImageArray  # (H, W, 3) uint8 RGB
    mask: Mask  # (H, W) bool: the best guess, even where the object was not found
    look: Look  # the last one: of this frame where ``looked``, else the one that the mask comes from
    looked: bool


def frame_step(clip: Clip, per_second: float) -> int:
    """How many frames it is from one look to the next. Raises SettingError unless 0 < ``per_second``."""
    if not per_second > 0:
        raise SettingError(f"Looks per second are {per_second:g}; give a number above 0, for example 3.")
    return max(1, round(clip.fps / per_second))


def run(question: Question, clip: Clip, *, per_second: float = PER_SECOND) -> Iterator[Frame]:
    """Every frame with its mask, in order; ends early, and quietly, when the question is told to stop.

    Two frames are in memory at a time. Raises ClipError when the clip is longer than its header said.
    """
    step, look, follower = frame_step(clip, per_second), None, Follower()
    for place, picture in enumerate(clips.frames(clip)):
        if question.stop():
            return
        looked = look is None or place % step == 0
        if looked:
            try:
                look = question.look(picture)
            except Stopped:
                return
            mask = follower.start(picture, look.guess)
        else:
            mask = follower.follow(picture)
        if look is not None:
            yield Frame(place + 1, max(clip.frames, place + 1), picture, mask, look, looked)


class Follower:
    """Carries a mask from frame to frame along the motion between them."""

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._grey: NDArray[np.uint8] | None = None
        self._soft = np.zeros((0, 0), np.float32)

    def start(self, picture: ImageArray, mask: Mask) -> Mask:
        """Begin anew with the (H, W) ``mask`` of this frame."""
        self._grey, self._soft = _small(picture), mask.astype(np.float32)
        return mask

    def follow(self, picture: ImageArray) -> Mask:
        """The mask in the next frame, (H, W) bool: what lies where each pixel came from."""
        grey, (height, width) = _small(picture), self._soft.shape
        if self._soft.any() and self._grey is not None:
            motion = self._flow.calc(grey, self._grey, None)
            scale = np.array([width / grey.shape[1], height / grey.shape[0]], np.float32)
            motion = cv2.resize(motion, (width, height), interpolation=cv2.INTER_LINEAR) * scale
            y, x = np.mgrid[:height, :width].astype(np.float32)
            self._soft = cv2.remap(self._soft, x + motion[..., 0], y + motion[..., 1], cv2.INTER_LINEAR)
        self._grey = grey
        return self._soft > 0.5


def _small(picture: ImageArray) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, FLOW_SIDE / max(grey.shape))
    return grey if scale == 1 else cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
