"""The first frames of clips below their field."""

from __future__ import annotations

import re

import cv2
import numpy as np

from ipseg.ui.widgets.clip_preview import SHOWN, first_frames


def test_each_clip_shows_its_first_frame_and_other_files_nothing(tmp_path):
    kind = cv2.VideoWriter.fourcc(*"MJPG")
    for number in range(SHOWN + 1):
        writer = cv2.VideoWriter(str(tmp_path / f"a&b {number}.avi"), cv2.CAP_FFMPEG, kind, 6, (64, 48))
        for grey in (40, 200):
            writer.write(np.full((48, 64, 3), grey, np.uint8))
        writer.release()
    (tmp_path / "broken.mp4").write_bytes((tmp_path / "a&b 0.avi").read_bytes()[:60])
    (tmp_path / "words.avi").write_text("no clip")
    files = [str(path) for path in sorted(tmp_path.iterdir())]
    shown = first_frames(files)
    assert re.findall('title="([^"]*)"', shown) == [f"a&amp;b {number}.avi" for number in range(SHOWN)]
    assert "<p>First frames</p>" in shown
    assert "<p>First frame</p>" in first_frames(files[0])  # of a field for one file
    assert first_frames([str(tmp_path / "words.avi")]) == first_frames(None) == ""
