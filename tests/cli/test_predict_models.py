"""``ipseg predict`` and ``ipseg sweep`` with the paper's models, on small networks with made-up weights.

Their masks mean nothing: what is shown is that a run of each preset goes through from the folder of a dataset, in the
released layout, to its table.
"""

from __future__ import annotations

import json
from pathlib import Path

import layouts
import pytest

from ipseg.__main__ import main

pytestmark = pytest.mark.slow
DATASETS = {  # two or three of each preset, so that each layout is used once
    "paper": ("lvis92i", "fss1000", "davis2017"),
    "released": ("perseg", "paco_part", "coco_stuff"),
    "light": ("pascal_part", "pascal_voc", "pascal_context", "coco"),
}
FEWER = {"lvis92i": ("--set", "episodes=20")}  # of each of ten folds, instead of 2300


@pytest.fixture
def weights_folder(small_models, monkeypatch) -> Path:
    """Small networks for every preset, for small images."""
    import networks

    from ipseg.engine import presets

    made = {name: networks.on_small_pictures(each) for name, each in presets.PRESETS.items()}
    sources = {"dinov2": {"size": 224}, "stable_diffusion": {"size": 256}, "mae": {"size": 224}, "clip": {"size": 224}}
    own = {name: {**settings, **sources.get(name, {})} for name, settings in presets.SOURCES.items()}
    for place in ("ipseg.engine.presets", "ipseg.engine.spec"):
        monkeypatch.setattr(f"{place}.PRESETS", made)
        monkeypatch.setattr(f"{place}.SOURCES", own)
    return small_models


@pytest.mark.parametrize("preset", DATASETS)
def test_a_preset_goes_through_the_released_layouts(preset, weights_folder, tmp_path, capsys):
    for dataset in DATASETS[preset]:
        data, out = getattr(layouts, dataset)(tmp_path / dataset), tmp_path / "runs" / dataset
        own = ["--preset", preset, "--weights-dir", f"{weights_folder}", "--placement", "cpu"]
        chosen = ["--dataset", dataset, "--data", f"{data}", "--limit", "1", "--out", f"{out}", *FEWER.get(dataset, ())]
        assert main(["predict", *own, *chosen]) == 0
        record = json.loads((out / "run.json").read_text())
        assert record["settings"]["engine"]["name"] == preset
        assert record["settings"]["weights"]
        assert len(list((out / "masks").rglob("*.json"))) == 1
    capsys.readouterr()
    assert main(["table", f"{tmp_path / 'runs'}"]) == 0
    shown = capsys.readouterr().out
    assert all(f"| IPSeg | {preset} | {dataset}" in shown for dataset in DATASETS[preset])


def test_the_sources_of_table_3_are_each_run_once_for_an_image(weights_folder, tmp_path, monkeypatch, capsys):
    from ipseg.features.dinov2 import DINOv2
    from ipseg.features.stable_diffusion import StableDiffusion
    from ipseg.saliency.tsdn import TSDN
    from ipseg.segmenters.sam import SegmentAnything

    calls: dict[str, list[bytes]] = {}
    watched = ((DINOv2, "__call__"), (StableDiffusion, "native"), (TSDN, "__call__"), (SegmentAnything, "encode"))
    for kind, method in watched:
        seen, inner = calls.setdefault(kind.__name__, []), getattr(kind, method)

        def counted(self, image, *rest, _seen=seen, _inner=inner):
            _seen.append(image.tobytes())
            return _inner(self, image, *rest)

        monkeypatch.setattr(kind, method, counted)
    data = layouts.perseg(tmp_path / "data", objects=1, images=2)
    own = ["--preset", "paper", "--weights-dir", f"{weights_folder}", "--placement", "cpu"]
    given = ["--dataset", "perseg", "--data", f"{data}", "--out", f"{tmp_path / 'runs'}", "--paper", "3"]
    assert main(["sweep", *own, *given]) == 0
    shown = capsys.readouterr().out
    for label in ("w/o SD", "w/o DINOv2", "DINOv2 + SD"):
        assert f"| {label} | measured: " in shown
    assert {name: (len(each), len(set(each))) for name, each in calls.items()} == {
        "DINOv2": (2, 2),
        "StableDiffusion": (2, 2),
        "TSDN": (1, 1),  # of the prompt image
        "SegmentAnything": (1, 1),  # of the input image
    }
