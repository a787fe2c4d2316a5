"""The report is one file that says what was measured, shows the right cases, and loads nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import layouts
import numpy as np
import pytest

from ipseg.__main__ import main
from ipseg.core import plugins
from ipseg.core.types import InputError
from ipseg.evaluation import runs
from ipseg.evaluation.runs import Prediction, Run
from ipseg.studies import report


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return layouts.perseg(tmp_path_factory.mktemp("data"), objects=2)


@pytest.fixture
def make(data, engine, tmp_path):
    """A run whose mask of each episode is the truth but for a share of its columns."""

    def run(name: str, shares) -> Run:
        dataset = plugins.build("datasets", "folder", data=data)
        record = runs.describe(
            engine, dataset, data, method="ipseg", title=f"<{name}>", method_settings={}, given=False
        )
        made = Run.create(tmp_path / name, record, dataset)
        for number, share in enumerate(shares):
            mask = dataset.episodes[number].input.mask().mask.copy()
            columns = np.flatnonzero(mask.any(0))
            mask[:, columns[: int(share * len(columns))]] = False
            made.save(number, Prediction(mask, "detected", 1.0))
        return made

    return run


class Reader(HTMLParser):
    """Collects tags and attributes, and checks that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_the_report_of_a_run(make):
    shares = [0.0, 0.9, 0.5, 0.2, 0.1, 0.3]
    examined = report.examine(make("one", shares))
    text = report.html(examined, cases=2)
    reader = read(text)
    images = [attributes for tag, attributes in reader.seen if tag == "img"]
    assert len(images) == 6
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in images)
    worst, second, best = images[0], images[1], images[2]
    names = [examined.dataset.episodes[number].name for number in (1, 2, 0)]
    for image, name in zip((worst, second, best), names, strict=True):
        assert image["alt"].startswith(name)
    assert "IoU 1.00" in best["alt"]
    assert "&lt;one&gt;" in text
    assert "<one>" not in text
    assert f"{100 * examined.score.metrics['miou'].value:.1f} [" in text
    assert "6 of 12 episodes" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "http" not in re.sub(r"base64,[^\"]*", "", text)


def test_the_report_of_two_runs(make):
    first, second = make("one", [0.5] * 6), make("two", [0.5, 0.0, 0.5, 0.9, 0.5, 0.1])
    text = report.html(*(report.examine(run) for run in (first, second)), cases=2)
    alts = [attributes["alt"] for tag, attributes in read(text).seen if tag == "img"]
    dataset = first.dataset()
    assert [alt.split(",")[0] for alt in alts] == [dataset.episodes[number].name for number in (1, 5, 3)]
    assert "p = " in text
    same = report.html(*(report.examine(run) for run in (first, first)))
    assert same.count("There is none.") == 2


def test_runs_of_different_episodes_are_not_compared(make, engine, data, tmp_path):
    dataset = plugins.build("datasets", "perseg", data=data)
    record = runs.describe(engine, dataset, data, method="ipseg", title="x", method_settings={}, given=False)
    other = Run.create(tmp_path / "other", record, dataset)
    other.save(0, Prediction(np.zeros(layouts.SIZE, bool), "detected", 1.0))
    with pytest.raises(InputError, match="different episodes"):
        report.html(report.examine(make("one", [0.5])), report.examine(other))


def test_the_paired_test_by_hand():
    one = dict.fromkeys(range(30), 0.5)
    better = {number: 0.5 + 0.01 * (number + 1) for number in range(1, 31)}
    found = report.paired(one, better)
    assert found.episodes == 29
    assert found.difference == pytest.approx(np.mean([0.01 * (number + 1) for number in range(1, 30)]))
    assert found.low < found.difference < found.high
    assert found.p < 1e-4
    assert report.paired(one, one) == report.Paired(30, 0.0, 0.0, 0.0, 1.0)
    assert report.paired(better, one).difference == pytest.approx(-found.difference)
    with pytest.raises(InputError, match="no episode in common"):
        report.paired({1: 0.5}, {2: 0.5})


def test_the_command(make, tmp_path, capsys):
    first, second = (str(make(name, [0.1, 0.2]).folder) for name in ("one", "two"))
    out = tmp_path / "made" / "report.html"
    assert main(["report", first, second, "--out", str(out), "--cases", "1"]) == 0
    assert out.read_text().startswith("<!doctype html>")
    assert main(["report", first, second, first]) == 2
    assert "give one or two" in capsys.readouterr().err
    assert main(["report", first, "--cases", "0"]) == 2
