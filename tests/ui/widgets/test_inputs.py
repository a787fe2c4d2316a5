"""What the page's inputs make of what is given."""

from __future__ import annotations

import gradio as gr
import pytest
from gradio.data_classes import FileData

from ipseg.core.types import SettingError
from ipseg.ui.widgets import inputs

FILE = {"path": "a.png", "url": None, "orig_name": "a.png", "meta": {"_type": "gradio.FileData"}}


@pytest.mark.parametrize(
    "given",
    [
        [FILE, FILE],
        [{"image": FILE, "caption": None}, FILE],
        [{"image": FILE}, {"image": FILE, "caption": "b"}],
    ],
)
def test_a_gallery_takes_a_plain_list_of_files(given):
    gallery = inputs.gallery_input(label="Images")
    read = gallery.preprocess(gallery.data_model.model_validate(given))
    assert [path for path, _ in read] == ["a.png", "a.png"]


def test_what_a_file_holds_decides_not_its_ending():
    """A JPEG without an ending, and a clip among images: the reader of images says what is wrong."""
    plain = FILE | {"path": "photo"}
    gallery = inputs.gallery_input(label="Images")
    read = gallery.preprocess(gallery.data_model.model_validate([plain, {"video": FILE | {"path": "a.mp4"}}]))
    assert read == [("photo", None), ("a.mp4", None)]
    files = inputs.image_files_input(label="Masks")
    assert files.preprocess(files.data_model.model_validate([plain, FILE])) == ["photo", "a.png"]
    assert files.preprocess(None) is None
    assert gallery.preprocess(None) is None


@pytest.mark.parametrize("given", ["a.png", {"path": "a.png"}, ["/etc/passwd"], [7], [None]])
def test_what_is_no_list_of_files_gets_one_message(given, one_message):
    with pytest.raises(gr.Error) as caught:
        inputs.gallery_input(label="Images").data_model.model_validate(given)
    one_message(caught.value.message)


def test_the_schema_of_a_gallery_is_as_it_was():
    ours, own = inputs.gallery_input(label="Images"), gr.Gallery(label="Images")
    assert ours.data_model.model_json_schema()["items"] == own.data_model.model_json_schema()["items"]
    assert FileData(**FILE).path == "a.png"


def test_a_number_may_be_left_empty():
    empty, set_to = inputs.optional_number(label="Weight", minimum=0), inputs.optional_number(0.1, label="Weight")
    assert (empty.get_config()["value"], set_to.get_config()["value"]) == ("", 0.1)
    assert [empty.preprocess(given) for given in (None, "", 0, 2.5)] == [None, None, 0, 2.5]
    assert [empty.postprocess(given) for given in (None, 0, 2.5)] == ["", 0, 2.5]
    with pytest.raises(gr.Error):
        empty.preprocess(-1)


@pytest.mark.parametrize(("given", "number"), [(32.0, 32), (32, 32), (32.7, 32.7), (None, None), ("3", "3")])
def test_a_whole_number(given, number):
    assert inputs.whole(given) == number
    assert type(inputs.whole(given)) is type(number)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ((32.7, 4, 0.2), "K is 32.7; give a whole number"),
        ((32.0, 4.5, 0.2), "c is 4.5; give a whole number"),
        ((None, 33, 0.2), "c is 33; give a whole number"),
        ((257, None, 0.2), "K is 257; give a whole number"),
        ((32, 4, float("nan")), "threshold is nan; give a number from 0 to 1"),
        ((32, 4, 0.5, float("nan")), "reject threshold is nan; give a number from 0 to 1"),
        ((32, 4, float("inf")), "threshold is inf; give a number from 0 to 1"),
        ((32, 4, 7), "threshold is 7; give a number from 0 to 1"),
    ],
)
def test_numbers_out_of_range_are_never_rounded(changed, words, one_message):
    with pytest.raises(SettingError) as caught:
        inputs.parameters(*changed, *[None] * (4 - len(changed)))
    one_message(caught.value, names=words)
    inputs.parameters(32.0, 4.0, None, None)
    inputs.parameters(None, None, None, None)
    assert inputs.parameters(32, 4, 0.2, 0.3).reject_threshold == 0.2
