"""``ipseg cache``: what is saved is shown and removed, and nothing else."""

from __future__ import annotations

import numpy as np

from ipseg.__main__ import main
from ipseg.core import store


def test_saved_results_are_shown_and_removed_and_the_record_of_weights_stays(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    noise = {"noise": np.random.default_rng(0).integers(0, 256, 1_200_000, dtype=np.uint8)}
    store.ResultStore(store.folder("galleries"), store.ARRAYS).put("a", noise)
    record = store.folder("weights") / "first_use.json"
    record.parent.mkdir()
    record.write_text("{}")
    assert main(["cache"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("ablation: 0 files, 0 kB of 2.1 GB, ")
    assert shown[1].startswith("galleries: 1 file, 1 MB of 2.1 GB, ")
    assert main(["cache", "clear"]) == 0
    assert "galleries: 1 MB removed from" in capsys.readouterr().out
    assert store.usage(store.folder("galleries")) == (0, 0)
    assert record.read_text() == "{}"
