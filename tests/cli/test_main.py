"""The top of the command line: which commands there are, and what happens to errors."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest

from ipseg import __main__
from ipseg.cli import _engine
from ipseg.core import plugins, resources
from ipseg.core.types import InputError


def test_every_command_is_found_and_explained(capsys):
    with pytest.raises(SystemExit) as caught:
        __main__.main(["--help"])
    assert caught.value.code == 0
    printed = capsys.readouterr().out
    for name in plugins.names("cli"):
        assert f"\n    {name} " in printed
        with pytest.raises(SystemExit) as caught:
            __main__.main([name, "--help"])
        assert caught.value.code == 0
        assert plugins.module("cli", name).__doc__.splitlines()[0] in capsys.readouterr().out


def loaded(root: Path, *arguments: str) -> set[str]:
    """The modules that a run of the command line has imported in a new process."""
    code = """
import json, sys
from ipseg.__main__ import main
try:
    main()
except SystemExit:
    pass
print()
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments], cwd=root, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {"cv2", "scipy", "sklearn", "skimage", "PIL", "torch", "gradio", "transformers", "socket", "asyncio"}


@pytest.mark.parametrize("arguments", [("--version",), ("--help",), ("conjure",), ()])
def test_no_command_is_imported_that_does_not_run(arguments, root):
    modules = loaded(root, *arguments)
    assert not HEAVY & modules
    assert not {f"ipseg.{package}" for package in ("weights", "method", "engine")} & modules
    assert [name for name in modules if name.startswith("ipseg.cli.")] == []


@pytest.mark.parametrize("command", ["segment", "weights"])
def test_help_of_a_command_imports_that_one_alone(command, root):
    modules = loaded(root, command, "--help")
    assert "torch" not in modules
    assert {name for name in plugins.names("cli") if f"ipseg.cli.{name}" in modules} == {command}


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
        timeout=600,
    )
    assert done.returncode == 2
    assert done.stderr == "ipseg: none.png does not exist; check the path.\n"


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.ENOSPC, "full")])
def test_the_command_line_says_so_and_ends_with_1(error, monkeypatch, capsys, scene, save, tmp_path, one_message):
    def built(_):
        raise error

    monkeypatch.setattr(_engine, "built", built)
    image = save(tmp_path / "a.png", scene[0])
    assert __main__.main(["segment", str(image), str(image), "--output", str(tmp_path / "mask.png")]) == 1
    reported = capsys.readouterr().err.strip().removeprefix("ipseg: ")
    one_message(reported)


def test_an_image_without_memory_does_not_end_a_run(monkeypatch, engine, scene, save, tmp_path, capsys):
    segment = engine.segment

    def short_once(*given, **named):
        monkeypatch.setattr(engine, "segment", segment)
        raise MemoryError

    monkeypatch.setattr(engine, "segment", short_once)
    monkeypatch.setattr(_engine, "built", lambda _: nullcontext(engine))
    first, second = (save(tmp_path / name, scene[0]) for name in ("a.png", "b.png"))
    out = tmp_path / "out"
    assert __main__.main(["segment", str(first), str(first), str(second), "--output", str(out)]) == 1
    assert [file.name for file in out.glob("*.png")] == ["b.png"]
    assert resources.NO_MEMORY in capsys.readouterr().err
