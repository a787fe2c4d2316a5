"""The recipe for Ray Data on the page about labelling, run as it is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import ipseg

GREEN, RED = (40, 170, 60), (200, 30, 40)


def recipe(root: Path) -> str:
    """The block of code of the page."""
    (code,) = re.findall(r"^```python\n(from pathlib import Path\n\nimport ray\n.*?)^```$", page(root), re.M | re.S)
    return code


def page(root: Path) -> str:
    return (root / "docs" / "labelling.md").read_text()


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.json")}


@pytest.mark.slow
def test_the_labels_of_two_workers_of_ray_are_those_of_one_process(root, tmp_path, save, make_scene):
    pytest.importorskip("ray.data", reason="needs Ray: pip install 'ray[data]'")
    for name, colour in (("apple", RED), ("leaf", GREEN)):
        save(tmp_path / "examples" / name / "0.png", make_scene(40, 50, colour)[0])
    for number in range(4):
        save(
            tmp_path / "images" / "some" / f"{number}.png", make_scene(32, 40, (RED, GREEN)[number % 2], seed=number)[0]
        )
    (tmp_path / "images" / "words.jpg").write_text("words")
    code = recipe(root).replace("/data/", f"{tmp_path}/").replace("batch_size=16", "batch_size=2")
    (tmp_path / "recipe.py").write_text(code)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    environment["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, tmp_path / "recipe.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    names = [f"some/{number}.png" for number in range(4)]
    assert sorted(re.findall(r"^(\S+) labelled$", done.stdout, re.M)) == names
    assert "words.jpg words.jpg is not an image" in done.stdout
    images = list(ipseg.label(tmp_path / "examples", tmp_path / "images", tmp_path / "one"))
    assert [image.name for image in images if not image.error] == names
    assert tree(tmp_path / "dataset") == tree(tmp_path / "one")
