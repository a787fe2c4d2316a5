"""Clips in and out, a frame at a time, by PyAV, whose wheels hold FFmpeg's libraries.

In: MP4, MOV, WebM, MKV and AVI. The type is decided by the first bytes, never by the name, and FFmpeg opens it as that
type alone, so that no playlist or script reaches it. Each frame keeps its time, also where the rate varies. Out: H.264
in MP4, which current browsers play, with the times of the frames and the sound of the clip.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.error import FFmpegError

from ipseg.core import formats, images
from ipseg.core.files import open_regular
from ipseg.core.store import open_partial
from ipseg.core.types import ImageArray, InputError, SettingError

KINDS = "MP4, MOV, WebM, MKV or AVI"
ENDINGS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi")
MAX_SECONDS = 120.0  # of one clip
MAX_FRAMES = 3600  # two minutes at 30 frames per second
MAX_PIXELS = 3840 * 2160  # of one frame
MIN_SIDE = 16  # pixels, as for images
USUAL_FPS = 25.0  # where a clip does not say
MAX_FPS = 1000.0  # what is stated beyond is a unit of time, not a rate
TICKS = 90_000  # of a second, in the clips that are made
MAX_ERRORS = 1000  # of one clip, before the rest of it is given up
ENCODERS = (("libx264", ".mp4"), ("libvpx", ".webm"))  # the first that is there is used
SOUND = ("aac", "mp3")  # what an MP4 may hold for every browser; other sound is encoded as AAC


class ClipError(InputError):
    """A clip that cannot be used; one message that says what to do."""


class IncompleteClipError(ClipError):
    """Some frames of a clip could not be read; raised after those that could."""


@dataclass(frozen=True)
class Clip:
    """A clip that can be read, by its header."""

    path: Path
    fps: float  # frames per second, on average
    frames: int  # as the header says, 0 where it does not
    size: tuple[int, int]  # height, width, upright
    seconds: float  # the longest that it may be
    name: str


@dataclass(frozen=True)
class TimedFrame:
    """One frame of a clip."""

    image: ImageArray  # (H, W, 3) uint8 RGB, upright
    time: float  # seconds from the start of the clip


def is_clip(path: Path) -> bool:
    """Whether the first bytes are those of a clip."""
    try:
        with open_regular(path) as file:
            return bool(formats.clip(file.read(32)))
    except OSError:
        return False


def open_clip(path: Path, *, seconds: float = MAX_SECONDS) -> Clip:
    """Read the header. Raises :class:`ClipError` for what is no clip, is damaged, too long or too large."""
    if not seconds > 0:  # also where it is NaN
        raise SettingError(f"The longest clip is set to {seconds:g} s; give a number above 0, for example 120.")
    _check_file(path)
    with _opened(path) as (container, stream):
        if stream is None:
            raise ClipError(f"{path.name} holds no frame that can be read; save or download it again.")
        if min(stream.width, stream.height) > 0:  # by the header, before a frame is decoded
            _check_size(path.name, stream.height, stream.width)
        count, lasts = stream.frames, _duration(container, stream)
        fps = _rate(stream, count, lasts)
        stated = Clip(path, fps, count, (stream.height, stream.width), seconds, path.name)
        _check_length(stated, count, max(lasts, count / fps))
    first = next((frame for frame in _decoded(stated, _Damage())), None)
    if first is None:
        raise ClipError(f"{path.name} holds no frame that can be read; save or download it again.")
    height, width = first.image.shape[:2]
    _check_size(path.name, height, width)
    return Clip(path, fps, count or round(lasts * fps), (height, width), seconds, path.name)


def frames(clip: Clip) -> Iterator[ImageArray]:
    """Each frame as :func:`timed_frames` gives it, without its time."""
    return (frame.image for frame in timed_frames(clip))


def timed_frames(clip: Clip) -> Iterator[TimedFrame]:
    """Each frame with its time, in order; all have the size of the first.

    Raises :class:`ClipError` when there are more than the header said. Where the file is cut short or damaged, the
    frames that can be read are given, and then :class:`IncompleteClipError` is raised.
    """
    damage, number, sound = _Damage(), 0, 0
    for frame in _decoded(clip, damage):
        number += 1
        sound += not damage.frame
        _check_length(clip, number, frame.time)
        if frame.image.shape[:2] != clip.size:
            small = cv2.resize(frame.image, clip.size[::-1], interpolation=cv2.INTER_AREA)
            frame = TimedFrame(small, frame.time)
        yield frame
    if damage.any or sound < number:
        raise IncompleteClipError(
            f"{clip.name} is damaged or cut short, and {sound} of {max(clip.frames, number)} frames were read; save or "
            "download it again for the others."
        )


@dataclass
class _Damage:
    """What went wrong while a clip was read."""

    any: bool = False  # some part could not be read
    frame: bool = False  # the last frame was decoded in part


def _decoded(clip: Clip, damage: _Damage) -> Iterator[TimedFrame]:
    """The frames that can be decoded, in order, of any size up to ``MAX_PIXELS``."""
    with _opened(clip.path) as (container, stream):
        if stream is None:
            return
        start, last, step = (container.start_time or 0) / av.time_base, -1.0, 1 / clip.fps
        for frame in _frames(container, stream, damage):
            time = frame.time - start if frame.pts is not None else last + step
            time = max(time, 0.0) if last < 0 else time
            time = time if time > last else last + 1 / TICKS
            last = time
            damage.frame = bool(frame.is_corrupt)
            yield TimedFrame(_upright(frame), time)


def _frames(container: Any, stream: Any, damage: _Damage) -> Iterator[Any]:
    """What the decoder gives; errors are noted in ``damage``, and the rest of the clip is read."""
    packets, reached, failed = 0, 0.0, 0
    reading = container.demux()
    while failed < MAX_ERRORS:
        try:
            packet = next(reading, None)
        except FFmpegError:
            damage.any, failed, reading = True, failed + 1, container.demux()
            continue
        if packet is None:
            break
        end = (packet.pts or 0) + (packet.duration or 0)
        reached = max(reached, float(end * packet.time_base)) if packet.time_base else reached
        if packet.stream is not stream:
            continue
        packets += packet.size > 0
        damage.any |= bool(packet.is_corrupt)
        try:
            yield from packet.decode()
        except (FFmpegError, ValueError):
            damage.any, failed = True, failed + 1
    if failed >= MAX_ERRORS:
        damage.any = True
    promised = _end(container, stream)
    short = reached > 0 and promised - reached > max(0.5, 0.02 * promised)
    damage.any |= short or packets < len(stream.index_entries)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Any]]:
    """The container and its stream of frames, None where it has none. Raises :class:`ClipError`."""
    try:
        with io.BufferedReader(open_regular(path)) as file, _container(file) as container:
            stream = container.streams.best("video")
            if stream is not None:
                # Frames may grow after the first; the decoder checks them before it makes room
                stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            yield container, stream
    except (FFmpegError, UnicodeDecodeError):
        raise ClipError(f"{path.name} is damaged or of a kind that cannot be read; save it again as {KINDS}.") from None
    except OSError as error:
        raise ClipError(f"{path.name} cannot be read ({error.strerror or error}); check the file.") from None


def _container(file: Any) -> Any:
    """A clip for reading, of the format that its first bytes say."""
    return av.open(file, format=formats.clip(file.peek(32)[:32]) or "mov")


def _duration(container: Any, stream: Any) -> float:
    """Seconds, by the header; 0 where it does not say. Matroska and WebM count from 0, not from the first frame."""
    start = (container.start_time or 0) / av.time_base if "matroska" in container.format.name else 0.0
    return max(0.0, _end(container, stream) - max(0.0, start))


def _end(container: Any, stream: Any) -> float:
    """The time that the header says the last frame reaches at least, in seconds; 0 where it does not say."""
    if container.duration:
        return container.duration / av.time_base
    return float(stream.duration * stream.time_base) if stream.duration else 0.0


def _rate(stream: Any, count: int, seconds: float) -> float:
    """Frames per second, on average."""
    guessed = stream.guessed_rate if stream.guessed_rate and stream.guessed_rate < MAX_FPS else None
    stated = (stream.average_rate, guessed, count / seconds if count and seconds > 0 else None)
    return next((float(rate) for rate in stated if rate and 0 < rate <= MAX_FPS and math.isfinite(rate)), USUAL_FPS)


def _upright(frame: Any) -> ImageArray:
    """(H, W, 3) uint8 RGB, rotated as the file says."""
    pixels = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / 90) % 4  # counter-clockwise
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


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


def _check_length(clip: Clip, frames: int, seconds: float) -> None:
    if seconds > clip.seconds + 0.5:
        shown = f"{seconds / 3600:.1f} hours" if seconds > 7200 else f"{seconds:.0f} s"
        raise ClipError(f"{clip.name} is {shown} long; give a clip of at most {clip.seconds:.0f} s.")
    if frames > MAX_FRAMES * max(1, clip.seconds / MAX_SECONDS):
        raise ClipError(f"{clip.name} has {frames} frames or more; give a clip of at most {MAX_FRAMES}.")


class Writer:
    """Encodes frames as they come. Use as a context; :attr:`path` is there once it ends with a frame and no error.

    ``sound``: a clip whose sound is taken over, up to the end of the last frame.
    """

    def __init__(
        self, folder: Path, stem: str, fps: float, size: tuple[int, int], *, sound: Path | None = None
    ) -> None:
        encoder, ending = _encoder()
        self.path = folder / f"{stem}{ending}"
        height, width = size
        self._pad, self._last, self._step = (height % 2, width % 2), -1, 1 / fps
        options = {"movflags": "+faststart"} if ending == ".mp4" else {}
        try:
            self._partial, self._descriptor = open_partial(folder)  # FFmpeg would open it with the first frame
        except OSError as error:
            raise ClipError(_not_written(error)) from None
        try:
            self._container = av.open(str(self._partial.resolve()), "w", format=ending[1:], options=options)
            self._stream: Any = self._container.add_stream(encoder, rate=Fraction(fps).limit_denominator(1001))
            self._stream.width, self._stream.height = width + width % 2, height + height % 2
            self._stream.pix_fmt = "yuv420p"
            self._stream.codec_context.time_base = Fraction(1, TICKS)
            if encoder == "libx264":
                self._stream.options = {"preset": "veryfast", "crf": "20"}
            else:
                self._stream.bit_rate = max(500_000, int(width * height * fps * 0.1))
        except (FFmpegError, OSError) as error:
            self._discard()
            raise ClipError(_not_written(error)) from None
        self._sound = _Sound(sound, self._container) if sound is not None and ending == ".mp4" else None

    def write(self, frame: ImageArray, time: float | None = None) -> None:
        """(H, W, 3) uint8 RGB at ``time`` seconds, by default one step after the last.

        A side that is odd is repeated once, as the encoders need even ones.
        """
        bottom, right = self._pad
        padded = np.pad(frame, ((0, bottom), (0, right), (0, 0)), mode="edge") if any(self._pad) else frame
        made: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
        ticks = self._last + round(self._step * TICKS) if time is None else round(time * TICKS)
        ticks = max(ticks, self._last + 1, 0) if self._last >= 0 or time is not None else 0
        made.pts, made.time_base, self._last = ticks, Fraction(1, TICKS), ticks
        try:
            self._container.mux(self._stream.encode(made))
            if self._sound is not None:
                self._sound.write(ticks / TICKS)
        except FFmpegError as error:
            raise ClipError(_not_written(error)) from None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        try:
            whole = kind is None and self._last >= 0
            self._close(whole=whole)
            if whole:
                self._rename()
        finally:
            self._discard()

    def _rename(self) -> None:
        if os.name == "nt":  # there an open file cannot be renamed
            os.close(self._descriptor)
            self._descriptor = -1
        try:
            os.replace(self._partial, self.path)
        except OSError as error:
            raise ClipError(_not_written(error)) from None

    def _discard(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._partial.unlink(missing_ok=True)

    def _close(self, *, whole: bool) -> None:
        try:
            if whole:
                self._container.mux(self._stream.encode(None))
                if self._sound is not None:
                    self._sound.write(self._last / TICKS + self._step)
            self._container.close()
        except FFmpegError as error:
            if whole:
                raise ClipError(_not_written(error)) from None
        finally:
            if self._sound is not None:
                self._sound.close()


class _Sound:
    """The sound of a clip, which is muxed into another as its frames are written.

    AAC and MP3 are copied, others are encoded as AAC. Where the sound cannot be read, it ends there.
    """

    def __init__(self, path: Path, target: Any) -> None:
        self._target, self._stream, self._file = target, None, None
        self._packets: Iterator[Any] = iter(())
        self._next: tuple[float, Any] | None = None
        try:
            self._file = io.BufferedReader(open_regular(path))
            self._source = _container(self._file)
            found = self._source.streams.best("audio")
            if found is None:
                return
            self._start = (self._source.start_time or 0) / av.time_base
            if found.codec_context.name.removesuffix("float") in SOUND:
                self._stream = target.add_stream_from_template(found)
                self._packets = self._copied(found)
            else:
                rate = found.rate if found.rate in (32_000, 44_100, 48_000) else 48_000
                self._stream = target.add_stream("aac", rate=rate)
                self._packets = self._encoded(found)
        except (FFmpegError, OSError, ValueError, TypeError):
            self._packets = iter(())

    def write(self, until: float) -> None:
        """Mux the packets that start before ``until`` seconds."""
        while True:
            if self._next is None:
                self._next = self._advance()
            if self._next is None or self._next[0] > until:
                return
            self._target.mux(self._next[1])
            self._next = None

    def _advance(self) -> tuple[float, Any] | None:
        try:
            return next(self._packets, None)
        except (FFmpegError, ValueError):
            self._packets = iter(())
            return None

    def _copied(self, stream: Any) -> Iterator[tuple[float, Any]]:
        shift = round(self._start / stream.time_base)
        for packet in self._source.demux(stream):
            if packet.dts is None or not packet.size:
                continue
            packet.dts, packet.pts = packet.dts - shift, (packet.dts if packet.pts is None else packet.pts) - shift
            if packet.pts < 0:
                continue
            time = float(packet.pts * packet.time_base)
            packet.stream = self._stream
            yield time, packet

    def _encoded(self, stream: Any) -> Iterator[tuple[float, Any]]:
        encoder: Any = self._stream
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=encoder.rate)
        for packet in self._source.demux(stream):
            for frame in packet.decode():
                if frame.pts is not None:
                    frame.pts -= round(self._start / frame.time_base)
                for part in resampler.resample(frame):
                    yield from self._timed(encoder.encode(part))
        yield from self._timed(encoder.encode(None))

    @staticmethod
    def _timed(packets: Any) -> Iterator[tuple[float, Any]]:
        for packet in packets:
            yield float((packet.pts or 0) * packet.time_base), packet

    def close(self) -> None:
        """Close the source."""
        source = getattr(self, "_source", None)
        if source is not None:
            source.close()
        if self._file is not None:
            self._file.close()


def _encoder() -> tuple[str, str]:
    """The encoder that is used, and the ending of its files. Raises :class:`ClipError` where there is none."""
    for name, ending in ENCODERS:
        try:
            av.Codec(name, "w")
        except (FFmpegError, ValueError):
            continue
        return name, ending
    raise ClipError("No encoder for clips is on this machine; install PyAV from its wheel, or save the masks alone.")


def _not_written(error: FFmpegError | OSError) -> str:
    reason = error.strerror or type(error).__name__
    return f"The clip cannot be written ({reason}); check that there is room on the disk."
