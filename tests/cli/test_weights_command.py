"""python -m ipseg weights."""

from __future__ import annotations

import pytest

from ipseg import weights
from ipseg.__main__ import main
from ipseg.cli import weights as command


@pytest.fixture(autouse=True)
def no_weights(tmp_path, monkeypatch, hub_home):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    hub_home(tmp_path / "home")


def test_the_list_says_what_is_here(tmp_path, capsys):
    (tmp_path / "cornet_rgb_duts_tr.pth").write_bytes(b"x")
    assert main(["weights", "--weights-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert set(weights.WEIGHTS) <= set(lines)
    assert lines["tsdn"].endswith(str(tmp_path / "cornet_rgb_duts_tr.pth"))
    assert lines["sam_vit_h"].split()[1:] == ["2.6", "GB", "Apache-2.0", "-"]
    assert lines["light:"] == "light: dinov2_small, sam2.1-hiera-tiny; absent: dinov2_small, sam2.1-hiera-tiny"
    assert lines["paper:"].endswith("; absent: dinov2_base, sd15, sam_vit_h")


@pytest.fixture
def fetched(monkeypatch, tmp_path):
    """What was asked for, in which folder and revision; SAM is out of reach."""
    asked = []

    def fetch(name, *, progress):
        asked.append((name, weights.revision(weights.get(name))))
        if name == "sam_vit_h":
            raise weights.WeightError("SAM ViT-H could not be downloaded; check the network.")
        progress("config.json", 10, 10)
        progress("model.safetensors", 5, 20)
        progress("model.safetensors", 20, 20)
        return tmp_path / name

    monkeypatch.setattr(weights, "fetch", fetch)
    return asked


def test_a_preset_is_fetched_with_a_bar(fetched, capsys, tmp_path):
    assert main(["weights", "fetch", "light", "dinov2_small"]) == 0
    wanted = ("dinov2_small", "sam2.1-hiera-tiny")
    assert fetched == [(name, weights.get(name).revision) for name in wanted]
    shown = capsys.readouterr()
    assert "DINOv2 ViT-S/14: 88 MB, Apache-2.0" in shown.out
    assert str(tmp_path / "dinov2_small") in shown.out
    assert "model.safetensors: 100%" in shown.err


def test_a_failure_is_one_message_and_the_others_are_fetched(fetched, capsys):
    assert main(["weights", "fetch", "sam_vit_h", "tsdn", "--revision", "abc"]) == 1
    assert fetched == [("sam_vit_h", "abc"), ("tsdn", "abc")]
    assert "ipseg: SAM ViT-H could not be downloaded; check the network.\n" in capsys.readouterr().err


@pytest.mark.parametrize(("wrong", "message"), [([], "Say what to fetch: paper"), (["nope"], "no weights for nope")])
def test_wrong_usage_says_what_there_is(wrong, message, capsys):
    assert main(["weights", "fetch", *wrong]) == 2
    assert message in capsys.readouterr().err


def test_the_help_reads_well(capsys):
    with pytest.raises(SystemExit):
        main(["weights", "--help"])
    assert "interrupted downloads" in capsys.readouterr().out
    assert command.__doc__.splitlines()[0].endswith(".")
