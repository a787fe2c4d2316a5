"""How a folder comes from the Hub."""

from __future__ import annotations

import hashlib

import pytest
from local_hub import COMMIT

from ipseg import weights
from ipseg.weights import WeightError, _table

CONTENT = bytes(range(256)) * 5000  # 1.28 MB, more than one block
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def hub(server, monkeypatch):
    """A server that answers as the Hub does, with one repository."""
    server.publish("owner/name", {"config.json": b"{}", "model.safetensors": CONTENT, "README.md": b"read me"})
    made = _table.Weight("small", "Small ViT", "owner/name", _table.MODEL, len(CONTENT), "MIT")
    monkeypatch.setattr(_table, "WEIGHTS", {"small": made})
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    return server


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_hub_folder_is_downloaded(hub, tmp_path, by_hand):
    reports = []
    with weights.using(tmp_path / "hand" if by_hand else None):
        path = weights.fetch("small", progress=lambda *now: reports.append(now))
        assert path == weights.locate("small")
        assert (path / "model.safetensors").read_bytes() == CONTENT
        assert not (path / "README.md").exists()  # nothing that is not needed
        assert ("model.safetensors", len(CONTENT), len(CONTENT)) in reports
        assert weights.describe(["small"])["small"]["commit"] == COMMIT
    assert path.is_relative_to(tmp_path / "hand" / "name" if by_hand else tmp_path / "home" / "hub")


def test_a_damaged_hub_file_is_downloaded_again(hub):
    path = weights.fetch("small") / "model.safetensors"
    path.resolve().write_bytes(CONTENT[::-1])
    assert (weights.fetch("small") / "model.safetensors").read_bytes() == CONTENT


def test_a_wrong_hub_file_is_refused_naming_both(hub):
    hub.files["/owner/name/resolve/main/model.safetensors"] = CONTENT[::-1]
    with pytest.raises(WeightError, match=SHA256) as caught:
        weights.fetch("small")
    assert hashlib.sha256(CONTENT[::-1]).hexdigest() in str(caught.value)


def test_a_repository_that_is_not_there_is_one_message(hub):
    hub.files.clear()
    with pytest.raises(WeightError, match="owner/name was not found at the revision main"):
        weights.fetch("small")


def test_without_a_network_what_is_here_is_taken(hub, monkeypatch, caplog):
    path = weights.fetch("small")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert weights.fetch("small") == path
    assert "Small ViT is here, but is not compared with what its makers publish" in caplog.text
    (path / "model.safetensors").resolve().write_bytes(CONTENT[::-1])
    with pytest.raises(WeightError, match="at its first use"):  # it was changed
        weights.fetch("small")
    (path / "model.safetensors").unlink()
    with pytest.raises(WeightError, match=r"could not be downloaded .*; check the network"):
        weights.fetch("small")


def test_an_answer_of_the_hub_is_no_lack_of_a_network(hub):
    weights.fetch("small")
    hub.files.clear()
    with pytest.raises(WeightError, match="was not found"):
        weights.fetch("small")
