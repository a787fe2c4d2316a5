"""The report: the lowest scores first, look-alike classes, empty images and errors, in a file of bounded size."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from ipseg.__main__ import main
from ipseg.annotations.labels import LabelFolder, LabelledImage, LabelledInstance
from ipseg.core.status import Status
from ipseg.labelling.review import draw, report
from ipseg.labelling.review.overview import Overview

SIZE = (30, 40)


def instance(label: str, score: float, top: int = 0, **more) -> LabelledInstance:
    mask = np.zeros(SIZE, bool)
    mask[top : top + 8, 5:25] = True
    return LabelledInstance(label, mask, score, Status.DETECTED if score >= 0.5 else Status.UNCERTAIN, **more)


@pytest.fixture
def labels(tmp_path, save) -> LabelFolder:
    """Three images with mugs and cups, one without, one that could not be read; the first has its file."""
    made = LabelFolder.create(tmp_path / "labels", ["mug", "cup"], {"preset": "offline"})
    file = save(tmp_path / "images" / "a.png", np.full((*SIZE, 3), (10, 200, 30), np.uint8))
    made.write(LabelledImage("a.png", SIZE, (instance("mug", 0.9), instance("cup", 0.3, 10)), str(file)))
    made.write(LabelledImage("b.png", SIZE, (instance("mug", 0.4, second="cup", second_score=0.35),)))
    made.write(LabelledImage("c.png", SIZE, (instance("mug", 0.7, second="cup", second_score=0.1),)))
    made.write(LabelledImage("empty.png", SIZE))
    made.write(LabelledImage("bad.png", (0, 0), error="bad.png is damaged & cut short; save it again."))
    return made


def test_the_overview_counts_and_orders(labels):
    labels.correct(replace(labels.read("a.png"), instances=labels.read("a.png").instances[:1]))
    found = Overview.of(labels)
    assert (found.images, found.corrected, len(found.rows)) == (5, 1, 3)
    assert found.lowest_images("mug") == ("b.png", "c.png", "a.png")
    assert found.without == ("empty.png",)
    assert [name for name, _ in found.errors] == ["bad.png"]
    assert found.confusion().tolist() == [[0, 2], [0, 0]]
    assert [row.image for row in found.closest("mug", "cup")] == ["b.png", "c.png"]


def test_the_report_says_what_is_in_the_folder(labels):
    text = report.html(labels, draw.opener())
    assert "4 instances of 2 classes, 2 of them uncertain" in text
    mugs = text[text.index("<h2>mug</h2>") : text.index("<h2>cup</h2>")]
    assert re.findall(r'alt="(\w\.png)', mugs) == ["b.png", "c.png", "a.png"]
    assert "1: mug 0.40 uncertain, cup 0.35" in mugs
    assert "mug or cup" in text
    assert "bad.png is damaged &amp; cut short" in text
    assert "src" not in re.sub(r'src="data:image/jpeg;base64,[^"]*"', "", text), "something is loaded"
    assert text.count("masks on grey") >= 3, "images without a file are named"


def test_the_number_of_images_is_bounded_and_said(labels):
    text = report.html(labels, draw.opener(), cases=1)
    mugs = text[text.index("<h2>mug</h2>") : text.index("<h2>cup</h2>")]
    assert mugs.count("<figure>") == 1
    assert "1 of 3 images" in mugs


def test_images_are_found_where_they_were_moved(labels, tmp_path, encode):
    image = labels.read("a.png")
    assert tuple(draw.opener()(image)[0, 0]) == (10, 200, 30)
    moved = (tmp_path / "images").rename(tmp_path / "moved")
    assert draw.opener()(image) is None
    assert draw.opener(moved)(image).shape == (*SIZE, 3)
    assert draw.opener(moved)(replace(image, name="../moved/a.png", file="")) is None
    import zipfile

    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.write(moved / "a.png", "a.png")
    assert draw.opener(tmp_path / "images.zip")(image).shape == (*SIZE, 3)


def test_an_image_of_another_size_is_not_drawn_on(labels, tmp_path, save):
    save(tmp_path / "images" / "a.png", np.zeros((20, 20, 3), np.uint8))
    assert draw.opener()(labels.read("a.png")) is None


def test_a_tiny_instance_is_still_drawn():
    mask = np.zeros((900, 1200), bool)
    mask[500, 600] = True
    image = LabelledImage("a.png", (900, 1200), (LabelledInstance("mug", mask, 0.9),))
    shown = draw.drawn(None, image, ["mug"], 240)
    assert shown.shape == (180, 240, 3)
    assert (shown != shown[0, 0]).any()


def test_the_command_writes_the_report(labels, tmp_path, capsys, one_message):
    out = tmp_path / "made" / "report.html"
    assert main(["review", str(labels.folder), "--output", str(out)]) == 0
    assert "Labels of 5 images" in out.read_text("utf-8")
    assert main(["review", str(tmp_path), "--output", str(out)]) == 2
    error = capsys.readouterr().err.removeprefix("ipseg: ").strip()
    one_message(error, names="labels.json")


def test_thresholds_leave_the_numbers_and_a_chosen_instance_is_tinted():
    image = LabelledImage("a.png", SIZE, (instance("mug", 0.9), instance("cup", 0.3, 10)))
    large = draw.shrunk(np.full((*SIZE, 3), 255, np.uint8), image, 40)
    assert large[1].size == SIZE
    everything = draw.drawn(None, image, ["mug", "cup"], 40)
    one = draw.drawn(None, image, ["mug", "cup"], 40, thresholds={"cup": 0.5})
    assert (everything[12:17] != one[12:17]).any()
    assert (one[14:18] == one[25, 30]).all(), "nothing of the cup"
    assert (draw.drawn(None, image, ["mug", "cup"], 40, chosen=1) != everything)[11:17].any()
