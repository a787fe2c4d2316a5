"""Every file is checked before it is read: against the table, or against the record of its first use."""

from __future__ import annotations

import argparse
import ast
import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from local_hub import COMMIT

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")
pytest.importorskip("transformers", reason="the paper's models need the extra [models]")

import ipseg
from ipseg import weights
from ipseg.baselines import painter
from ipseg.core.types import SettingError
from ipseg.weights import WeightError, _loading, _record, _table

STATE = {"weight": torch.arange(6.0).reshape(2, 3)}
OTHER = {"weight": torch.ones(2, 3)}
CHANGED = "at its first use on 20"


@pytest.fixture
def never(monkeypatch):
    """No reader may see a byte of a file that was refused."""

    from transformers import Dinov2Model  # noqa: F401  it takes its own names of the readers when it is imported

    def refuse():
        for reader in ("torch.load", "safetensors.safe_open", "transformers.PreTrainedModel.from_pretrained"):
            monkeypatch.setattr(reader, lambda *_, **__: pytest.fail("a refused file was read"))

    return refuse


@pytest.fixture
def dinov2(tmp_path):
    """A small DINOv2 brought by hand: a function that writes it, and the folder."""
    from transformers import Dinov2Config, Dinov2Model

    def write(seed=0, **settings):
        torch.manual_seed(seed)
        config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=1, image_size=28, **settings)
        Dinov2Model(config).save_pretrained(tmp_path / "hand" / "dinov2-base")
        return tmp_path / "hand" / "dinov2-base"

    return write


def load_dinov2(tmp_path):
    from transformers import Dinov2Model

    with weights.using(tmp_path / "hand"):
        return weights.pretrained(Dinov2Model, "dinov2_base")


@pytest.mark.parametrize("file", ["small.pth", "small.safetensors", "cornet_rgb_duts_tr.pth"])
def test_a_changed_file_is_refused_before_it_is_read(tmp_path, never, file):
    from safetensors.torch import save_file

    save = save_file if file.endswith(".safetensors") else torch.save
    save(STATE, tmp_path / file)
    first = hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()
    assert weights.load_state(tmp_path / file).keys() == weights.load_state(tmp_path / file).keys() == STATE.keys()
    save(OTHER, tmp_path / file)
    never()
    with pytest.raises(WeightError, match=CHANGED) as caught:
        weights.load_state(tmp_path / file)
    assert first in str(caught.value)
    assert hashlib.sha256((tmp_path / file).read_bytes()).hexdigest() in str(caught.value)


def test_painter_is_checked_like_the_rest(tmp_path, monkeypatch, never):
    path = tmp_path / "painter_vit_large.pth"
    torch.save({"model": STATE, "args": argparse.Namespace(lr=0.1)}, path)
    with weights.using(tmp_path):
        assert painter.load("painter").keys() == STATE.keys()
        torch.save({"model": OTHER}, path)
        never()
        with pytest.raises(WeightError, match=rf"{CHANGED}.*run `python -m ipseg weights forget painter`"):
            painter.load("painter")
        published = replace(weights.get("painter"), sha256="0" * 64)
        monkeypatch.setitem(weights.WEIGHTS, "painter", published)
        with pytest.raises(WeightError, match="but that of its makers is 0000"):
            painter.load("painter")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_changed_file_of_a_folder_is_refused_before_it_is_read(tmp_path, dinov2, never, file):
    path = dinov2() / file
    load_dinov2(tmp_path)
    load_dinov2(tmp_path)
    content = bytearray(path.read_bytes())
    content[-2] ^= 1
    path.write_bytes(content)
    never()
    with pytest.raises(WeightError, match=rf"{file} has the sha256 .* {CHANGED}.* forget dinov2_base"):
        load_dinov2(tmp_path)


def test_a_better_file_that_appears_later_is_a_change(tmp_path, dinov2):
    home = dinov2()
    sha256 = hashlib.sha256((home / "model.safetensors").read_bytes()).hexdigest()
    tensors = weights.load_state(home / "model.safetensors", sha256)
    (home / "model.safetensors").rename(tmp_path / "aside")
    torch.save(tensors, home / "pytorch_model.bin")
    load_dinov2(tmp_path)
    (tmp_path / "aside").rename(home / "model.safetensors")
    with pytest.raises(WeightError, match=r"model\.safetensors has the sha256 .* it was pytorch_model\.bin"):
        load_dinov2(tmp_path)


def test_a_reader_of_folders_sees_nothing_that_the_table_does_not_name(tmp_path, dinov2):
    home = dinov2()
    for extra in ("adapter_config.json", "model.safetensors.index.json", "modeling_evil.py", "pytorch_model.bin"):
        (home / extra).write_text("{}")
    with weights.using(tmp_path / "hand"):
        with weights.checked("dinov2_base") as folder:
            assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
        assert not folder.exists()
        assert (home / "config.json").is_file()
    load_dinov2(tmp_path)


def test_full_precision_is_read_where_a_folder_has_both(tmp_path, put_files):
    folder = put_files(
        tmp_path / "stable-diffusion-v1-5",
        [choice[0] for choice in weights.get("sd15").files] + ["unet/diffusion_pytorch_model.safetensors"],
    )
    with weights.using(tmp_path), weights.checked("sd15", "unet") as found:
        names = {file.name for file in found.iterdir()}
    assert names == {"config.json", "diffusion_pytorch_model.safetensors"}
    assert (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").is_file()


def test_a_file_that_cannot_be_read_is_not_recorded(tmp_path):
    path = tmp_path / "small.pth"
    path.write_bytes(b"half of it")
    with pytest.raises(WeightError, match="cut short"):
        weights.load_state(path)
    torch.save(STATE, path)
    assert weights.load_state(path).keys() == STATE.keys()


def test_another_model_is_not_recorded(tmp_path, dinov2):
    dinov2()
    from transformers import ViTMAEModel

    with weights.using(tmp_path / "hand"), pytest.raises(WeightError):
        weights.pretrained(ViTMAEModel, "dinov2_base")
    dinov2(seed=1)
    load_dinov2(tmp_path)


def test_the_change_is_accepted_on_request(tmp_path):
    from ipseg.__main__ import main

    path = tmp_path / "cornet_rgb_duts_tr.pth"
    torch.save(STATE, path)
    weights.load_state(path)
    torch.save(OTHER, path)
    with pytest.raises(WeightError, match="run `python -m ipseg weights forget tsdn`"):
        weights.load_state(path)
    assert main(["weights", "forget", "tsdn"]) == 0
    assert torch.equal(weights.load_state(path)["weight"], OTHER["weight"])
    torch.save(STATE, path)
    with pytest.raises(WeightError, match=CHANGED):
        weights.load_state(path)


def test_forgetting_leaves_the_others(tmp_path):
    for file in ("cornet_rgb_duts_tr.pth", "small.pth"):
        torch.save(STATE, tmp_path / file)
        weights.load_state(tmp_path / file)
    assert (weights.forget("tsdn"), weights.forget("tsdn")) == (1, 0)
    torch.save(OTHER, tmp_path / "small.pth")
    with pytest.raises(WeightError, match=r"delete the entry .*small\.pth from .*first_use\.json"):
        weights.load_state(tmp_path / "small.pth")


def test_a_file_is_hashed_once_and_again_when_it_is_another_one(tmp_path, monkeypatch):
    path, count, hashed = tmp_path / "small.pth", [], hashlib.file_digest
    monkeypatch.setattr(_loading.hashlib, "file_digest", lambda *given: count.append(1) or hashed(*given))
    path.write_bytes(b"one")
    assert _loading.digest(path) == _loading.digest(path) == hashlib.sha256(b"one").hexdigest()
    assert len(count) == 1
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as whoever replaces a file in secret would
    assert _loading.digest(path) == hashlib.sha256(b"two").hexdigest()


def test_two_versions_by_hand_are_two_first_uses(tmp_path):
    for folder, state in (("a", STATE), ("b", OTHER)):
        (tmp_path / folder).mkdir()
        torch.save(state, tmp_path / folder / "cornet_rgb_duts_tr.pth")
        assert torch.equal(weights.load_state(tmp_path / folder / "cornet_rgb_duts_tr.pth")["weight"], state["weight"])


@pytest.mark.parametrize("content", ["", "[]", '{"entries": 3}', '{"entries": {"a": 3}}'])
def test_a_damaged_record_is_not_ignored(tmp_path, content):
    torch.save(STATE, tmp_path / "small.pth")
    weights.load_state(tmp_path / "small.pth")
    _record.path().write_text(content)
    with pytest.raises(WeightError, match=r"first_use\.json, cannot be read .*; delete it"):
        weights.load_state(tmp_path / "small.pth")


def test_a_record_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(_record, "path", lambda: tmp_path / "file" / "first_use.json")
    monkeypatch.setattr(_record, "read", dict)
    torch.save(STATE, tmp_path / "small.pth")
    assert weights.load_state(tmp_path / "small.pth").keys() == STATE.keys()
    assert "hashes of weights are not recorded" in caplog.text


def test_a_record_that_cannot_be_changed_is_not_said_to_be_forgotten(tmp_path, monkeypatch):
    torch.save(STATE, tmp_path / "small.pth")
    weights.load_state(tmp_path / "small.pth")

    def full(partial, target):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WeightError, match="so nothing is forgotten"):
        weights.forget("small.pth")
    assert len(_record.read()) == 1


@pytest.fixture
def hub(server, monkeypatch):
    """One repository whose files have no published hash in the table."""
    server.publish("owner/name", {"config.json": b"{}", "model.safetensors": b"x" * 200_000})
    made = _table.Weight("small", "Small ViT", "owner/name", _table.MODEL, 200_000, "MIT")
    monkeypatch.setattr(_table, "WEIGHTS", {"small": made})
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    return server


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_came_from_the_hub_is_recorded_with_its_commit(hub, tmp_path, by_hand):
    with weights.using(tmp_path / "hand" if by_hand else None):
        place = weights.fetch("small")
        entries = json.loads(_record.path().read_text())["entries"]
        assert entries["small@main"]["commit"] == COMMIT
        hashes = {entry["file"]: entry["sha256"] for entry in entries.values() if "file" in entry}
        assert hashes == {
            "config.json": hashlib.sha256(b"{}").hexdigest(),
            "model.safetensors": hashlib.sha256(b"x" * 200_000).hexdigest(),
        }
        (place / "config.json").resolve().write_bytes(b'{"changed": 1}')
        with pytest.raises(WeightError, match=CHANGED), weights.checked("small"):
            pytest.fail("a changed file was handed out")


def test_a_branch_that_moves_on_the_hub_is_not_followed(hub):
    """A second download asks for the commit of the first, whatever "main" is by then."""
    place = weights.fetch("small")
    for path in [path for path in hub.files if "/main" in path]:
        hub.files[path] = b"evil" * 50_000
    (place / "model.safetensors").resolve().unlink()
    hub.asked.clear()
    assert weights.fetch("small") == place
    assert (place / "model.safetensors").read_bytes() == b"x" * 200_000
    assert not [path for _, path, _ in hub.asked if "/main" in path]


def test_a_newer_commit_of_another_program_is_refused(hub, tmp_path, put_files):
    place = weights.fetch("small")
    newer = "f" * 40
    put_files(place.parent / newer, ["config.json", "model.safetensors"], b"newer")
    (place.parents[1] / "refs" / "main").write_text(newer)
    assert weights.locate("small") == place
    for file in place.iterdir():
        file.unlink()
    assert weights.locate("small") == place.parent / newer
    with pytest.raises(WeightError, match=CHANGED), weights.checked("small"):
        pytest.fail("a changed file was handed out")


def test_another_revision_is_another_first_use(hub, tmp_path, put_files):
    place = weights.fetch("small")
    put_files(place.parent / ("e" * 40), ["config.json", "model.safetensors"], b"other")
    with weights.using(revisions={"small": "e" * 40}), weights.checked("small") as folder:
        assert (folder / "config.json").read_bytes() == b"other"


def test_an_unknown_name_has_no_folder():
    with pytest.raises(SettingError), weights.checked("nothing"):
        pass


def _calls(name: str) -> list[tuple[str, ast.Call]]:
    """Every call of something called ``name`` in the package, with its file."""
    found = []
    for path in sorted(Path(ipseg.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and name in (
                getattr(node.func, "attr", ""),
                getattr(node.func, "id", ""),
            ):
                found.append((path.name, node))
    return found


def _settings(call: ast.Call) -> dict[str, object]:
    return {one.arg: getattr(one.value, "value", None) for one in call.keywords if one.arg}


def test_no_other_reader_of_pickles():
    """torch.load stands once, behind the check of the hash; numpy reads no pickles; nothing else unpickles."""
    torches = [(file, call) for file, call in _calls("load") if ast.unparse(call.func) == "torch.load"]
    assert [(file, _settings(call)["weights_only"]) for file, call in torches] == [("_loading.py", True)]
    arrays = [call for _, call in _calls("load") if ast.unparse(call.func) in ("np.load", "numpy.load")]
    assert arrays
    assert all(_settings(call).get("allow_pickle") in (None, False) for call in arrays)
    modules = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for path in Path(ipseg.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
                assert not names & (modules - {"pickle"}), path
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pickle":
                assert node.attr not in ("load", "loads"), f"{path}: only a restricted Unpickler may read"


def test_no_reader_of_folders_asks_the_network_or_runs_code():
    calls = [*_calls("from_pretrained"), *_calls("load_config")]
    assert len(calls) >= 4
    for file, call in calls:
        assert _settings(call).get("local_files_only") is True, file
        assert "trust_remote_code" not in _settings(call), file
        assert ast.unparse(call.args[0]) == "folder", f"{file}: only the folder of weights.checked is read"
