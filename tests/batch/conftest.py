"""Clips and a predictor, small enough to be quick."""

from __future__ import annotations

from dataclasses import fields

import cv2
import numpy as np
import pytest

import ipseg
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


def shot(number: int, size: tuple[int, int] = (48, 64)):
    """One frame of it and its mask."""
    rng = np.random.default_rng(0)
    image = rng.integers(90, 130, (*size, 3), dtype=np.uint8)
    mask = np.zeros(size, bool)
    mask[size[0] // 3 : size[0] // 3 * 2, 8 + 2 * number : 24 + 2 * number] = True
    image[mask] = RED
    return image, mask


@pytest.fixture(scope="session")
def offline():
    """The offline engine."""
    return ipseg.load("offline")


@pytest.fixture
def make_predictor(offline, tmp_path, make_scene):
    """A predictor with its cache below the temporary folder: ``make_predictor(stop=..., k=...)``."""

    def make(**options) -> Predictor:
        image, mask = make_scene(60, 80, RED)
        named = {field.name for field in fields(Parameters)} & options.keys()
        parameters = Parameters(**{name: options.pop(name) for name in named})
        return Predictor(offline, [image], [mask], parameters=parameters, folder=tmp_path / "cache", **options)

    return make
