"""Clips in and out: what is read, what is refused, and that browsers' formats come out."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

from ipseg.batch import clips
from tests.batch.conftest import shot


def refused(one_message, path, **options) -> str:
    with pytest.raises(clips.ClipError) as caught:
        clips.open_clip(path, **options)
    one_message(str(caught.value), names=path.name, folder=path.parent)
    return str(caught.value)


def test_a_clip_is_read_frame_by_frame(film):
    clip = clips.open_clip(film(12, 6))
    assert (clip.fps, clip.frames, clip.size) == (6, 12, (48, 64))
    read = list(clips.frames(clip))
    assert len(read) == 12
    for number in (0, 5, 11):
        assert np.abs(read[number].astype(int) - shot(number)[0]).mean() < 12  # JPEG


BAD = {
    "words.mp4": (b"words in a file with another name", "is not a clip"),
    "empty.mp4": (b"", "is an empty file"),
    "moving.gif": (b"GIF89a" + bytes(40), "is not a clip"),
    "list.mp4": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "is not a clip"),
    "script.mp4": (b"ffconcat version 1.0\nfile /etc/passwd\n", "is not a clip"),
    "paper.mp4": (b"%PDF-1.7\n" + bytes(40), "is not a clip"),
    "photo.mp4": (b"\x00\x00\x00\x18ftypheic" + bytes(40), "is not a clip"),
    "header.mp4": (b"\x00\x00\x00\x18ftypisom" + bytes(40), "is damaged"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_clip_is_one_message(tmp_path, one_message, name):
    data, words = BAD[name]
    (tmp_path / name).write_bytes(data)
    assert words in refused(one_message, tmp_path / name)


def test_a_missing_file(tmp_path, one_message):
    assert "cannot be read" in refused(one_message, tmp_path / "none.mp4")


def test_a_clip_cut_short_gives_the_frames_that_are_there_or_a_message(film):
    path = film(12)
    path.write_bytes(path.read_bytes()[:9000])
    try:
        read = list(clips.frames(clips.open_clip(path)))
    except clips.ClipError:
        return
    assert 0 < len(read) < 12


def test_a_four_hour_clip_is_refused_by_its_header(film, one_message):
    """Its header says 1000 seconds a frame: scale and rate of the stream, in an AVI."""
    path = film(15)
    data = bytearray(path.read_bytes())
    place = data.index(b"strh") + 28
    data[place : place + 8] = struct.pack("<II", 1000, 1)
    path.write_bytes(data)
    assert "4.2 hours long" in refused(one_message, path)


def test_a_clip_over_the_bound_of_seconds(film, one_message):
    assert "is 2 s long; give a clip of at most 1 s" in refused(one_message, film(12, 6), seconds=1)


def test_a_header_that_says_too_little_does_not_help(film, monkeypatch):
    clip = clips.open_clip(film(12, 6))
    short = clips.Clip(clip.path, clip.fps, 0, clip.size, 1.0, clip.name)
    with pytest.raises(clips.ClipError, match="at most 1 s"):
        list(clips.frames(short))
    monkeypatch.setattr(clips, "MAX_FRAMES", 5)
    with pytest.raises(clips.ClipError, match="at most 5"):
        clips.open_clip(clip.path)


def test_frames_that_are_too_large_or_too_small(film, one_message, monkeypatch):
    path = film()
    monkeypatch.setattr(clips, "MIN_SIDE", 50)
    assert "64x48 pixels" in refused(one_message, path)


@pytest.mark.parametrize("h264", [True, False])
@pytest.mark.parametrize("size", [(48, 64), (49, 65)])
def test_what_comes_out_plays(tmp_path, monkeypatch, h264, size):
    if h264 and not clips.has_h264():
        pytest.skip("no ffmpeg with libx264 on this machine")
    monkeypatch.setattr(clips, "has_h264", lambda: h264)
    with clips.Writer(tmp_path, "out", 10, size) as writer:
        for number in range(6):
            writer.write(shot(number, size)[0])
    assert writer.path.suffix == (".mp4" if h264 else ".webm")
    clip = clips.open_clip(writer.path)
    read = list(clips.frames(clip))
    assert len(read) == 6
    assert clip.fps == pytest.approx(10, abs=0.1)
    assert clip.size == (48 + size[0] % 2 * 2, 64 + size[1] % 2 * 2)
    assert np.abs(read[3][: size[0], : size[1]].astype(int) - shot(3, size)[0]).mean() < 16
    reader = cv2.VideoCapture(str(writer.path), cv2.CAP_FFMPEG)
    codec = int(reader.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little")
    reader.release()
    assert codec in ((b"h264", b"avc1") if h264 else (b"VP80",))


@pytest.mark.parametrize("h264", [True, False])
def test_a_writer_that_fails_or_writes_nothing_leaves_nothing(tmp_path, monkeypatch, h264):
    if h264 and not clips.has_h264():
        pytest.skip("no ffmpeg with libx264 on this machine")
    monkeypatch.setattr(clips, "has_h264", lambda: h264)
    with clips.Writer(tmp_path, "none", 10, (48, 64)):
        pass
    with pytest.raises(ZeroDivisionError):
        fail_halfway(tmp_path)
    assert list(tmp_path.iterdir()) == []


def fail_halfway(folder):
    with clips.Writer(folder, "half", 10, (48, 64)) as writer:
        writer.write(shot(0)[0])
        raise ZeroDivisionError


class Header:
    """A reader of a clip whose header states a size, and whose frames must not be decoded."""

    def __init__(self, width: float, height: float) -> None:
        self.stated = {cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height}

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def get(self, name: int) -> float:
        return self.stated.get(name, 25.0)

    def read(self):
        raise AssertionError("decoded")

    def release(self) -> None:
        pass


@pytest.mark.parametrize(("width", "height"), [(16_384, 16_384), (3841, 2160), (64, 8), (8192, 16)])
def test_frames_are_measured_before_one_is_decoded(width, height, tmp_path, monkeypatch, one_message):
    path = tmp_path / "large.mp4"
    path.write_bytes(b"\0\0\0\x20ftypisom" + b"\0" * 100)
    monkeypatch.setattr(clips.cv2, "VideoCapture", lambda *_: Header(width, height))
    with pytest.raises(clips.ClipError, match=f"frames of {width}x{height} pixels") as caught:
        clips.open_clip(path)
    one_message(caught.value, names="large.mp4", folder=tmp_path)
