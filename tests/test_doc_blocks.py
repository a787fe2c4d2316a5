"""The code blocks of the README and of docs/ run as they are written, in order, on the example images.

A block below ``<!-- parsed only: REASON -->`` is not run: its commands and arguments have to exist. Files, exported
variables of a shell and names in Python are there in the next block of the page.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import small_engine

from ipseg import __main__
from ipseg.engine import presets

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(
    r"(?:^<!-- parsed only: (?P<reason>[^\n]+) -->\n)?^```(?P<kind>\S+)\n(?P<code>.*?)^```$", re.M | re.S
)
SHOWN = {"text", "json", "yaml", "bibtex", "{toctree}", "{argparse}", "{eval-rst}"}  # nothing that runs
PROGRAMS = {"git", "pip", "source", "sphinx-build", "uv"}  # whose arguments are not ours


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int  # of its first line of code, from 1
    kind: str  # "sh", "python" or one of SHOWN
    code: str
    reason: str  # why it is only parsed; "" when it runs

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(path: Path) -> list[Block]:
    """The blocks of a page, in order."""
    text = path.read_text()
    page = path.relative_to(ROOT).as_posix()
    return [
        Block(page, text.count("\n", 0, one.start("code")) + 1, one["kind"], one["code"], one["reason"] or "")
        for one in BLOCK.finditer(text)
    ]


PAGES = {
    page: blocks(ROOT / page)
    for page in ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{one.name}" for one in (ROOT / "docs").glob("*.md")))
}
PARSED = [block for page in PAGES.values() for block in page if block.reason]
RUN = {
    page: [block for block in found if block.kind in ("sh", "python") and not block.reason]
    for page, found in PAGES.items()
}


@pytest.mark.parametrize("page", PAGES)
def test_every_fence_is_a_block_of_a_kind_that_is_known(page):
    assert len(re.findall(r"^\s*```", (ROOT / page).read_text(), re.M)) == 2 * len(PAGES[page])
    assert {block.kind for block in PAGES[page]} <= {"sh", "python", *SHOWN}
    assert (ROOT / page).read_text().count("<!-- parsed only") == sum(bool(block.reason) for block in PAGES[page])


@pytest.mark.parametrize("block", PARSED, ids=str)
def test_what_is_not_run_can_be_parsed(block):
    if block.kind == "python":
        compile(block.code, str(block), "exec")
        return
    subprocess.run(["bash", "-n", "-c", block.code], check=True)
    for line in block.code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words:
            parse(words)


def parse(words: list[str]) -> None:
    """Fail for a command, an argument or a target that does not exist."""
    match words:
        case ["ipseg", command, *rest] | ["python", "-m", "ipseg", command, *rest]:
            __main__.parser(command).parse_args([command, *rest])
        case ["python", "app.py", *rest]:
            from ipseg.ui import serving

            serving.arguments(rest)
        case ["python", script, *_]:
            assert script == "-m" or (ROOT / script).is_file()
        case ["make", target, *_]:
            assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.M), target
        case [program, *_]:
            assert program in PROGRAMS, f"{shlex.join(words)}: not known here"


@pytest.fixture(scope="module")
def networks_run_once():
    """A network of ONNX Runtime is read once, and run once on the same input: the pages show the same images."""
    import onnxruntime

    sessions = {}

    class Session(onnxruntime.InferenceSession):
        def __init__(self, model, *arguments, **settings):
            super().__init__(model, *arguments, **settings)
            self.found = {}

        def run(self, outputs, inputs, options=None):
            given = [(name, value.shape, hashlib.sha256(value).digest()) for name, value in inputs.items()]
            key = (*(outputs or ()), *given)
            if key not in self.found:
                self.found[key] = super().run(outputs, inputs, options)
            return [value.copy() for value in self.found[key]]

    def session(model, *arguments, **settings):
        if model not in sessions:
            sessions[model] = Session(model, *arguments, **settings)
        return sessions[model]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnxruntime, "InferenceSession", session)
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("networks_run_once")
@pytest.mark.parametrize("page", [page for page, found in RUN.items() if found])
def test_the_blocks_of_a_page_run_in_order(page, tmp_path, monkeypatch):
    for name in ("app.py", "docs", "examples_media", "pyproject.toml", "space"):
        (tmp_path / name).symlink_to(ROOT / name)
    activated(tmp_path / ".venv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(presets.PRESETS, "compact", small_engine.compact())
    names: dict = {"__name__": "__main__"}
    for block in RUN[page]:
        if block.kind == "python":
            exec(compile(block.code, str(block), "exec"), names)  # noqa: S102 - it is ours
        else:
            in_shell(block)


def activated(folder: Path) -> None:
    """The environment of this interpreter in the place where the Makefile puts it."""
    if (Path(sys.prefix) / "bin" / "activate").is_file():
        folder.symlink_to(sys.prefix)
        return
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "activate").write_text(f'export PATH="{Path(sys.executable).parent}:$PATH"\n')


COMMAND = """#!/bin/bash
printf '%s\\0' run "$@" > request
exit "$(< reply)"
"""
"""`ipseg` for a block: its arguments, as the shell expands them, go to the process of the tests, which imports once."""


def in_shell(block: Block) -> None:
    """Run a block after the variables that the one before it has left; fail where one of its commands fails."""
    state, own = Path("state.sh"), Path("bin")
    if not own.exists():
        own.mkdir()
        (own / "ipseg").write_text(COMMAND)
        (own / "ipseg").chmod(0o755)
        os.mkfifo("request")
        os.mkfifo("reply")
    before = f"source {state}\n" if state.exists() else ""
    end = f"trap 'printf end > {Path('request').absolute()}' EXIT\n"
    here = f'ipseg() {{ "{(own / "ipseg").absolute()}" "$@"; }}\n'  # also where .venv/bin has become the first of PATH
    script = f"{end}{here}set -euo pipefail\n{before}{block.code}\nexport -p > {state}\n"
    path = os.pathsep.join([str(own.absolute()), str(Path(sys.executable).parent), os.environ["PATH"]])
    with Path("printed.txt").open("w") as printed:
        pipes = {"stdout": printed, "stderr": subprocess.STDOUT, "env": {**os.environ, "PATH": path}}
        with subprocess.Popen(["bash", "-c", script], **pipes) as shell:
            served()
    assert shell.returncode == 0, f"{block}\n{block.code}\n{Path('printed.txt').read_text()}"


def served() -> None:
    """Run what `ipseg` of the shell is given, here, until the shell ends."""
    while (words := Path("request").read_bytes().decode().split("\0"))[0] == "run":
        try:
            code = __main__.main(words[1:-1])
        except SystemExit as stopped:  # of --help and of wrong usage
            code = stopped.code
        Path("reply").write_text(f"{code or 0}\n")


def test_the_examples_of_the_help_can_be_parsed_and_their_files_exist():
    lines = [line.strip() for line in __main__.EPILOG.splitlines() if line.startswith("  ")]
    assert len(lines) > 3
    for line in lines:
        words = shlex.split(line)
        parse(words)
        for word in words:
            if word.startswith("examples_media"):
                assert list(ROOT.glob(word)), word
