"""Weights from a file into a network."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from ipseg import weights
from ipseg.weights import WeightError, _loading

STATE = {"weight": torch.arange(6.0).reshape(2, 3), "bias": torch.ones(2)}


@pytest.fixture(params=["zip", "old", "safetensors"])
def file(request, tmp_path):
    """The same weights in each format that is published."""
    if request.param == "safetensors":
        from safetensors.torch import save_file

        save_file(STATE, tmp_path / "small.safetensors")
        return tmp_path / "small.safetensors"
    torch.save(STATE, tmp_path / "small.pth", _use_new_zipfile_serialization=request.param == "zip")
    return tmp_path / "small.pth"


def test_every_format(file):
    state = weights.load_state(file)
    assert all(torch.equal(state[name], value) for name, value in STATE.items())
    assert list(weights.load_state(file, accept=lambda name: name == "bias")) == ["bias"]


def test_the_hash_is_checked_first(file):
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    weights.load_state(file, found)
    with pytest.raises(WeightError, match=f"sha256 {found}, but that of its makers is {'0' * 64}"):
        weights.load_state(file, "0" * 64)


def test_a_file_of_a_known_name_has_to_have_the_known_hash(tmp_path):
    torch.save(STATE, tmp_path / "sam_vit_b_01ec64.pth")
    with pytest.raises(
        WeightError, match=r"ec2df62732614e57.*delete it and run `python -m ipseg weights fetch sam_vit_b`"
    ):
        weights.load_state(tmp_path / "sam_vit_b_01ec64.pth")


def test_the_hash_of_the_table_is_what_counts(tmp_path, monkeypatch):
    path = tmp_path / "sam_vit_b_01ec64.pth"
    torch.save(STATE, path)
    made = replace(weights.get("sam_vit_b"), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setitem(weights.WEIGHTS, "sam_vit_b", made)
    assert len(weights.load_state(path)) == 2


@pytest.mark.parametrize("cut", [0, 10, 150])
def test_a_file_cut_short_is_refused(file, cut):
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(WeightError, match=r"cut short; run `python -m ipseg weights fetch tsdn`"):
        weights.load_state(file, name="tsdn")


def test_a_file_that_would_run_code_is_refused(tmp_path, capsys):
    class Trap:
        def __reduce__(self):
            return print, ("the trap ran",)

    torch.save({"weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(WeightError):
        weights.load_state(tmp_path / "trap.pth")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}])
def test_a_file_of_something_else_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(WeightError, match="no table of weights"):
        weights.load_state(tmp_path / "other.pth")


def test_a_network_is_filled_and_what_it_has_not_is_left():
    with torch.device("meta"):
        network = torch.nn.Linear(3, 2)
    weights.fill(network, STATE | {"fc": torch.ones(1)}, "tsdn")
    assert torch.equal(network(torch.ones(3)), STATE["weight"].sum(1) + 1)


@pytest.mark.parametrize("wrong", [{"weight": torch.ones(2, 3)}, {**STATE, "bias": torch.ones(3)}])
def test_another_model_is_refused(wrong):
    with pytest.raises(WeightError, match=r"not those of TSDN \(1 weights .* bias first\)"):
        weights.fill(torch.nn.Linear(3, 2), wrong, "tsdn")


def test_a_missing_file_is_one_message(tmp_path):
    with pytest.raises(WeightError):
        weights.load_state(tmp_path / "nothing.pth")


def test_digest_is_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert _loading.digest(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()
