"""The sampled frames of a clip as image files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ipseg.batch import clips
from ipseg.batch.clips import Clip
from ipseg.core import images
from ipseg.core.store import open_partial
from ipseg.core.types import SettingError
from ipseg.engine.processes import Share
from ipseg.labelling import frames
from tests.batch.conftest import film  # noqa: F401 - a fixture


def test_frames_are_lossless_and_named_as_by_ffmpeg(film, tmp_path):  # noqa: F811
    clip = clips.open_clip(film(7, 6))
    found = frames.sample(clip, "clip", tmp_path / "out", per_second=2)
    assert [item.name for item in found.items] == ["clip/00001.png", "clip/00004.png", "clip/00007.png"]
    assert found.error == ""
    decoded = list(clips.frames(clip))
    for item, number in zip(found.items, (0, 3, 6), strict=True):
        assert item.source() == tmp_path / "out/frames" / item.name
        np.testing.assert_array_equal(images.open_image(item.source()), decoded[number])
    whole = frames.sample(clip, "clip", tmp_path / "out", per_second=clip.fps)
    assert [item.name for item in whole.items] == [f"clip/{number:05}.png" for number in range(1, 8)]
    with pytest.raises(SettingError, match="give a number above 0"):
        frames.sample(clip, "clip", tmp_path / "out", per_second=0)


def test_a_frame_that_is_there_is_written_again_only_where_its_pixels_differ(film, tmp_path):  # noqa: F811
    clip, out = clips.open_clip(film(3, 3)), tmp_path / "out"
    first, second, third = (item.source() for item in frames.sample(clip, "clip", out, per_second=3).items)
    before = first.read_bytes()
    for path in (first, second, third):
        os.utime(path, (1, 1))
    first.write_bytes(second.read_bytes())
    second.write_text("words")
    partial, descriptor = open_partial(first.parent)  # of a process that was killed
    os.close(descriptor)
    frames.sample(clip, "clip", out, per_second=3)
    assert not partial.exists()
    assert third.stat().st_mtime == 1
    assert first.read_bytes() == before
    assert images.open_image(second).shape == (48, 64, 3)


def test_shares_write_their_own_frames_and_know_all(film, tmp_path):  # noqa: F811
    clip = clips.open_clip(film(5, 3))
    for number, written in ((0, {"00002.png", "00005.png"}), (1, {"00003.png"}), (2, {"00001.png", "00004.png"})):
        out = tmp_path / f"{number}"
        found = frames.sample(clip, "clip", out, per_second=3, share=Share(number, 3), first=2)
        assert len(found.items) == 5
        names = {path.name for path in (out / "frames/clip").iterdir()}
        assert names == written
        own = Share(number, 3).select([None, None, *found.items])
        assert {item.source().name for item in own if item} == names


def test_a_clip_that_is_cut_short_gives_its_first_frames_and_an_error(film, tmp_path, one_message):  # noqa: F811
    path = film(12, 6)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    found = frames.sample(clips.open_clip(path), "clip", tmp_path / "out", per_second=6)
    assert 0 < len(found.items) < 12
    one_message(found.error, names="clip.avi", folder=tmp_path)


def test_clips_have_folders_of_their_own():
    def clip(name: str) -> Clip:
        return Clip(Path(name), 3.0, 3, (48, 64), 120.0, Path(name).name)

    given = [clip("a/cat.mp4"), clip("b/cat.mp4"), clip("b/dog.mp4"), clip("c/Cat.avi"), clip("mu\u0308g.mp4")]
    taken = ["dog/00001.png", "bird.png", "m\u00fcg/1.png"]
    assert frames.stems(given, taken) == ["cat", "cat-2", "dog-2", "Cat-3", "mu\u0308g-2"]


def test_the_folder_of_a_clip_can_be_one_and_leads_nowhere_else():
    odd = [Clip(Path(name), 3.0, 3, (48, 64), 120.0, name) for name in ("\udcff\x01.avi", "...avi", "..avi", "c" * 240)]
    nameless = "without a name"
    assert frames.stems(odd, []) == ["??", nameless, f"{nameless}-2", "c" * 200]


def test_clips_are_told_by_their_ending_and_their_bytes(film, tmp_path):  # noqa: F811
    path = film(1)
    (tmp_path / "image.png").write_text("words")
    assert frames.is_clip(path)
    assert frames.is_clip(path.rename(tmp_path / "no ending"))
    assert frames.is_clip(tmp_path / "missing.mp4")
    assert not frames.is_clip(tmp_path / "image.png")
    assert not frames.is_clip(tmp_path)
