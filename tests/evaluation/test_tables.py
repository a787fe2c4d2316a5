"""Tables: the paper's figures beside ours, "not measured" where there is no run, and three forms."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from ipseg.core.types import SettingError
from ipseg.datasets import Annotated, Episode, EvaluationProtocol, MaskFile
from ipseg.evaluation import published, sweeps, tables
from ipseg.evaluation.metrics import Pixels
from ipseg.evaluation.runs import Run
from ipseg.evaluation.scoring import Scored, score
from ipseg.evaluation.tables import Measured

SIDE = Annotated("a", Path("a"), MaskFile(Path("a")))
CONFIG = {"k": 32, "clusters": 4}


def measured(
    name: str,
    share: int,
    *,
    method: str = "ipseg",
    title: str = "IPSeg",
    folds=(0,),
    of: int | None = None,
    engine: dict | None = None,
    boundary: float | None = None,
    scale: str = "the image's own size",
    lacks: str = "",
    **settings,
) -> Measured:
    """A run that scores ``share`` per cent in every fold."""
    rows = [
        Scored(Episode(f"{fold}", SIDE, SIDE, "class", fold), Pixels(share, 100, 100, 0, 0), boundary) for fold in folds
    ]
    protocol = EvaluationProtocol(f"protocol of {name}", frames=boundary is not None, boundary=boundary is not None)
    notes = {"dataset": name, "of": of or len(rows), "scale": scale, "failed": 0, "lacks": lacks}
    record = {
        "title": title,
        "settings": {
            "method": {"name": method},
            "prompt_mask": "none",
            "engine": {"name": "paper", "features": {"dinov2": {}, "stable_diffusion": {}}, "saliency": ["tsdn", {}]}
            | (engine or {}),
            "config": CONFIG,
            "dataset": {"name": name},
            **settings,
        },
    }
    return Measured(Run(Path("run"), record), score(rows, protocol, samples=20, notes=notes))


def rows(table: tables.Table, label: str) -> dict[str, tuple[str, ...]]:
    """The cells of the rows with a label, by their source."""
    return {row[1]: row[2:] for row in table.rows if row[0] == label}


@pytest.mark.parametrize("number", published.TABLES)
def test_without_a_run_every_row_says_so(number):
    table = tables.of_paper(number, [])
    _, columns, lines = published.table(number)
    assert len(lines) >= 2
    for line in lines:
        found = rows(table, line.label)
        assert found.pop("not measured") == ("not measured",) * len(columns)
        (figures,) = found.values()
        assert figures == tuple(f"{figure:.1f}" for figure in line.figures)
    assert ("anchor of 2026" in str(table.rows)) == (number in ("1", "8"))


def test_the_mean_of_the_ablations_is_that_of_the_folds():
    for number in ("3", "4", "5", "6", "7"):
        _, columns, lines = published.table(number)
        assert columns[:5] == ("Fold0", "Fold1", "Fold2", "Fold3", "Mean")
        for line in lines:
            printed = 10.9 if (number, line.label) == ("7", "MAE") else line.figures[4]  # the paper prints 10.7 there
            assert sum(line.figures[:4]) / 4 == pytest.approx(printed, abs=0.06)


def test_ours_stand_under_the_papers():
    runs = [
        measured("coco20i", 40, folds=(0, 1, 2, 3)),
        measured("perseg", 90),
        measured("perseg", 70, method="persam", title="PerSAM", of=10),
        measured("perseg", 60, method="new", title="New"),
        measured("examples", 10),
    ]
    table = tables.of_paper("1", runs)
    assert rows(table, "IPSeg")["measured: paper"] == ("40.0",) * 5 + ("not measured", "90.0")
    assert rows(table, "PerSAM")["measured: paper"][-1] == "70.0 (1 of 10 episodes)"
    assert rows(table, "Matcher")["not measured"] == ("not measured",) * 7
    assert rows(table, "New")["measured: paper"][-1] == "60.0"
    assert [row[1] for row in table.rows if row[0] == "IPSeg"] == ["2024", "measured: paper"]
    assert any("protocol of coco20i; scored at the image's own size" in note for note in table.notes)
    assert "examples" not in str(table.rows)


def test_folds_that_were_run_apart_make_a_mean_when_all_are_there():
    apart = [measured("coco20i", 10 * fold + 10, folds=(fold,)) for fold in range(4)]
    assert rows(tables.of_paper("1", apart[:3]), "IPSeg")["measured: paper"][:5] == (
        *("10.0", "20.0", "30.0"),
        *("not measured", "not measured"),
    )
    assert rows(tables.of_paper("1", apart), "IPSeg")["measured: paper"][4] == "25.0"


def test_scales_and_prompt_sets_are_named():
    chosen = {"name": "coco20i", "prompt_set": {"name": "2", "prompts": {}}}
    table = tables.of_paper("1", [measured("coco20i", 40, scale="518 x 518", dataset=chosen)])
    assert "measured: paper, prompt set 2, scored at 518 x 518" in rows(table, "IPSeg")


@pytest.mark.parametrize(
    ("number", "label", "settings"),
    [
        ("3", "w/o DINOv2", {"engine": {"features": {"stable_diffusion": {}}}}),
        ("3", "w/o SD", {"engine": {"features": {"dinov2": {}}}}),
        ("3", "DINOv2 + SD", {}),
        ("4", "K=16, c=4", {"config": {"k": 16, "clusters": 4}}),
        ("5", "Prompt set 2", {"dataset": {"name": "fss1000", "prompt_set": {"name": "2", "prompts": {}}}}),
        ("6", "w/o TSDN", {"engine": {"saliency": ["none", {}]}}),
        ("6", "with TSDN", {}),
        ("6", "with GT", {"prompt_mask": "given"}),
        ("6", "with boundary", {"engine": {"saliency": ["boundary", {}]}}),
        ("7", "MAE", {"engine": {"features": {"mae": {}, "stable_diffusion": {}}}}),
        ("7", "features texture", {"engine": {"features": {"texture": {}}}}),
    ],
)
def test_settings_find_their_row(number, label, settings):
    table = tables.of_paper(number, [measured("fss1000", 33, **settings)])
    assert rows(table, label)["measured: paper"][5] == "33.0"


def test_j_and_f_stand_in_table_8():
    table = tables.of_paper("8", [measured("davis2017", 50, boundary=0.25), measured("lvis92i", 20, folds=range(10))])
    assert rows(table, "IPSeg")["measured: paper"] == ("50.0", "25.0", "not measured", "not measured", "20.0")


def test_runs_of_any_dataset_are_rows():
    table = tables.of_runs([measured("examples", 50, of=4), measured("davis2017", 40, boundary=0.5)])
    assert table.columns[:5] == ("method", "engine", "dataset", "prompt", "episodes")
    assert table.columns[5:] == ("mIoU", "FB-IoU", "per-image mean IoU", "J", "F")
    assert table.rows[0][:6] == ("IPSeg", "paper", "examples", "image", "1 of 4", "50.0 [50.0, 50.0]")
    assert table.rows[0][-1] == ""


def test_three_forms():
    table = tables.Table("Title, 50 %", ("a", "b_c"), (("x|y", "1 & 2"), ('"z"', "3")), ("A note.",))
    assert table.render("markdown").splitlines() == [
        "**Title, 50 %**",
        "",
        "| a | b_c |",
        "| --- | --- |",
        "| x\\|y | 1 & 2 |",
        '| "z" | 3 |',
        "",
        "A note.",
    ]
    assert list(csv.reader(io.StringIO(table.render("csv")))) == [["a", "b_c"], ["x|y", "1 & 2"], ['"z"', "3"]]
    latex = table.render("latex")
    assert "\\caption{Title, 50 \\%. A note.}" in latex
    assert "x|y & 1 \\& 2 \\\\" in latex
    assert "a & b\\_c \\\\" in latex


def test_the_grids_of_the_paper_have_its_rows():
    assert [(each.k, each.clusters) for each in sweeps.of_table("4")] == [
        tuple(int(part.partition("=")[2]) for part in line.label.split(", ")) for line in published.table("4")[2]
    ]
    assert [each.prompt_set for each in sweeps.of_table("5", ("1", "2", "3"))] == ["1", "2", "3"]
    assert len(sweeps.of_table("3")) == len(sweeps.of_table("6")) == len(sweeps.of_table("7")) == 3
    with pytest.raises(SettingError, match="--prompt-sets"):
        sweeps.of_table("5")


def test_a_product_of_changes():
    made = sweeps.of_product({"k": [16, 32], "saliency": ["none", "tsdn"]})
    assert [(each.k, each.changes, each.name) for each in made][1:3] == [
        (16, {"saliency": "tsdn"}, "k-16_saliency-tsdn"),
        (32, {"saliency": "none"}, "k-32_saliency-none"),
    ]
    with pytest.raises(SettingError, match="no kk to vary"):
        sweeps.of_product({"kk": [1]})


def test_a_part_of_a_dataset_is_no_figure_of_the_whole():
    part = measured("perseg", 90, lacks="3 of 40 classes", of=2)
    assert (
        rows(tables.of_paper("1", [part]), "IPSeg")["measured: paper"][-1] == "90.0 (3 of 40 classes, 1 of 2 episodes)"
    )
    assert tables.of_runs([part]).rows[0][2] == "perseg (3 of 40 classes)"
