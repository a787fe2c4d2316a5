"""What the tests of several commands check, and a disk that is full."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

Capture = pytest.CaptureFixture[str]


def one_error(capsys: Capture, code: int) -> str:
    """The one message on standard error of a call that exited with 2; nothing else was written."""
    assert code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"ipseg: [^\n]+\.\n", printed.err), printed.err
    return printed.err


def full_disk(monkeypatch: pytest.MonkeyPatch, reaches: Callable[[str], bool]) -> None:
    """No room for the files whose name ``reaches`` accepts."""
    rename = os.replace

    def replace(partial, target):
        if reaches(Path(target).name):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rename(partial, target)

    monkeypatch.setattr(os, "replace", replace)
