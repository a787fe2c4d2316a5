"""Clips and a predictor, small enough to be quick."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from ipseg.batch.predictions import Predictor
from ipseg.method.config import Parameters

RED = (200, 30, 40)


@pytest.fixture
def film(tmp_path):
    """A red square that goes to the right: ``film(frames, fps, size)`` gives the path of an AVI file."""

    def make(frames: int = 12, fps: float = 6, size: tuple[int, int] = (48, 64), name: str = "clip.avi"):
        height, width = size
        kind = cv2.VideoWriter.fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(tmp_path / name), cv2.CAP_FFMPEG, kind, fps, (width, height))
        for number in range(frames):
            writer.write(shot(number, size)[0][..., ::-1].copy())
        writer.release()
        return tmp_path / name

    return make


@pytest.fixture
def encode_clip(tmp_path):
    """A clip of given frames: ``encode_clip(name, times, size, codec=..., rotation=..., tone=..., sizes=...)``.

    ``times``: seconds of each frame. ``tone``: the codec of a sound of as many seconds, or None. ``sizes``: (height,
    width) of each frame.
    """

    def make(name, times, size=(48, 64), *, codec="libx264", tone=None, options=None):
        path = tmp_path / name
        with av.open(str(path), "w", options=options or {}) as container:
            steps = sorted(after - before for before, after in pairwise(times)) or [0.1]
            stream = container.add_stream(codec, rate=Fraction(1 / steps[len(steps) // 2]).limit_denominator(1000))
            stream.options = {"g": "5"}
            stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
            stream.codec_context.time_base = Fraction(1, 90_000)
            sound = container.add_stream(tone, rate=48_000) if tone else None
            for number, time in enumerate(times):
                frame = av.VideoFrame.from_ndarray(shot(number % 10, size)[0], format="rgb24")
                frame.pts, frame.time_base = round(time * 90_000), Fraction(1, 90_000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
            if sound is not None:
                sing(container, sound, times[-1])
        return path

    return make


def sing(container, stream, seconds: float) -> None:
    """A tone of 440 Hz."""
    wave = np.sin(np.arange(round(seconds * 48_000)) / 48_000 * 440 * 2 * np.pi).astype(np.float32)[None] / 2
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave), format="fltp", layout="mono")
    frame.sample_rate, frame.pts = 48_000, 0
    context = stream.codec_context
    resampler = av.AudioResampler(format=context.format, layout=context.layout, rate=48_000, frame_size=960)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def shot(number: int, size: tuple[int, int] = (48, 64)):
    """One frame of it and its mask."""
    rng = np.random.default_rng(0)
    image = rng.integers(90, 130, (*size, 3), dtype=np.uint8)
    mask = np.zeros(size, bool)
    mask[size[0] // 3 : size[0] // 3 * 2, 8 + 2 * number : 24 + 2 * number] = True
    image[mask] = RED
    return image, mask


@pytest.fixture
def make_predictor(offline, tmp_path, make_scene):
    """A predictor with its cache below the temporary folder: ``make_predictor(stop=..., k=...)``."""

    def make(**options) -> Predictor:
        image, mask = make_scene(60, 80, RED)
        named = {field.name for field in fields(Parameters)} & options.keys()
        parameters = Parameters(**{name: options.pop(name) for name in named})
        return Predictor(offline, [image], [mask], parameters=parameters, folder=tmp_path / "cache", **options)

    return make
