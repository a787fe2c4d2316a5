"""The wheel holds the package and what the page needs, and a clean environment runs the page from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.processes import PATIENCE, first_answer, free_port

pytestmark = pytest.mark.slow
DATA = ("Annotations", "Images", "galleries")
INSTALLERS = {
    "pip": (sys.executable, "-m", "pip", "--python", "{python}", "install", "--quiet", "--no-index", "--no-deps"),
    "uv": ("uv", "pip", "install", "--quiet", "--python", "{python}", "--offline", "--no-deps"),
}


@pytest.fixture(scope="module")
def wheel(root, tmp_path_factory) -> Path:
    """Built from the working tree, with the build backend of this environment."""
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, root]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_it_holds_the_package_and_the_images_of_the_page_and_nothing_else(wheel, root):
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {path.relative_to(root).as_posix() for path in (root / "ipseg").rglob("*.*") if path.suffix != ".pyc"}
    images = {
        f"ipseg/{path.relative_to(root).as_posix()}"
        for folder in DATA
        for path in (root / "examples_media" / folder).rglob("*")
        if path.is_file()
    }
    assert files == package | images
    assert wheel.stat().st_size < 6_000_000


def installed(wheel: Path, installer: str, folder: Path) -> tuple[Path, dict[str, str]]:
    """The ``ipseg`` of a new environment, with the dependencies of this one, and the variables to run it with."""
    command = INSTALLERS[installer]
    if not (shutil.which(command[0]) or (Path(sys.executable).parent / command[0]).exists()):
        pytest.skip(f"{installer} is not on this machine")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "IPSEG_", "GRADIO_"))}
    clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    venv.create(folder / "venv", symlinks=True)
    binaries = folder / "venv" / "bin"
    install = [part.format(python=binaries / "python") for part in command]
    done = subprocess.run([*install, wheel], env=clean, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (own,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (own / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return binaries / "ipseg", clean


def test_uv_installs_it(wheel, tmp_path):
    program, environment = installed(wheel, "uv", tmp_path)
    code = "import ipseg.cli.segment; print(ipseg.__file__)"
    command = [program.parent / "python", "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/venv/")


def test_pip_installs_it_and_the_page_has_its_examples(wheel, tmp_path):
    program, environment = installed(wheel, "pip", tmp_path)
    port = free_port()
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        page = subprocess.Popen(
            [program, "demo", "--port", str(port), "--preset", "offline"],
            env={**environment, "XDG_CACHE_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"},
            cwd=tmp_path,
            stdout=output,
            stderr=output,
        )
    try:
        config = json.loads(first_answer(f"http://127.0.0.1:{port}/config", page, log))
    finally:
        page.terminate()
        assert page.wait(timeout=PATIENCE) == 0, log.read_text()
    (examples,) = [one["props"] for one in config["components"] if one["props"].get("elem_id") == "examples"]
    assert len(examples["value"]) > 5  # without the images there are at most those of other packages
