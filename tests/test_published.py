"""The paper's figures, ``published.json``: every row is there, and what the paper computes from them comes out.

They are mIoU in per cent, quoted from the paper, and no result of this project. Of each row: ``published``, where and
when; ``trained``, whether it was trained for segmentation; ``prompt``, what it is shown; ``plugin``, the method of this
package that runs it, "" when none does; ``takes``, what is needed to run it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ipseg import weights
from ipseg.core import plugins

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = json.loads((ROOT / "ipseg" / "evaluation" / "published.json").read_text(encoding="utf-8"))
TABLES = PUBLISHED["tables"]
ROWS = [(title, table["columns"], row) for title, table in TABLES.items() for row in table["rows"]]
NAMED = {
    "Table 1, few-shot": ["Painter", "SegGPT", "DeLVM", "PerSAM", "Matcher", "Matcher-Z", "IPSeg"],
    "Table 2, zero-shot": ["SPNet", "ZS3", "CaGNet", "SIGN", "ViL-Seg", "GroupViT", "TCL", "IPSeg"],
}


def of(title: str, method: str) -> dict[str, float]:
    (row,) = (row for row in TABLES[title]["rows"] if row["method"] == method)
    return dict(zip(TABLES[title]["columns"], row["figures"], strict=True))


@pytest.mark.parametrize("title", NAMED)
def test_every_method_of_the_table_has_one_row(title):
    assert [row["method"] for row in TABLES[title]["rows"]] == NAMED[title]


@pytest.mark.parametrize(
    ("title", "columns", "row"), ROWS, ids=lambda value: value["method"] if isinstance(value, dict) else ""
)
def test_every_row_has_its_figures_and_says_what_it_takes(title, columns, row):
    assert len(row["figures"]) == len(columns)
    assert all(0 < figure < 100 for figure in row["figures"])
    assert row["takes"]
    if row["plugin"]:
        assert row["plugin"] in plugins.names("baselines")
        assert all(weights.get(name) for name in re.findall("`(.*?)`", row["takes"]))


@pytest.mark.parametrize("method", NAMED["Table 1, few-shot"])
def test_the_mean_is_that_of_the_folds(method):
    figures = of("Table 1, few-shot", method)
    assert sum(figures[f"Fold{fold}"] for fold in range(4)) / 4 == pytest.approx(figures["Mean"], abs=0.051)


def test_the_gains_that_the_paper_names_come_out():
    ours, persam = of("Table 1, few-shot", "IPSeg"), of("Table 1, few-shot", "PerSAM")
    for column, gain in (("Mean", 87.0), ("FSS", 1.3), ("PerSeg", 3.6)):
        assert 100 * (ours[column] / persam[column] - 1) == pytest.approx(gain, abs=0.06)
    ours, vilseg = of("Table 2, zero-shot", "IPSeg"), of("Table 2, zero-shot", "ViL-Seg")
    for column, gain in (("COCO-Stuff", 99.4), ("PASCAL-VOC", 68.3), ("PASCAL-Context", 315.3)):
        assert 100 * (ours[column] / vilseg[column] - 1) == pytest.approx(gain, abs=0.06)


def test_the_page_of_the_rivals_holds_every_row_and_says_whose_figures_they_are():
    """Each method once, with its figures of both tables; of the four folds of COCO-20i, the mean."""
    text = (ROOT / "docs" / "rivals.md").read_text(encoding="utf-8")
    assert PUBLISHED["caveat"] in text
    figures = {title: {row["method"]: of(title, row["method"]) for row in TABLES[title]["rows"]} for title in NAMED}
    shots, zeros = figures.values()
    for row in {row["method"]: row for _, _, row in ROWS}.values():
        known = {**shots.get(row["method"], {}), **zeros.get(row["method"], {})}
        cells = [row["method"], row["published"], "yes" if row["trained"] else "no", row["prompt"]]
        cells += [
            f"{known[name]:.1f}" if name in known else ""
            for name in ("Mean", "FSS", "PerSeg", "COCO-Stuff", "PASCAL-VOC", "PASCAL-Context")
        ]
        cells += [f"`{row['plugin']}`" if row["plugin"] else "not run", row["takes"]]
        assert f"| {' | '.join(cells)} |" in text.splitlines()


@pytest.mark.parametrize("method", ["IPSeg", "PerSAM"])
def test_the_readme_has_the_same_figures(method):
    (line,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith(f"| {method} |")]
    figures = of("Table 1, few-shot", method)
    assert [float(cell) for cell in line.split("|")[4:-1]] == [figures[name] for name in ("Mean", "FSS", "PerSeg")]
