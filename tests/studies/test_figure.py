"""A comparison as a figure: its columns, its white background, what stands below the masks, PNG and PDF."""

from __future__ import annotations

import base64
import io
import re
import zlib

import numpy as np
import pytest
from PIL import Image

from ipseg.core import viz
from ipseg.core.masks import read_mask
from ipseg.core.result import Result
from ipseg.core.status import Status
from ipseg.studies import figure
from ipseg.studies.comparison import Comparison, Entry

COLUMN = figure.SIDE + figure.SIDE // 24


def entry(name: str, result: Result | None, label: str = "", **more) -> Entry:
    return Entry(name, label or name, more.pop("about", ""), "saliency", result, **more)


def png(made: figure.Figure) -> np.ndarray:
    with Image.open(io.BytesIO(made.png())) as image:
        assert image.size == (made.width, made.height)
        assert round(image.info["dpi"][0]) == figure.DPI
        return np.asarray(image)


def streams(data: bytes) -> list[bytes]:
    """The streams of a PDF that hold drawing operators or fonts, unpacked."""
    found = re.findall(rb"ASCII85Decode /FlateDecode[^>]*>>\s*stream\s(.*?)endstream", data, re.DOTALL)
    return [zlib.decompress(base64.a85decode(b"<~" + each.strip(), adobe=True)) for each in found]


@pytest.fixture
def result(engine, scene) -> Result:
    return engine.segment(engine.prompt(scene[0]), scene[0])


def test_one_column_for_each_part_on_white(scene, result):
    image, mask = scene
    truth = read_mask(mask)
    entries = (entry("ipseg", result, iou=0.9), entry("persam", result, iou=0.5), entry("seggpt", None, error="no"))
    bare = figure.comparison_figure([Comparison(image, entries)], image)
    known = figure.comparison_figure([Comparison(image, entries, truth)], image)
    assert (bare.width, known.width) == (4 * COLUMN + figure.SIDE // 24, 5 * COLUMN + figure.SIDE // 24)
    pixels = png(known)
    border = np.concatenate([pixels[:4].reshape(-1, 3), pixels[-4:].reshape(-1, 3), pixels[:, :4].reshape(-1, 3)])
    assert (border == 255).all()
    two = figure.comparison_figure([Comparison(image, entries, truth)] * 2, image)
    assert two.height > 1.6 * known.height
    assert len(two.tiles) == 9, "the prompt is shown once"


def test_a_method_has_its_colour_of_the_differences(scene, result):
    failed = entry("first", None, error="no")
    found = Comparison(scene[0], (failed, entry("second", result), entry("third", result)))
    made = figure.comparison_figure([found], scene[0])
    assert [each.colour for each in made.swatches] == list(viz.METHOD_COLOURS[:2]), "the legend"
    drawn = png(made)
    for number in (0, 1):  # of those that answered
        tile = drawn[:, (2 + number) * COLUMN : (3 + number) * COLUMN].astype(int)
        near = [(np.abs(tile - colour).max(axis=-1) < 12).sum() for colour in viz.METHOD_COLOURS]
        assert np.argmax(near) == number


def test_what_stands_below_a_mask(scene, result):
    assert figure._below(entry("a", result, iou=0.914)) == "IoU 0.91"
    refused = Result(**{**vars(result), "status": Status.NOT_DETECTED})
    assert figure._below(entry("a", refused, iou=0.1)) == "IoU 0.10, not detected"
    assert figure._below(entry("a", result)) == ""
    assert figure._below(entry("a", refused, absent=True)) == "absent in the ground truth, not detected"


def test_the_figure_says_with_what_the_iou_is(scene, result):
    entries = (entry("a", result, iou=0.5), entry("b", result, iou=0.5))
    known = figure.comparison_figure([Comparison(scene[0], entries, read_mask(scene[1]))], scene[0])
    assert any("IoU: with the ground truth." in text.text for text in known.texts)
    bare = figure.comparison_figure([Comparison(scene[0], entries)], scene[0])
    assert not any("ground truth" in text.text for text in bare.texts)


def test_long_labels_and_notes_take_more_lines_and_stay_inside(scene, result):
    long = "PerSAM (on the engine's parts, with a label that is long)"
    short = figure.comparison_figure([Comparison(scene[0], (entry("a", result), entry("b", result)))], scene[0])
    about = "It differs from its publication in many ways. " * 6
    entries = (entry("a", result, long), entry("b", result, about=about))
    tall = figure.comparison_figure([Comparison(scene[0], entries)], scene[0], note="Engine e.")
    assert tall.width == short.width
    assert tall.height > short.height + figure.SIDE / 12
    assert (png(tall)[:, -4:] == 255).all()


def test_many_images_give_smaller_tiles(scene, result):
    found = [Comparison(scene[0], (entry("a", result), entry("b", result)))] * 16
    assert figure.comparison_figure(found, scene[0]).width < 4 * figure.SIDE


def test_text_outlines_and_legend_of_the_pdf_are_vectors_and_its_font_is_embedded(scene, result):
    found = Comparison(scene[0], (entry("a", result, "IPSeg", iou=0.5), entry("b", result, "PerSAM")))
    made = figure.comparison_figure([found], scene[0], note="Engine e.")
    data = made.pdf()
    assert data.startswith(b"%PDF-")
    assert data.count(b"/Subtype /Image") == len({tile.image.tobytes() for tile in made.tiles})
    assert b"/DCTDecode" in data, "images are JPEG"
    assert b"/FontFile2" in data
    width, height = (each * 72 / figure.DPI for each in (made.width, made.height))
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+)", data)
    assert [float(each) for each in box.groups()] == pytest.approx([width, height], abs=0.01)
    (page,) = [each for each in streams(data) if b" Do" in each]
    assert page.count(b"Tj") == len(made.texts)
    corners = sum(len(line) for tile in made.tiles for line in tile.outlines)
    assert len(re.findall(rb"[\d.]+ [\d.]+ [lm]\b", page)) >= 2 * corners > 0, "drawn white, then in their colour"
    assert len(re.findall(rb"\bre\b", page)) >= len(made.swatches) == 2
    assert made.pdf() == data


def test_the_outline_of_the_figure_is_that_of_the_mask(scene, result):
    made = figure.comparison_figure([Comparison(scene[0], (entry("a", result), entry("b", result)))], scene[0])
    tile = made.tiles[2]
    scale = tile.size[0] / scene[0].shape[1]
    corners = np.concatenate(tile.outlines) - tile.place
    rows, columns = np.nonzero(result.mask)
    assert corners.min(axis=0) == pytest.approx([(columns.min() + 0.5) * scale, (rows.min() + 0.5) * scale], abs=scale)
    assert corners.max(axis=0) == pytest.approx([(columns.max() + 0.5) * scale, (rows.max() + 0.5) * scale], abs=scale)
