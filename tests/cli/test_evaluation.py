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

pytestmark = pytest.mark.usefixtures("small_offline")
SMALL = Path(__file__).parents[1] / "small_engine.py"  # the same engine in a process of its own


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return layouts.perseg(tmp_path_factory.mktemp("data"), objects=2, images=2)


def tree(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def asked(data: Path, out: Path, *more: str) -> list[str]:
    return ["predict", "--preset", "offline", "--dataset", "folder", "--data", f"{data}", "--out", f"{out}", *more]


@pytest.fixture(scope="module")
def whole(data, small_offline, tmp_path_factory) -> Path:
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
        title = "PerSAM (on the engine's parts)" if method == "persam" else "IPSeg"
        assert record["title"] == title  # without SAM it is not the published PerSAM, and no row of it


def test_the_datasets_are_listed(capsys):
    assert main(["datasets"]) == 0
    text = capsys.readouterr().out
    for name in plugins.names("datasets"):
        assert f"{name}: " in text
    assert text.count("Licence: ") == len(plugins.names("datasets"))
    assert main(["datasets", "lvis92i"]) == 0
    assert "lvis_val.pkl" in capsys.readouterr().out


def environment(root: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{root}", "OMP_NUM_THREADS": "1"}


def test_a_run_that_is_killed_goes_on_and_ends_with_the_same_files(whole, data, tmp_path, root):
    out = tmp_path / "killed"
    started = subprocess.Popen(
        [sys.executable, SMALL, "-m", "ipseg", *asked(data, out)], cwd=tmp_path, env=environment(root)
    )
    until = time.monotonic() + 600
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
    options += ["--dynamo_backend", "no", "--main_process_port", "0", f"{SMALL}", "-m", "ipseg"]
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


def test_a_table_of_runs_and_one_of_the_paper(whole, capsys):
    assert main(["table", str(whole)]) == 0
    assert "| IPSeg | offline | folder | image | 4 |" in capsys.readouterr().out
    assert main(["table", str(whole.parent), "--format", "csv"]) == 0
    assert capsys.readouterr().out.startswith("method,engine,dataset")
    assert main(["table", "--paper", "4"]) == 0
    assert capsys.readouterr().out.count("not measured") >= 9
    assert main(["table"]) == 2
    assert "There is no run" in capsys.readouterr().err


def test_a_sweep_is_several_runs_and_a_table(data, tmp_path, capsys):
    options = ["--preset", "offline", "--dataset", "perseg", "--data", f"{data}", "--limit", "1"]
    assert main(["sweep", "--vary", "k=8,32", "--vary", "saliency=none", "--out", f"{tmp_path / 'a'}", *options]) == 0
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["k-32_saliency-none", "k-8_saliency-none"]
    assert capsys.readouterr().out.count("| IPSeg | offline, saliency=none | perseg (2 of 40 classes) |") == 2
    assert main(["sweep", "--paper", "6", "--out", f"{tmp_path / 'b'}", *options]) == 0
    text = capsys.readouterr().out
    for label in ("w/o TSDN", "with GT", "with boundary"):
        assert f"| {label} | measured: " in text
    assert main(["sweep", "--paper", "7", "--out", f"{tmp_path / 'c'}", *options]) == 2
    assert "mae is left out" in capsys.readouterr().err
    assert main(["sweep", "--vary", "k=", "--out", f"{tmp_path / 'd'}", *options]) == 2
    assert "KEY=A,B" in capsys.readouterr().err


def test_a_sweep_of_prompt_sets(data, tmp_path, capsys):
    manifest = tmp_path / "sets.json"
    common = ["--dataset", "folder", "--data", f"{data}"]
    assert main(["prompts", *common, "--out", f"{manifest}", "--sets", "2"]) == 0
    sweep = ["sweep", "--paper", "5", "--preset", "offline", "--limit", "1", *common, "--out", f"{tmp_path / 'runs'}"]
    assert main(sweep) == 2
    assert "--prompt-sets" in capsys.readouterr().err
    assert main([*sweep, "--prompt-sets", f"{manifest}"]) == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["set-1", "set-2"]


def test_evaluate_is_predict_score_and_table(data, tmp_path, capsys):
    options = [
        "--preset",
        "offline",
        "--dataset",
        "perseg",
        "--data",
        f"{data}",
        "--runs",
        f"{tmp_path}",
        "--limit",
        "1",
    ]
    assert main(["evaluate", *options]) == 0
    assert "| IPSeg | offline | perseg (2 of 40 classes) | image | 1 of 2 |" in capsys.readouterr().out
    assert (tmp_path / "perseg-ipseg-offline/run.json").is_file()
    for wrong in (
        ["evaluate"],
        ["evaluate", f"{data}", *options],
        ["evaluate", "--dataset", "perseg"],
        ["evaluate", f"{data}", "--limit", "3"],
        ["evaluate", f"{data}", "--method", "persam"],
    ):
        assert main(wrong) == 2
        assert "--data" in capsys.readouterr().err


def test_extensions_are_named_in_the_record_and_can_be_swept(data, tmp_path, capsys):
    options = ["--preset", "offline", "--dataset", "perseg", "--data", f"{data}", "--limit", "1"]
    given = ["--extension", "farthest_points,points=2", "--out", f"{tmp_path / 'one'}"]
    assert main(["predict", *options, *given]) == 0
    engine = json.loads((tmp_path / "one/run.json").read_text())["settings"]["engine"]
    assert engine["extensions"]["farthest_points"]["points"] == 2
    sweep = ["sweep", "--vary", "extension=none,backward_vote,similarity_prior", "--out", f"{tmp_path / 'many'}"]
    assert main([*sweep, *options]) == 1
    shown = capsys.readouterr()
    assert "extension-similarity_prior is left out" in shown.err
    assert "| IPSeg | offline + backward_vote | perseg (2 of 40 classes) |" in shown.out
    assert main(["predict", *options, "--extension", "nothing", "--out", f"{tmp_path / 'two'}"]) == 2
    assert "nothing" in capsys.readouterr().err


def test_a_list_of_pairs_is_saved_and_checked(tmp_path, capsys):
    data, out = layouts.lvis92i(tmp_path / "data"), tmp_path / "lists/pairs.json"
    options = ["--dataset", "lvis92i", "--data", f"{data}", "--fold", "1", "--set", "episodes=4"]
    assert main(["pairs", *options, "--out", f"{out}"]) == 0
    listed = json.loads(out.read_text())
    assert f"4 pairs with the digest {listed['digest']} are in" in capsys.readouterr().out
    run = ["predict", "--preset", "offline", *options, "--limit", "1", "--out", f"{tmp_path / 'run'}"]
    assert main([*run, "--pairs", f"{out}", "--seed", "2"]) == 2
    assert "pairs.json lists pairs of lvis92i with" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert main([*run, "--pairs", f"{out}"]) == 0
    assert json.loads((tmp_path / "run/run.json").read_text())["settings"]["episodes"] == listed["digest"]
