"""A server on this machine, and a machine without weights."""

from __future__ import annotations

import pytest
from local_hub import Server, serving


@pytest.fixture
def server() -> Server:
    with serving() as made:
        yield made


@pytest.fixture(autouse=True)
def empty_machine(tmp_path, monkeypatch, hub_home):
    """No weights anywhere, and no wish of whoever runs the tests."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    hub_home(tmp_path / "home")
    monkeypatch.setattr("ipseg.weights._record.path", lambda: tmp_path / "record" / "first_use.json")


@pytest.fixture
def put_files():
    """A function that writes files with the same content into a folder, and returns the folder."""

    def put(folder, files, content=b"x"):
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(content)
        return folder

    return put
