"""The tab "Label": classes and images in, labels out, corrections, thresholds, downloads; the same through the API."""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import gradio as gr
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from ipseg import load, open_image
from ipseg.annotations import formats
from ipseg.annotations.labels import LabelledImage, LabelledInstance
from ipseg.core import packages, rle
from ipseg.core.types import ImageError, InputError, SettingError
from ipseg.labelling import run as labelling
from ipseg.labelling.review import edits
from ipseg.ui.server.jobs import Jobs
from ipseg.ui.server.limits import Ended, Limits, Watch
from ipseg.ui.tabs.label import api, handlers, jobs, layout, render, session
from ipseg.ui.tabs.label.correct import Corrections, for_format
from ipseg.ui.tabs.label.session import Request
from tests.conftest import ColourEngine, label_by_colour
from tests.ui.conftest import EXAMPLES, download, narrow_only, open_tab
from tests.ui.test_accessibility import faults

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop

DONE = "#label-status :is(.detected, .uncertain, .not-detected, .stopped)"


CUT = """() => ['#label-with-images', '#label-format', '#label-class-1', '#label-class-2'].flatMap((name) => {
  const block = document.querySelector(name), box = block.getBoundingClientRect();
  const narrow = [...block.querySelectorAll('input:not([type=checkbox])')].some(
    (one) => one.value && one.scrollWidth > one.clientWidth + 1);
  const beyond = [...block.querySelectorAll('span, input')].some(
    (one) => one.getBoundingClientRect().right > box.right + 1);
  return narrow || beyond ? [name] : [];
})"""  # what is wider than its place


class Pool:
    """Hands out one engine."""

    def __init__(self, engine) -> None:
        self._engine = engine

    def engine(self, spec, report=None):
        return self._engine


@pytest.fixture
def review(engine, tmp_path, save, make_scene, monkeypatch):
    """A session whose labels were made by the colour engine: two red ellipses, one blue, one file of words."""
    monkeypatch.setattr(session.tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(labelling, "label_image", label_by_colour)
    red, blue = (make_scene(colour=colour)[0] for colour in ((200, 30, 40), (40, 60, 210)))
    shown = [save(tmp_path / f"{name}.png", image) for name, image in (("red", red), ("blue", blue))]
    files = [
        save(tmp_path / "one" / "a.png", make_scene(seed=1)[0]),
        save(tmp_path / "two" / "a.png", make_scene(seed=2)[0]),
        save(tmp_path / "three" / "b.png", make_scene(colour=(40, 60, 210), seed=3)[0]),
        tmp_path / "words.png",
    ]
    files[3].write_text("words")
    request = Request(tuple((path.stem, ((str(path), None),)) for path in shown))
    made = jobs.start(request, list(map(str, files)))
    images = list(jobs.run(Pool(engine), made, Watch()))
    facts = {image.name: session.light(image) for image in images}
    return replace(made, order=render.ordered(images, {}), facts=facts), images


def test_every_image_is_labelled_and_a_bad_one_says_why(review):
    made, images = review
    assert {image.name: [one.label for one in image.instances] for image in images} == {
        "a.png": ["red"], "a (2).png": ["red"], "b.png": ["blue"], "words.png": [],
    }  # fmt: skip
    assert "not an image" in images[3].error
    assert made.labels.read("b.png").instances[0].mask.any()
    assert all(not image.file for image in made.labels), "no path of the server is saved"
    made = replace(made, facts={image.name: image for image in images})
    text = render.summary(made)
    assert "<b>Done.</b> Detected in 3 of 3 images: 3 instances (red <b>2</b>, blue <b>1</b>)." in text
    assert "words.png is not an image" in text
    assert "Stopped after 2 of 4" in render.summary(replace(made, facts=dict(list(made.facts.items())[:2])))


def test_the_lowest_score_comes_first_and_thresholds_reorder():
    def image(name: str, *scores: float) -> LabelledImage:
        masks = np.eye(len(scores) or 1, 4, dtype=bool)
        found = tuple(LabelledInstance("mug", masks[at : at + 1], score) for at, score in enumerate(scores))
        return LabelledImage(name, (1, 4), found)

    images = [image("a", 0.9, 0.6), image("b", 0.8, 0.3), image("none"), LabelledImage("bad", (0, 0), error="x")]
    assert render.ordered(images, {}) == ("b", "a", "none")
    assert render.ordered(images, {"mug": 0.5}) == ("a", "b", "none")
    assert render.caption(images[1], {"mug": 0.5}) == "Detected: mug · score 0.80 · b"
    assert render.caption(images[1], {"mug": 0.9}) == "Not detected: b"
    assert render.caption(replace(images[1], corrected=True), {}) == "Corrected: mug 2 · b"
    assert render.caption(replace(images[2], corrected=True), {}, confirmed=True) == "Confirmed: nothing · none"


def test_only_what_a_person_corrected_is_called_by_hand():
    mask, every = np.ones((1, 4), bool), SimpleNamespace(shows=lambda one: True)
    certain = LabelledImage("a", (1, 4), (LabelledInstance("mug", mask, 1.0),))
    assert render.choices(every, certain, "new")[0] == ("1: mug, 1.00", "0")
    assert render.choices(every, replace(certain, corrected=True), "new")[0] == ("1: mug, by hand", "0")


def test_edits_are_saved_undone_and_discarded(review):
    made = replace(review[0], opened="b.png", chosen=0)
    before = made.image()
    deleted = made.corrected(edits.deleted(before, 0))
    assert deleted.image().instances == ()
    assert deleted.image().corrected
    assert deleted.small("b.png")[1].instances == ()
    undone = deleted.undone()
    assert not undone.image().corrected
    assert len(undone.small("b.png")[1].instances) == 1
    twice = deleted.corrected(edits.confirmed(before)).discarded()
    assert not twice.image().corrected
    assert len(twice.image().instances) == 1


def test_a_session_holds_no_mask_in_memory(review):
    made = replace(review[0], opened="b.png")
    after = made.corrected(edits.deleted(made.image(), 0))
    assert after.facts["b.png"].instances == ()
    assert len(after.undone().facts["b.png"].instances) == 1
    assert all(one.mask.size == 1 for image in after.undone().facts.values() for one in image.instances)


def test_a_correction_stays_when_the_others_are_labelled_again(review, engine):
    made = replace(review[0], opened="b.png").corrected(LabelledImage("b.png", (48, 64)))
    made.labels.write(replace(made.labels.read("a.png"), instances=()))
    again = {image.name: image for image in jobs.run(Pool(engine), made, Watch())}
    assert again["b.png"].corrected
    assert again["b.png"].instances == ()
    assert len(again["a.png"].instances) == 1


def test_an_instance_becomes_an_example_that_the_next_run_takes(review, engine):
    made = replace(review[0], opened="b.png")
    example = edits.example_of(made.pixels(), made.image(), 0)
    more = made.with_example(example)
    assert more.added == 1
    image, mask = dict(more.request.classes)["blue"][1]
    assert (open_image(image) == example.image).all()
    list(jobs.run(Pool(engine), more, Watch()))
    given = engine.prompts[-1][1][1]
    assert (given.mask == example.mask).all()
    for _ in range(6):
        more = more.with_example(example)
    with pytest.raises(InputError, match='"blue" has 8 example images'):
        more.with_example(example)
    assert Path(mask).is_file()


def test_two_sessions_share_nothing_and_are_removed(review, engine):
    made, _ = review
    other = jobs.start(made.request, made.uploads[2:])
    assert other.folder != made.folder
    session.remove(other)
    assert not other.folder.exists()
    with pytest.raises(InputError, match="no longer saved; press Label"):
        other.labels  # noqa: B018
    assert len(made.labels) == 4


def test_a_stopped_run_saves_what_is_done(review, engine):
    made, watch = jobs.start(review[0].request, review[0].uploads[2:]), Watch()
    done = []
    for image in jobs.run(Pool(engine), made, watch):
        done.append(image.name)
        watch.stop()
    assert 1 <= len(done) < 4
    assert set(done) <= set(made.labels.names())


def test_what_a_session_needs_counts_as_used(review):
    made, _ = review
    paths = [*map(Path, made.uploads), *(path for path in made.folder.rglob("*") if path.is_file())]
    assert len(paths) > 10
    for path in paths:
        os.utime(path, (1, 1))
    made.labels  # noqa: B018
    assert all(path.stat().st_mtime > 1 for path in paths)


@pytest.mark.parametrize("name", formats.names())
def test_every_format_is_an_archive(review, name, tmp_path):
    component = SimpleNamespace(GRADIO_CACHE=str(tmp_path / "cache"))
    made, place = review[0], tmp_path / "work"
    place.mkdir()
    with zipfile.ZipFile(render.archive(made.labels, [name], {"red": 1.01}, place, component)) as archive:
        assert archive.namelist()
        assert all(inner.split("/")[0] == name and "/." not in inner for inner in archive.namelist())
        assert not any(str(tmp_path).encode() in archive.read(inner) for inner in archive.namelist())


@pytest.mark.parametrize(("name", "folder"), [("yolo", "yolo/images/train/"), ("coco", "coco/images/train/")])
def test_the_images_are_in_the_archive_where_that_is_asked(review, name, folder, tmp_path):
    component = SimpleNamespace(GRADIO_CACHE=str(tmp_path / "cache"))
    made = review[0]
    (tmp_path / "work").mkdir()
    with zipfile.ZipFile(render.archive(made.labels, [name], {}, tmp_path / "work", component, made.items)) as archive:
        inside = {inner: archive.read(inner) for inner in archive.namelist() if inner.startswith(folder)}
    assert sorted(inside) == [f"{folder}a (2).png", f"{folder}a.png", f"{folder}b.png"]
    assert inside[f"{folder}b.png"] == Path(made.uploads[4]).read_bytes()
    assert [formats.needs_images(each) for each in ("yolo", "coco")] == [True, False]


def test_the_images_of_a_zip_are_in_the_archive(review, tmp_path):
    made = review[0]
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(made.uploads[4], "some/b.png")
    other = jobs.start(made.request, [str(tmp_path / "in.zip")])
    list(jobs.run(Pool(ColourEngine()), other, Watch()))
    (tmp_path / "work").mkdir()
    component = SimpleNamespace(GRADIO_CACHE=str(tmp_path / "cache"))
    with zipfile.ZipFile(
        render.archive(other.labels, ["voc"], {}, tmp_path / "work", component, other.items)
    ) as opened:
        assert opened.read("voc/JPEGImages/some__b.png") == Path(made.uploads[4]).read_bytes()


@pytest.fixture
def clip(tmp_path, make_scene):
    """Four frames of a red ellipse, as an AVI file."""
    path, kind = tmp_path / "walk.avi", cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, kind, 3, (64, 48))
    for _ in range(4):
        writer.write(make_scene(seed=1)[0][..., ::-1].copy())
    writer.release()
    return path


def test_the_frames_of_a_clip_are_labelled_with_track_ids(review, engine, clip, tmp_path):
    pytest.importorskip("trackers", reason="the tracker is an extra: ipseg[clips]")
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"\0\0\0\x18ftypisom" + bytes(500))
    made = jobs.start(review[0].request, [review[0].uploads[4], str(clip), str(damaged)], Watch(), per_second=3)
    names = [f"walk/{number:05}.png" for number in range(1, 5)]
    assert list(made.items) == ["b.png", *names, "damaged.mp4"]
    found = list(jobs.run(Pool(engine), made, Watch()))
    assert "damaged.mp4" in found[-1].error
    assert str(tmp_path) not in found[-1].error
    assert [[(one.label, one.track) for one in made.labels.read(name).instances] for name in names] == [
        [("red", 1)]
    ] * 4
    (tmp_path / "work").mkdir()
    component = SimpleNamespace(GRADIO_CACHE=str(tmp_path / "cache"))
    with zipfile.ZipFile(
        render.archive(made.labels, ["coco"], 0.0, tmp_path / "work", component, made.items)
    ) as opened:
        data = json.loads(opened.read("coco/annotations/instances_train.json"))
        assert sum(name.startswith("coco/images/train/walk/") for name in opened.namelist()) == 4
    assert [one["track_id"] for one in data["annotations"] if "track_id" in one] == [1] * 4


def test_a_run_that_is_ended_while_frames_are_taken_leaves_no_folder(review, clip, tmp_path):
    pytest.importorskip("trackers", reason="the tracker is an extra: ipseg[clips]")
    before, watch = set(tmp_path.glob("ipseg-label-*")), Watch()
    watch.stop()
    with pytest.raises(Ended):
        jobs.start(review[0].request, [str(clip)], watch)
    assert set(tmp_path.glob("ipseg-label-*")) == before


def test_a_clip_without_the_tracker_is_one_message(review, clip, monkeypatch):
    find = packages.find_spec
    monkeypatch.setattr(packages, "find_spec", lambda name: None if name == "trackers" else find(name))
    with pytest.raises(
        SettingError, match=r'Labelling a clip needs trackers, which is missing; run pip install "ipseg'
    ):
        jobs.start(review[0].request, [str(clip)])


def test_frames_per_second_are_asked_where_there_is_a_clip(clip):
    assert handlers._with_clips([str(clip)]).visible
    assert not handlers._with_clips(["a.png"]).visible
    assert not handlers._with_clips(None).visible


def test_finished_images_are_shown_while_the_others_are_labelled(review, engine, tmp_path):
    made = jobs.start(review[0].request, review[0].uploads[2:])
    page = SimpleNamespace(gallery=Part(tmp_path / "cache"))
    mine = handlers.LabelHandlers.__new__(handlers.LabelHandlers)
    mine.pool, mine.page, mine.outputs = Pool(engine), page, list(range(8 + layout.ROWS))
    states = list(mine._run(made, Watch()))
    galleries = [state[3] for state in states]
    assert galleries[0] == []
    shown = [each for each in galleries[1:-1] if isinstance(each, list)]
    assert [len(each) for each in shown] == [1, 2, 3]
    assert all(Path(file).is_file() for file, _ in shown[-1])
    assert next(text for _, text in shown[0]).endswith("a.png")
    assert states[3][1].visible
    assert "so far: 3 of 4" in states[3][4]
    assert {file for file, _ in galleries[-1]} == {file for file, _ in shown[-1]}


class Part:
    """In place of a component: Gradio's own start an event loop each."""

    def __init__(self, folder: Path) -> None:
        self.GRADIO_CACHE = str(folder)


class Corrected:
    """The review of the red ellipses by a real segmenter, one event after another."""

    def __init__(self, made, folder: Path) -> None:
        self.page = SimpleNamespace(**{each.name: Part(folder) for each in fields(layout.Layout)})
        self.page.thresholds = tuple(Part(folder) for _ in range(layout.ROWS))
        self.events = Corrections(Pool(load("offline")), self.page, Jobs())
        self.events.pool.limits = Limits()
        self.review = replace(made, thresholds={"red": 0.1, "blue": 0.1})

    def __call__(self, name: str, index=None, **values):
        """Call an event; the outputs by the names of their components."""
        given = {getattr(self.page, key): value for key, value in values.items()} | {self.page.session: self.review}
        picked = () if index is None else (SimpleNamespace(index=index),)
        made = getattr(self.events, name)(given, *picked)
        outputs = dict(zip(self.events.outputs, made[-len(self.events.outputs) :], strict=True))
        self.review = outputs[self.page.session]
        return outputs

    @property
    def labels(self) -> list[str]:
        """Of the image that is opened."""
        return [one.label for one in self.review.image().instances]


@pytest.fixture
def corrected(review, tmp_path, small_offline):
    return Corrected(review[0], tmp_path / "cache")


def test_clicks_add_an_instance_and_correct_it_together(corrected):
    page = corrected.page
    corrected("open", corrected.review.order.index("b.png"))
    assert corrected.review.chosen == 0, "the least certain instance"
    corrected("delete")
    assert corrected.labels == []
    corrected("click", (32, 24), sign=layout.OBJECT, label="red")
    outputs = corrected("click", (2, 2), sign=layout.BACKGROUND, label="red")
    assert corrected.labels == ["red"]
    assert len(corrected.review.clicks) == 2
    assert corrected.review.image().instances[0].mask[24, 32]
    assert not outputs[page.archive].interactive, "it is made anew"
    corrected("relabel", label="blue")
    assert corrected.labels == ["blue"]
    for _ in range(4):
        corrected("undo")
    assert corrected.labels == ["blue"]
    assert not corrected.review.image().corrected


def test_the_status_follows_every_correction(corrected):
    status = corrected.page.status

    assert "3 instances" in corrected("open", corrected.review.order.index("b.png"))[status]
    assert "Detected in 2 of 3 images: 2 instances (red <b>2" in corrected("delete")[status]
    assert (
        "3 instances (red <b>3</b>, blue <b>0"
        in (corrected("click", (32, 24), sign=layout.OBJECT, label="red")[status])
    )
    assert "blue <b>1" in corrected("relabel", label="blue")[status]
    for _ in range(3):
        outputs = corrected("undo")
    assert "3 instances (red <b>2</b>, blue <b>1" in outputs[status]
    sliders = dict.fromkeys(corrected.page.thresholds, 1.01)
    corrected.review = corrected.events.filter({corrected.page.session: corrected.review, **sliders})[-1]
    outputs = corrected("next")
    assert "0 instances" in outputs[status]
    assert "<b>1</b> of 3 confirmed" in outputs[status]


def test_confirmed_images_are_marked_until_all_of_them_are(corrected):
    page, order = corrected.page, corrected.review.order
    corrected("open", 1)
    outputs = corrected("next")
    assert corrected.review.opened == order[2]
    assert [caption.split(":")[0] for _, caption in corrected.review.tiles.values()].count("Confirmed") == 1
    plain, ticked = (cv2.imread(corrected.review.tiles[order[place]][0]) for place in (0, 1))
    assert ticked[0].mean(axis=0) == pytest.approx(render.TICK[::-1], abs=25)
    assert plain[0].mean(axis=0) != pytest.approx(render.TICK[::-1], abs=25)
    assert outputs[page.next].value == "Confirm, next"
    outputs = corrected("next")
    assert corrected.review.opened == order[0], "the one that is not confirmed, before the others"
    assert outputs[page.next].value == "Confirm", "none is left after it"
    corrected("delete")
    assert order[0] not in corrected.review.confirmed
    outputs = corrected("next")
    assert not outputs[page.one].visible, "something is seen to happen"
    assert "All 3 images are confirmed.</b> Choose a format and press <b>Labels (ZIP)" in outputs[page.status]
    outputs = corrected("open", 1)
    assert outputs[page.instances].label.endswith("confirmed")
    outputs = corrected("delete")
    assert "<b>2</b> of 3 confirmed" in outputs[page.status], "an edit asks for another confirmation"


def test_the_time_left_of_a_run_that_goes_on_counts_its_own_images(review, engine, tmp_path, monkeypatch):
    made = replace(review[0], opened="b.png").corrected(LabelledImage("b.png", (48, 64)))
    seen = []
    monkeypatch.setattr(handlers.running, "bar", lambda done, *_, earlier=0: seen.append((done, earlier)) or "")
    page = SimpleNamespace(gallery=Part(tmp_path / "cache"))
    mine = handlers.LabelHandlers.__new__(handlers.LabelHandlers)
    mine.pool, mine.page, mine.outputs = Pool(engine), page, list(range(8 + layout.ROWS))
    list(mine._run(made, Watch()))
    assert seen == [(1, 1), (2, 1), (3, 1), (4, 1)]


def test_a_click_chooses_what_is_under_it(corrected):
    corrected("open", corrected.review.order.index("a.png"))
    corrected("click", (1, 1), sign=layout.CHOOSE)
    assert corrected.review.chosen is None
    corrected("click", (32, 24), sign=layout.CHOOSE)
    assert corrected.review.chosen == 0
    with pytest.raises(gr.Error, match="No instance is chosen"):
        corrected("choose", instances=layout.NEW) and corrected("delete")


def test_what_is_below_its_threshold_is_no_longer_chosen_and_confirming_leaves_it_out(corrected):
    corrected("open", corrected.review.order.index("b.png"))
    sliders = dict.fromkeys(corrected.page.thresholds, 1.01)
    made = corrected.events.filter({corrected.page.session: corrected.review, **sliders})
    corrected.review = made[-1]
    assert corrected.review.chosen is None
    corrected("next")
    assert corrected.review.labels.read("b.png").instances == ()


@pytest.mark.parametrize(
    ("classes", "images", "message"),
    [
        ([], ["a.png"], "no class yet"),
        ([("mug", [])], ["a.png"], '"mug" has no example image'),
        ([("", ["a.png"])], ["a.png"], "no name; give"),
        ([("mug", ["a.png"]), ("mug", ["b.png"])], ["a.png"], 'Two classes are named "mug"'),
        ([("mug", ["a.png"] * 9)], ["a.png"], "at most 8"),
        ([("mug", ["a.png"])], None, "no images to label"),
        ([(str(number), ["a.png"]) for number in range(101)], ["a.png"], "at most 100"),
    ],
)
def test_what_is_missing_gets_one_message(classes, images, message, one_message, save, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "ab":
        save(tmp_path / f"{name}.png", np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(InputError, match=message) as caught:
        jobs.check(classes, images)
    one_message(caught.value)


def test_examples_are_grouped_by_their_classes():
    assert api.by_class(["1", "2", "3"], ["mug", "cup", "mug"]) == [("mug", ["1", "3"]), ("cup", ["2"])]
    with pytest.raises(SettingError, match="3 example images and 1 classes"):
        api.by_class(["1", "2", "3"], ["mug"])


def test_rows_of_classes_are_added_and_removed():
    seen, *rows = handlers.added((True, False, False))
    assert seen == (True, True, False)
    assert [row.visible for row in rows] == [True, True, False]
    assert handlers.added((True, False, True))[0] == (True, True, True), "a free row before the last"
    seen, *_, name, images = handlers._removed(0)((True, True, False))
    assert (seen, name, images) == ((False, True, False), "", None)


def test_no_image_that_can_be_used_is_an_error():
    jobs.unless_all_failed(["", "x"])
    with pytest.raises(ImageError, match="None of the 2 images can be used: x"):
        jobs.unless_all_failed(["x", "y"])


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def request(**given):
    shown = [handle_file(EXAMPLES / name / "00.jpg") for name in ("robot", "cactus")]
    return {"examples": shown, "classes": ["robot", "cactus"], "api_name": "/label", **given}


def test_labels_through_the_api_are_coco(client, tmp_path):
    (tmp_path / "words.png").write_text("words")
    files = [EXAMPLES / "robot" / "02.jpg", EXAMPLES / "cactus" / "01.jpg", tmp_path / "words.png"]
    data, archive, facts = client.predict(**request(images=list(map(handle_file, files)), export=["coco"]))
    assert [each["name"] for each in data["categories"]] == ["robot", "cactus"]
    found = {image["id"]: image for image in data["images"]}
    assert {image["file_name"] for image in found.values()} == {"01.jpg", "02.jpg"}
    for annotation in data["annotations"]:
        size = tuple(annotation["segmentation"]["size"])
        mask = rle.decode(rle.decompress(annotation["segmentation"]["counts"]), size)
        assert size == (found[annotation["image_id"]]["height"], found[annotation["image_id"]]["width"])
        assert mask.sum() == annotation["area"]
    assert data["annotations"]
    with zipfile.ZipFile(archive) as opened:
        (name,) = [name for name in opened.namelist() if name.endswith(".json") and "coco/annotations" in name]
        assert json.loads(opened.read(name)) == data
    assert [fact["image"] for fact in facts] == ["02.jpg", "01.jpg", "words.png"]
    assert "not an image" in facts[2]["error"]


def test_a_stop_ends_a_labelling_and_what_is_labelled_is_returned(client, tmp_path):
    """However late the stop comes: it is asked for until the run has ended."""
    image = (EXAMPLES / "robot" / "02.jpg").read_bytes()
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(300):
            archive.writestr(f"{number:03}.jpg", image)
    job = client.submit(**request(images=[handle_file(tmp_path / "many.zip")]))
    while not job.done():
        client.predict(api_name="/stop")
    if job.exception() is not None:  # before the first image
        assert "stopped" in str(job.exception())
        return
    _, _, facts = job.result()
    assert [fact["image"] for fact in facts] == [f"{number:03}.jpg" for number in range(300)]
    labelled = [fact for fact in facts if "instances" in fact]
    assert 0 < len(labelled) < 300
    assert {fact["error"] for fact in facts[len(labelled) :]} == {api.NOT_LABELLED}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"classes": ["robot"]}, "2 example images and 1 classes"),
        ({"export": ["tarot"]}, 'There is no format "tarot"'),
        ({"images": None}, "no images to label"),
    ],
)
def test_a_wrong_request_gets_its_message(client, given, message):
    with pytest.raises((AppError, ValueError), match=message):
        client.predict(**request(images=[handle_file(EXAMPLES / "robot" / "02.jpg")]) | given)


def annotations(page) -> int:
    with zipfile.ZipFile(io.BytesIO(download(page, "#label-archive"))) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".json") and "coco/annotations" in name]
        return len(json.loads(archive.read(name))["annotations"])


@pytest.mark.browser
@narrow_only
def test_an_example_is_labelled_corrected_and_downloaded_and_the_review_fits_a_phone(page):
    open_tab(page, "Label")
    page.locator("#label-examples button img").nth(1).click()
    page.wait_for_selector(DONE)
    page.wait_for_selector("#label-gallery img")
    count = int(page.inner_text("#label-status").split(" instance")[0].split()[-1])
    assert annotations(page) == count > 0
    page.locator("#label-gallery button img").first.click()
    page.wait_for_selector("#label-image img")
    assert [each for each in page.evaluate(CUT) if each] == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert faults(page) == []
    chosen = page.locator("#label-instances label")
    before = chosen.count()
    page.click("#label-delete")
    page.wait_for_function(f"document.querySelectorAll('#label-instances label').length === {before - 1}")
    assert annotations(page) == count - 1
    page.click("#label-undo")
    page.wait_for_function(f"document.querySelectorAll('#label-instances label').length === {before}")
    for number in (1, 2):
        page.locator(f"#label-threshold-{number} input[type=range]").fill("1")
    page.wait_for_function("document.querySelector('#label-threshold-2').innerText.includes(': 0 of')")
    page.wait_for_function("document.querySelector('#label-threshold-1').innerText.includes(': 0 of')")
    assert annotations(page) == 0
    assert page.complaints == []


@pytest.mark.parametrize(
    ("chosen", "before", "after"), [("coco", True, True), ("coco", False, False), ("yolo", False, True)]
)
def test_another_format_leaves_the_images_that_are_wanted(chosen, before, after):
    checkbox, archive = for_format(chosen, before)
    assert bool(checkbox.info) == formats.needs_images(chosen)  # says why it is ticked
    assert (checkbox.value, archive.interactive) == (after, False)
