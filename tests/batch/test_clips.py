"""Clips in and out: what is read, what is refused, and that browsers' formats come out."""

from __future__ import annotations

import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from ipseg.batch import clips
from ipseg.core import store
from tests.batch.conftest import shot, sing


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


def readable(path) -> tuple[int, str]:
    """How many frames can be read, and the error message after them."""
    number = 0
    try:
        for _ in clips.timed_frames(clips.open_clip(path)):
            number += 1
    except clips.IncompleteClipError as error:
        return number, str(error)
    return number, ""


FIRST = {"movflags": "+faststart"}  # the index before the frames


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx")])
@pytest.mark.parametrize("part", [0.5, 0.8])
def test_a_clip_cut_short_gives_the_frames_that_are_there_and_a_message(encode_clip, one_message, name, codec, part):
    options = FIRST if name == "a.mp4" else {}
    path = encode_clip(name, [number / 20 for number in range(60)], (96, 128), codec=codec, options=options)
    whole = readable(path)
    assert whole == (60, "")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    number, message = readable(path)
    assert 10 < number < 59
    one_message(message, names=name, folder=path.parent)
    assert f"{number} of 60" in message or f"{number - 1} of 60" in message


def test_an_avi_cut_short(film):
    path = film(12)
    path.write_bytes(path.read_bytes()[:9000])
    number, message = readable(path)
    assert 0 < number < 12
    assert "of 12 frames" in message


def test_a_clip_with_a_hole_gives_the_frames_around_it(encode_clip, one_message):
    path = encode_clip("hole.mp4", [number / 20 for number in range(60)], (96, 128), options={**FIRST, "g": "5"})
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + len(data) // 10] = bytes(len(data) // 10)
    path.write_bytes(data)
    number, message = readable(path)
    assert 20 < number <= 60
    one_message(message, names="hole.mp4", folder=path.parent)
    assert "of 60 frames" in message


def test_frames_keep_their_times(encode_clip):
    times = [0, 0.04, 0.08, 1.0, 1.5, 1.54, 3.0]
    clip = clips.open_clip(encode_clip("variable.mp4", times))
    assert [frame.time for frame in clips.timed_frames(clip)] == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.webm"])
def test_a_clip_that_begins_late_is_whole(encode_clip, name):
    codec = "libvpx" if name.endswith("webm") else "libx264"
    clip = clips.open_clip(encode_clip(name, [5 + number / 20 for number in range(40)], codec=codec))
    assert clip.frames == pytest.approx(40, abs=1)
    frames = list(clips.timed_frames(clip))  # and no message about missing ones
    assert [frame.time for frame in frames] == pytest.approx([number / 20 for number in range(40)], abs=2e-3)


def test_a_recording_without_a_duration(encode_clip):
    """As a browser records it."""
    times = [number / 20 for number in range(40)]
    clip = clips.open_clip(encode_clip("live.webm", times, codec="libvpx", options={"live": "1"}))
    assert clip.fps < 240
    assert [frame.time for frame in clips.timed_frames(clip)] == pytest.approx(times, abs=2e-3)


@pytest.mark.parametrize("rate", [480, 240, 1000])
def test_a_high_rate_is_no_unit_of_time(encode_clip, rate):
    clip = clips.open_clip(encode_clip("slow.mp4", [number / rate for number in range(40)]))
    assert clip.fps == pytest.approx(rate, rel=0.05)
    frames = list(clips.timed_frames(clip))
    assert frames[-1].time == pytest.approx(39 / rate, abs=0.002)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_frames_are_upright(encode_clip, tmp_path, degrees):
    """The rotation is a matrix in the header (ISO/IEC 14496-12, 8.3.2)."""
    path = encode_clip("turned.mp4", [0, 0.1, 0.2])
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    turn = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[degrees]  # clockwise
    one = [value * 65_536 for value in turn]
    struct.pack_into(">iiiiiiiii", data, place, one[0], one[1], 0, one[2], one[3], 0, 0, 0, 2**30)
    path.write_bytes(data)
    clip = clips.open_clip(path)
    expected = np.rot90(shot(0)[0], -degrees // 90)
    assert clip.size == expected.shape[:2]
    assert np.abs(next(clips.frames(clip)).astype(int) - expected).mean() < 20


def test_frames_that_grow_are_not_decoded(encode_clip, monkeypatch, tmp_path):
    """An H.264 stream may change its size at any keyframe; the decoder checks it before it makes room."""
    small, large = encode_clip("small.h264", [0, 0.1, 0.2]), encode_clip("large.h264", [0, 0.1], (480, 640))
    with av.open(str(tmp_path / "grows.mkv"), "w") as target:
        stream = None
        number = 0
        for path in (small, large):
            with av.open(str(path), format="h264") as source:
                stream = stream or target.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(source.streams.video[0]):
                    if packet.size:
                        packet.stream, packet.pts, packet.dts = stream, number * 40, number * 40
                        packet.time_base, number = Fraction(1, 1000), number + 1
                        target.mux(packet)
    monkeypatch.setattr(clips, "MAX_PIXELS", 100 * 100)
    number, message = readable(tmp_path / "grows.mkv")
    assert number == 3
    assert "3 of" in message
    monkeypatch.setattr(clips, "MAX_PIXELS", 640 * 480)
    clip = clips.open_clip(tmp_path / "grows.mkv")
    assert {frame.shape for frame in clips.frames(clip)} == {(48, 64, 3)}


@pytest.mark.parametrize("name", ["sound.m4a", "sound.mka"])
def test_a_file_with_nothing_but_sound(tmp_path, one_message, name):
    with av.open(str(tmp_path / name), "w", format="mp4" if name.endswith("a.m4a") else None) as container:
        sing(container, container.add_stream("aac", rate=48_000), 0.5)
    assert "no frame" in refused(one_message, tmp_path / name)


@pytest.mark.parametrize("brand", [b"crx ", b"heic", b"avif", b"mif1", b"hevc", b"jxl "])
def test_a_still_image_is_no_clip(tmp_path, one_message, brand):
    path = tmp_path / "photo.mov"
    path.write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0\0\0\x01" + brand + b"isom" + bytes(60))
    assert not clips.is_clip(path)
    assert "is not a clip" in refused(one_message, path)


def test_nothing_is_printed(encode_clip, capfd):
    path = encode_clip("cut.mp4", [number / 20 for number in range(60)], (96, 128), options=FIRST)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    readable(path)
    (path.parent / "header.mp4").write_bytes(b"\x00\x00\x00\x18ftypisom" + bytes(40))
    with pytest.raises(clips.ClipError):
        clips.open_clip(path.parent / "header.mp4")
    assert capfd.readouterr() == ("", "")


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


@pytest.mark.parametrize("encoder", clips.ENCODERS)
@pytest.mark.parametrize("size", [(48, 64), (49, 65)])
def test_what_comes_out_plays(tmp_path, monkeypatch, encoder, size):
    monkeypatch.setattr(clips, "ENCODERS", (encoder,))
    with clips.Writer(tmp_path, "out", 10, size) as writer:
        for number in range(6):
            writer.write(shot(number, size)[0])
    assert writer.path.suffix == encoder[1]
    clip = clips.open_clip(writer.path)
    made = list(clips.timed_frames(clip))
    assert [frame.time for frame in made] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5], abs=0.002)
    assert clip.fps == pytest.approx(10, abs=0.2)
    assert clip.size == (48 + size[0] % 2 * 2, 64 + size[1] % 2 * 2)
    assert np.abs(made[3].image[: size[0], : size[1]].astype(int) - shot(3, size)[0]).mean() < 16
    with av.open(str(writer.path)) as container:
        codec = container.streams.video[0].codec_context
        assert (codec.name, codec.pix_fmt) == ("vp8" if encoder[1] == ".webm" else "h264", "yuv420p")
    if encoder[1] == ".mp4":  # a browser begins to play before it has the whole
        data = writer.path.read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")


def test_without_an_encoder_there_is_a_message(tmp_path, monkeypatch, one_message):
    monkeypatch.setattr(clips, "ENCODERS", (("none", ".mp4"),))
    with pytest.raises(clips.ClipError) as caught:
        clips.Writer(tmp_path, "out", 10, (48, 64))
    one_message(caught.value)


def test_a_clip_that_is_made_has_the_times_of_its_frames(tmp_path):
    times = [0, 0.05, 0.1, 1.0, 1.05, 2.5]
    with clips.Writer(tmp_path, "out", 20, (48, 64)) as writer:
        for number, time in enumerate(times):
            writer.write(shot(number)[0], time)
    made = clips.timed_frames(clips.open_clip(writer.path))
    assert [frame.time for frame in made] == pytest.approx(times, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "codec", "tone", "made"),
    [
        ("a.mp4", "libx264", "aac", "aac"),
        ("a.mp4", "libx264", "libmp3lame", "mp3"),
        ("a.webm", "libvpx", "libopus", "aac"),
        ("a.mkv", "libx264", "flac", "aac"),
        ("a.mov", "libx264", "pcm_s16le", "aac"),
    ],
)
def test_the_sound_of_the_clip_is_in_the_one_that_is_made(encode_clip, tmp_path, name, codec, tone, made):
    times = [number / 10 for number in range(21)]
    path = encode_clip(name, times, codec=codec, tone=tone)
    clip = clips.open_clip(path)
    with clips.Writer(tmp_path, "out", clip.fps, clip.size, sound=path) as writer:
        for frame in clips.timed_frames(clip):
            writer.write(frame.image, frame.time)
    with av.open(str(writer.path)) as container:
        (stream,) = container.streams.audio
        assert stream.codec_context.name.removesuffix("float") == made
        parts = [frame.to_ndarray() for frame in container.decode(stream)]
    samples = np.concatenate([part[0] if part.ndim == 2 else part for part in parts])
    assert 1.8 < samples.size / stream.rate < 2.3
    spectrum = np.abs(np.fft.rfft(samples[4096 : 4096 + 32_768].astype(float)))
    assert spectrum.argmax() * stream.rate / 32_768 == pytest.approx(440, abs=3)
    frames, message = readable(writer.path)
    assert (frames, message) == (21, "")


def test_sound_that_cannot_be_read_is_left_out(encode_clip, tmp_path, film):
    silent = film(4)
    (tmp_path / "words.mp4").write_bytes(b"words")
    for source in (silent, tmp_path / "words.mp4", tmp_path / "none.mp4"):
        with clips.Writer(tmp_path, "out", 10, (48, 64), sound=source) as writer:
            writer.write(shot(0)[0])
        assert readable(writer.path) == (1, "")


def test_a_writer_that_fails_or_writes_nothing_leaves_nothing(tmp_path):
    with clips.Writer(tmp_path, "none", 10, (48, 64)):
        pass
    with pytest.raises(ZeroDivisionError):
        fail_halfway(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_writer_left_is_removed_and_what_is_being_written_stays(tmp_path):
    image, _ = shot(0)
    longest = "x" * 251  # and four of the ending: a name that just fits
    with clips.Writer(tmp_path, longest, 10, (48, 64)) as writer:
        writer.write(image)
        store.remove_partials(tmp_path)
        assert len(list(tmp_path.iterdir())) == 1
        (partial,) = tmp_path.iterdir()
    assert [path.stem for path in tmp_path.iterdir()] == [longest]
    partial.write_bytes(b"half")
    store.remove_partials(tmp_path)
    assert [path.stem for path in tmp_path.iterdir()] == [longest]


def test_a_folder_that_is_gone_is_a_message(tmp_path, one_message):
    with pytest.raises(clips.ClipError) as caught:
        clips.Writer(tmp_path / "none", "out", 10, (48, 64))
    one_message(caught.value)


def fail_halfway(folder):
    with clips.Writer(folder, "half", 10, (48, 64)) as writer:
        writer.write(shot(0)[0])
        raise ZeroDivisionError


def test_frames_are_measured_before_one_is_decoded(encode_clip, monkeypatch, one_message):
    """The size in the header of the stream."""
    path = encode_clip("large.mkv", [0, 0.1])
    monkeypatch.setattr(clips, "_decoded", lambda *_: pytest.fail("decoded"))
    monkeypatch.setattr(clips, "MAX_PIXELS", 64 * 48 - 1)
    assert "64x48 pixels" in refused(one_message, path)


def test_sizes_that_are_refused(one_message):
    for height, width in ((2160, 3841), (16, 8192), (8, 64)):
        with pytest.raises(clips.ClipError, match=f"frames of {width}x{height} pixels") as caught:
            clips._check_size("large.mp4", height, width)
        one_message(caught.value, names="large.mp4")
