"""The top of the command line: which commands there are, and what happens to errors."""

from __future__ import annotations

import subprocess
import sys

import pytest

from ipseg import __main__
from ipseg.core import plugins
from ipseg.core.types import InputError


def test_every_command_is_found_and_explained(capsys):
    with pytest.raises(SystemExit) as caught:
        __main__.main(["--help"])
    assert caught.value.code == 0
    told = capsys.readouterr().out
    for name in plugins.names("cli"):
        assert f"\n    {name} " in told
        with pytest.raises(SystemExit) as caught:
            __main__.main([name, "--help"])
        assert caught.value.code == 0
        assert plugins.module("cli", name).__doc__.splitlines()[0] in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["conjure"], ["--magic"]])
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        __main__.main(arguments)
    assert caught.value.code == 2
    assert "usage: ipseg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (InputError("The moon is too far; come closer."), 2, "ipseg: The moon is too far; come closer.\n"),
        (KeyboardInterrupt(), 130, "ipseg: stopped.\n"),
    ],
)
def test_errors_become_exit_codes(error, code, words, monkeypatch, capsys):
    def fail(arguments):
        raise error

    monkeypatch.setattr("ipseg.cli.segment.run", fail)
    assert __main__.main(["segment", "a", "b", "--output", "c"]) == code
    assert capsys.readouterr().err == words


def test_as_a_module(root, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "ipseg", "segment", tmp_path / "none.png", "x.png", "--output", tmp_path / "m"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr == "ipseg: none.png does not exist; check the path.\n"
