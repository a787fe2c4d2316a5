"""The commands of the evaluation: predict, score, datasets, prompts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import layouts
import pytest

from ipseg.__main__ import main
from ipseg.core import plugins


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return layouts.perseg(tmp_path_factory.mktemp("data"), objects=2, images=2)


def tree(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def asked(data: Path, out: Path, *more: str) -> list[str]:
    return ["predict", "--preset", "offline", "--dataset", "folder", "--data", f"{data}", "--out", f"{out}", *more]


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert main(asked(data, out)) == 0
    return out


def test_predict_and_score(whole, capsys):
    assert sorted(path.name for path in whole.iterdir()) == ["episodes.jsonl", "masks", "run.json"]
    assert main(["score", str(whole)]) == 0
    text = capsys.readouterr().out
    assert "IPSeg on folder: 4 of 4 episodes, scored at the image's own size" in text
    assert "mAcc" in text
    assert main(["score", str(whole), "--json", "--scale", "64"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["episodes"], found["of"], found["scale"]) == (4, 4, "64 x 64")
    assert 0.9 < found["metrics"]["miou"]["low"] <= found["metrics"]["miou"]["value"] <= 1


def test_shards_and_a_limit(whole, data, tmp_path, capsys):
    for shard in ("1/2", "0/2"):
        assert main(asked(data, tmp_path / "parts", "--shard", shard)) == 0
    assert "2 of 4 episodes" in capsys.readouterr().out
    assert tree(tmp_path / "parts") == tree(whole)
    assert main(asked(data, tmp_path / "few", "--limit", "3")) == 0
    assert len(list((tmp_path / "few/masks").rglob("*.json"))) == 3
    assert main(["score", str(tmp_path / "few")]) == 0
    assert "3 of 4 episodes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--k", "16"], "config.k: 32, now 16"),
        (["--prompt-mask", "given"], "prompt_mask"),
        (["--method", "persam"], "method.name"),
        (["--shard", "2/2"], "--shard"),
        (["--limit", "0"], "--limit"),
        (["--fold", "1"], "has no setting fold"),
        (["--set", "nonsense"], "KEY=VALUE"),
        (["--shard", "0/2", "--overwrite"], "--overwrite"),
        (["--cache-disk", "-1"], "GB"),
        (["--prompt-set", "nowhere.json"], "no manifest"),
    ],
)
def test_what_is_refused_is_named(more, message, whole, data, capsys):
    before = tree(whole)
    assert main(asked(data, whole, *more)) == 2
    assert message in capsys.readouterr().err
    assert tree(whole) == before


def test_a_folder_that_is_no_run(tmp_path, capsys):
    assert main(["score", str(tmp_path)]) == 2
    assert "is no run" in capsys.readouterr().err


def test_a_prompt_set_is_drawn_and_used(data, tmp_path, capsys):
    manifest = tmp_path / "sets.json"
    assert main(["prompts", "--dataset", "folder", "--data", f"{data}", "--out", f"{manifest}", "--sets", "2"]) == 0
    assert main(asked(data, tmp_path / "run", "--prompt-set", f"{manifest}:2", "--limit", "2")) == 0
    record = json.loads((tmp_path / "run/run.json").read_text())
    chosen = json.loads(manifest.read_text())["sets"]["2"]
    assert record["settings"]["dataset"]["prompt_set"] == {"name": "2", "prompts": chosen}
    assert main(["score", str(tmp_path / "run")]) == 0
    assert "2 of 4 episodes" in capsys.readouterr().out


def test_rivals_see_the_mask_as_in_the_papers_tables(data, tmp_path):
    for method, given in (("persam", "given"), ("ipseg", "none")):
        assert main(asked(data, tmp_path / method, "--method", method, "--limit", "1")) == 0
        record = json.loads((tmp_path / method / "run.json").read_text())
        assert record["settings"]["prompt_mask"] == given
        assert record["settings"]["method"]["name"] == method


def test_the_datasets_are_listed(capsys):
    assert main(["datasets"]) == 0
    text = capsys.readouterr().out
    for name in plugins.names("datasets"):
        assert f"{name}: " in text
    assert text.count("Licence: ") == len(plugins.names("datasets"))
    assert main(["datasets", "lvis92i"]) == 0
    assert "lvis_val.pkl" in capsys.readouterr().out


def command(root: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "ipseg", *arguments]


def environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{root}", "OMP_NUM_THREADS": "1"}


def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_files(whole, data, tmp_path, root):
    out = tmp_path / "killed"
    started = subprocess.Popen(command(root, *asked(data, out)), cwd=tmp_path, env=environment(root))
    until = time.monotonic() + 300
    while not list(out.rglob("*.json"))[1:] and started.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    started.send_signal(signal.SIGKILL)
    started.wait()
    left = len(list((out / "masks").rglob("*.json")))
    assert left > 0
    assert main(asked(data, out)) == 0
    assert tree(out) == tree(whole)


@pytest.mark.slow
def test_two_processes_of_accelerate_give_the_same_files(whole, data, tmp_path, root):
    pytest.importorskip("accelerate", reason="needs accelerate: pip install 'ipseg[evaluation]'")
    launcher = shutil.which("accelerate", path=str(Path(sys.executable).parent))
    if launcher is None:
        pytest.skip("the command accelerate is not beside this Python")
    options = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    options += ["--dynamo_backend", "no", "--main_process_port", "0", "-m", "ipseg"]
    done = subprocess.run(
        [launcher, "launch", *options, *asked(data, tmp_path / "run")],
        cwd=tmp_path,
        env=environment(root),
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert "share 1-of-2" in done.stdout
    assert tree(tmp_path / "run") == tree(whole)
