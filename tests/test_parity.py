"""Parity with the released implementations: every golden file of a folder, within 1e-3 and with the same choices.

The folder is ``tests/golden``, or the one that the environment variable IPSEG_PARITY_DIR names. A file's kind is the
beginning of its name; kinds without a check are left alone.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the paper's models need the extra [models]")

from networks import tsdn
from parity_checks import CHECKS

GOLDEN = Path(__file__).parent / "golden"
FOLDER = Path(os.environ.get("IPSEG_PARITY_DIR", GOLDEN))
LIMIT = 1e-3  # largest absolute difference, float32 on the CPU


def files() -> list[Path]:
    return [path for path in sorted(FOLDER.glob("*.npz")) if kind_of(path)]


def kind_of(path: Path) -> str | None:
    return next((kind for kind in CHECKS if path.name.startswith(kind)), None)


def test_the_folder_holds_golden_files():
    assert files(), f"no golden file in {FOLDER}"


@pytest.mark.parametrize("path", files(), ids=lambda path: path.name)
def test_parity(path: Path, capsys: pytest.CaptureFixture[str]):
    with np.load(path, allow_pickle=False) as data:
        differences = dict(CHECKS[kind_of(path)](dict(data), FOLDER if (FOLDER / "sd_tiny.json").is_file() else GOLDEN))
    with capsys.disabled():
        worst = max(differences, key=differences.get)
        print(f"\n{path.name}: largest difference {differences[worst]:.1e} ({worst}, of {len(differences)} compared)")
    assert {name: d for name, d in differences.items() if not d <= LIMIT} == {}


def test_saliency_network_has_the_checkpoint_s_keys():
    published = json.loads((GOLDEN / "tsdn_state_dict_keys.json").read_text())
    assert {name: list(value.shape) for name, value in tsdn().state_dict().items()} == published
