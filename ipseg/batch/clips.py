"""Clips in and out, a frame at a time.

In: what OpenCV reads of MP4, MOV, WebM, MKV and AVI. The type is decided by the first bytes, never by the name, so
that no playlist or script reaches the reader. Out: H.264 in MP4 where an ``ffmpeg`` with libx264 is on the machine,
else VP8 in WebM by OpenCV itself, whose package holds no H.264 encoder; current browsers play both. Sound is left out.
"""

from __future__ import annotations

import functools
import math
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ipseg.core import images
from ipseg.core.files import open_regular
from ipseg.core.types import ImageArray, InputError, SettingError

KINDS = "MP4, MOV, WebM, MKV or AVI"
ENDINGS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi")
MAX_SECONDS = 120.0  # of one clip
MAX_FRAMES = 3600  # two minutes at 30 frames per second
MAX_PIXELS = 3840 * 2160  # of one frame
MIN_SIDE = 16  # pixels, as for images
USUAL_FPS = 25.0  # where a clip does not say


class ClipError(InputError):
    """A clip that cannot be used; one message that says what to do."""


@dataclass(frozen=True)
class Clip:
    """A clip that can be read, by its header."""

    path: Path
    fps: float  # frames per second
    frames: int  # as the header says, 0 where it does not
    size: tuple[int, int]  # height, width
    seconds: float  # the longest that it may be
    name: str


def is_clip(path: Path) -> bool:
    """Whether the first bytes are those of a clip."""
    try:
        with open_regular(path) as file:
            head = file.read(16)
    except OSError:
        return False
    iso = head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
    still = head[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis")
    return (iso and not still) or head[:4] == b"\x1aE\xdf\xa3" or (head[:4] == b"RIFF" and head[8:12] == b"AVI ")


def open_clip(path: Path, *, seconds: float = MAX_SECONDS) -> Clip:
    """Read the header. Raises :class:`ClipError` for what is no clip, is damaged, too long or too large."""
    if not seconds > 0:  # also where it is NaN
        raise SettingError(f"The longest clip is set to {seconds:g} s; give a number above 0, for example 120.")
    _check_file(path)
    reader = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not reader.isOpened():
            raise ClipError(f"{path.name} is damaged or of a kind that cannot be read; save it again as {KINDS}.")
        # By the header, before a frame is decoded
        stated = reader.get(cv2.CAP_PROP_FRAME_HEIGHT), reader.get(cv2.CAP_PROP_FRAME_WIDTH)
        if min(stated) > 0:
            _check_size(path.name, *stated)
        fps, count = reader.get(cv2.CAP_PROP_FPS), reader.get(cv2.CAP_PROP_FRAME_COUNT)
        _, first = reader.read()
    finally:
        reader.release()
    if first is None:
        raise ClipError(f"{path.name} holds no frame that can be read; save or download it again.")
    height, width = first.shape[:2]
    _check_size(path.name, height, width)
    rate = fps if math.isfinite(fps) and 0 < fps <= 240 else USUAL_FPS
    frames = int(count) if math.isfinite(count) and count > 0 else 0
    clip = Clip(path, rate, frames, (height, width), seconds, path.name)
    _check_length(clip, frames)
    return clip


def frames(clip: Clip) -> Iterator[ImageArray]:
    """Each frame, upright, (H, W, 3) uint8 RGB. Raises :class:`ClipError` when there are more than the header said."""
    reader = cv2.VideoCapture(str(clip.path), cv2.CAP_FFMPEG)
    number = 0
    try:
        while True:
            good, frame = reader.read()
            if not good:
                return
            number += 1
            _check_length(clip, number)
            if frame.shape[:2] != clip.size:
                frame = cv2.resize(frame, clip.size[::-1], interpolation=cv2.INTER_AREA)
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        reader.release()


def _check_file(path: Path) -> None:
    try:
        with open_regular(path) as file:
            empty = os.fstat(file.fileno()).st_size == 0
    except OSError as error:
        raise ClipError(f"{path.name} cannot be read ({error.strerror}); check the file.") from None
    if empty:
        raise ClipError(f"{path.name} is an empty file; save or download it again.")
    if not is_clip(path):
        raise ClipError(f"{path.name} is not a clip that can be read; give an {KINDS} file.")


def _check_size(name: str, height: float, width: float) -> None:
    """Raise :class:`ClipError` for frames that are too large, too small or too thin."""
    if height * width > MAX_PIXELS or min(height, width) < MIN_SIDE:
        limits = f"from {MIN_SIDE} pixels on a side up to 3840x2160"
        raise ClipError(f"{name} has frames of {width:.0f}x{height:.0f} pixels; give a clip {limits}.")
    if max(height, width) > images.MAX_ASPECT * min(height, width):
        raise ClipError(
            f"{name} has frames of {width:.0f}x{height:.0f} pixels; give a clip whose longer side is at most "
            f"{images.MAX_ASPECT} times its shorter side."
        )


def _check_length(clip: Clip, frames: int) -> None:
    long = frames / clip.fps
    if long > clip.seconds + 0.5:
        shown = f"{long / 3600:.1f} hours" if long > 7200 else f"{long:.0f} s"
        raise ClipError(f"{clip.name} is {shown} long; give a clip of at most {clip.seconds:.0f} s.")
    if frames > MAX_FRAMES * max(1, clip.seconds / MAX_SECONDS):
        raise ClipError(f"{clip.name} has {frames} frames or more; give a clip of at most {MAX_FRAMES}.")


class Writer:
    """Encodes frames as they come. Use as a context; :attr:`path` is there once it ends with a frame and no error."""

    def __init__(self, folder: Path, stem: str, fps: float, size: tuple[int, int]) -> None:
        ending = ".mp4" if has_h264() else ".webm"
        self.path, self._partial = folder / f"{stem}{ending}", folder / f".{stem}.part{ending}"
        height, width = size
        self._pad, self._written = (height % 2, width % 2), 0
        even = (width + width % 2, height + height % 2)
        self._sink: Any = _H264(self._partial, fps, even) if has_h264() else _VP8(self._partial, fps, even)

    def write(self, frame: ImageArray) -> None:
        """(H, W, 3) uint8 RGB; a side that is odd is repeated once, as the encoders need even ones."""
        self._written += 1
        bottom, right = self._pad
        self._sink.write(np.pad(frame, ((0, bottom), (0, right), (0, 0)), mode="edge") if any(self._pad) else frame)

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            self._sink.close(whole=kind is None and self._written > 0)
            if kind is None and self._written:
                os.replace(self._partial, self.path)
        finally:
            self._partial.unlink(missing_ok=True)


class _H264:
    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", f"{fps:.6f}", "-i", "-"]
        made = ["-an", "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"]
        command = [str(shutil.which("ffmpeg")), "-hide_banner", "-loglevel", "error", "-y", *source, *made]
        self._process = subprocess.Popen(  # noqa: S603 - no user input in it; the frames come through the pipe
            [*command, "-movflags", "+faststart", str(path)], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def write(self, frame: ImageArray) -> None:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        try:
            self._process.stdin.write(np.ascontiguousarray(frame).data)
        except BrokenPipeError:
            raise ClipError("ffmpeg stopped while it encoded; check that there is room on the disk.") from None

    def close(self, *, whole: bool) -> None:
        self._process.communicate()
        if whole and self._process.returncode:
            raise ClipError("ffmpeg could not finish the clip; check that there is room on the disk.")


class _VP8:
    def __init__(self, path: Path, fps: float, size: tuple[int, int]) -> None:
        self._writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"VP80"), fps, size)
        if not self._writer.isOpened():
            raise ClipError("No encoder for clips is on this machine; install ffmpeg, or save the masks alone.")

    def write(self, frame: ImageArray) -> None:
        self._writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))

    def close(self, *, whole: bool) -> None:
        self._writer.release()


@functools.cache
def has_h264() -> bool:
    """Whether an ``ffmpeg`` that encodes H.264 is on this machine."""
    program = shutil.which("ffmpeg")
    if program is None:
        return False
    listed = subprocess.run([program, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False)  # noqa: S603
    return " libx264 " in listed.stdout
