"""What is no regular file is never opened, wherever it is named."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ipseg.batch import clips, inputs
from ipseg.core.files import open_regular
from ipseg.core.images import open_image, size_of
from ipseg.core.masks import open_mask
from ipseg.core.types import InputError

READERS = {
    "image": open_image,
    "size": size_of,
    "mask": open_mask,
    "clip": lambda path: clips.open_clip(Path(path)),
    "file": lambda path: inputs.gather([path])[0].open(),
}


@pytest.fixture(params=["pipe", "socket", "device", "link to a device"])
def special(request, tmp_path) -> Path:
    """A path that is not a regular file; to open the pipe waits for a writer for good."""
    path = tmp_path / "special.zip"
    if request.param == "device":
        return Path("/dev/ptmx")
    if request.param == "link to a device":
        path.symlink_to("/dev/ptmx")
    elif request.param == "pipe":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind(str(path))
    return path


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The paths that are opened; nothing named special ever is, so that a fault cannot block the test."""
    seen: list[str] = []

    def no_open(path, *more, **named):
        seen.append(str(path))
        raise PermissionError(13, "opened", path)

    monkeypatch.setattr(os, "open", no_open)
    monkeypatch.setattr("builtins.open", no_open)
    monkeypatch.setattr("io.open", no_open)
    monkeypatch.setattr("io.FileIO", no_open)
    return seen


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_regular_file_is_never_opened(reader, special, opened):
    with pytest.raises(InputError) as refused:
        READERS[reader](str(special))
    assert opened == []
    assert str(refused.value).startswith(special.name)
    assert "regular file" in str(refused.value)


def test_a_folder_is_none(tmp_path):
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)


def test_a_regular_file_is_read(tmp_path):
    (tmp_path / "a").write_bytes(b"text")
    (tmp_path / "link").symlink_to("a")
    with open_regular(tmp_path / "link") as file:
        assert file.read() == b"text"


def test_a_file_that_is_replaced_before_it_is_opened_is_refused(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").touch()
    ordinary = os.stat(tmp_path / "a")
    monkeypatch.setattr(os, "stat", lambda path: ordinary)
    with pytest.raises(OSError, match="regular"):
        open_regular(tmp_path / "pipe")


@pytest.mark.parametrize("reader", ["image", "mask", "size"])
def test_a_path_with_a_null_byte_is_no_path(reader):
    with pytest.raises(InputError, match="no path"):
        READERS[reader]("a\0b.png")
