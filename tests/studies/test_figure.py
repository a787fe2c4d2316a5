"""A comparison as a figure: its columns, its white background, what stands below the masks, PNG and PDF."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from ipseg.core import viz
from ipseg.core.masks import read_mask
from ipseg.core.result import Result
from ipseg.core.status import Status
from ipseg.studies import figure
from ipseg.studies.comparison import Comparison, Entry


def entry(name: str, result: Result | None, label: str = "", **more) -> Entry:
    return Entry(name, label or name, more.pop("about", ""), "saliency", result, **more)


@pytest.fixture
def result(engine, scene) -> Result:
    return engine.segment(engine.prompt(scene[0]), scene[0])


def test_one_column_for_each_part_on_white(scene, result):
    image, mask = scene
    truth = read_mask(mask)
    entries = (entry("ipseg", result, iou=0.9), entry("persam", result, iou=0.5), entry("seggpt", None, error="no"))
    bare = figure.comparison_figure([Comparison(image, entries)], image)
    known = figure.comparison_figure([Comparison(image, entries, truth)], image)
    column = figure.SIDE + figure.SIDE // 24
    assert (bare.width, known.width) == (4 * column + figure.SIDE // 24, 5 * column + figure.SIDE // 24)
    pixels = np.asarray(known)
    border = np.concatenate([pixels[:4].reshape(-1, 3), pixels[-4:].reshape(-1, 3), pixels[:, :4].reshape(-1, 3)])
    assert (border == 255).all()
    two = figure.comparison_figure([Comparison(image, entries, truth)] * 2, image)
    assert two.height > 1.6 * known.height
    assert np.asarray(two)[known.height :, 20 : figure.SIDE].min() == 255  # the prompt is shown once


def test_a_method_has_its_colour_of_the_differences(scene, result):
    failed = entry("first", None, error="no")
    found = Comparison(scene[0], (failed, entry("second", result), entry("third", result)))
    drawn = np.asarray(figure.comparison_figure([found], scene[0]))
    column = figure.SIDE + figure.SIDE // 24
    for number in (0, 1):  # of those that answered
        tile = drawn[:, (2 + number) * column : (3 + number) * column].astype(int)
        near = [(np.abs(tile - colour).max(axis=-1) < 12).sum() for colour in viz.METHOD_COLOURS]
        assert np.argmax(near) == number


def test_what_stands_below_a_mask(scene, result):
    assert figure._below(entry("a", result, iou=0.914)) == "IoU 0.91"
    refused = Result(**{**vars(result), "status": Status.NOT_DETECTED})
    assert figure._below(entry("a", refused, iou=0.1)) == "IoU 0.10, not detected"
    assert figure._below(entry("a", result)) == ""
    assert figure._below(entry("a", refused, absent=True)) == "absent in truth, not detected"


def test_long_labels_and_notes_take_more_lines_and_stay_inside(scene, result):
    long = "PerSAM (on the engine's parts, with a label that is long)"
    short = figure.comparison_figure([Comparison(scene[0], (entry("a", result), entry("b", result)))], scene[0])
    about = "It differs from its publication in many ways. " * 6
    entries = (entry("a", result, long), entry("b", result, about=about))
    tall = figure.comparison_figure([Comparison(scene[0], entries)], scene[0], note="Engine e.")
    assert tall.width == short.width
    assert tall.height > short.height + figure.SIDE / 12
    assert (np.asarray(tall)[:, -4:] == 255).all()


def test_many_images_give_smaller_tiles(scene, result):
    found = [Comparison(scene[0], (entry("a", result), entry("b", result)))] * 16
    assert figure.comparison_figure(found, scene[0]).width < 4 * figure.SIDE


@pytest.mark.parametrize(("kind", "start"), [("PNG", b"\x89PNG"), ("PDF", b"%PDF-")])
def test_it_is_a_png_and_a_pdf(kind, start):
    image = Image.new("RGB", (400, 200), "white")
    data = figure.encode(image, kind)
    assert data.startswith(start)
    if kind == "PNG":
        with Image.open(io.BytesIO(data)) as read:
            assert read.size == (400, 200)
            assert round(read.info["dpi"][0]) == figure.DPI
    else:
        assert b"/MediaBox [ 0 0 144" in data  # 400 pixels at 200 to the inch are 144 points
