"""The paper's figures: every row is there, and what the paper computes from them comes out of them."""

import re
from pathlib import Path

import pytest

from ipseg import weights
from ipseg.core import plugins
from ipseg.evaluation import published

ROOT = Path(__file__).resolve().parents[2]
ROWS = [(title, columns, row) for title, (columns, rows) in published.TABLES.items() for row in rows]
NAMED = {
    "Table 1, few-shot": ["Painter", "SegGPT", "DeLVM", "PerSAM", "Matcher", "Matcher-Z", "IPSeg"],
    "Table 2, zero-shot": ["SPNet", "ZS3", "CaGNet", "SIGN", "ViL-Seg", "GroupViT", "TCL", "IPSeg"],
}


def of(title: str, method: str) -> dict[str, float]:
    columns, rows = published.TABLES[title]
    (row,) = (row for row in rows if row.method == method)
    return dict(zip(columns, row.figures, strict=True))


@pytest.mark.parametrize("title", NAMED)
def test_every_method_of_the_table_has_one_row(title):
    assert [row.method for row in published.TABLES[title][1]] == NAMED[title]


@pytest.mark.parametrize(("title", "columns", "row"), ROWS, ids=lambda value: getattr(value, "method", ""))
def test_every_row_has_its_figures_and_says_what_it_takes(title, columns, row):
    assert len(row.figures) == len(columns)
    assert all(0 < figure < 100 for figure in row.figures)
    assert row.takes
    if row.plugin:
        assert row.plugin in plugins.names("baselines")
        assert all(weights.get(name) for name in re.findall("`(.*?)`", row.takes))


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
    text = published.markdown()
    assert text.startswith("The paper's own figures")
    for _, _, row in ROWS:
        assert f"| {row.method} | {row.published} |" in text
        assert f"| {row.takes} |" in text
    widths = {line.count("|") for line in text.splitlines() if line.startswith("|")}
    assert len(widths) == 1
    assert text in (ROOT / "docs" / "rivals.md").read_text()


@pytest.mark.parametrize("method", ["IPSeg", "PerSAM"])
def test_the_readme_has_the_same_figures(method):
    (line,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith(f"| {method} |")]
    figures = of("Table 1, few-shot", method)
    assert [float(cell) for cell in line.split("|")[4:-1]] == [figures[name] for name in ("Mean", "FSS", "PerSeg")]
