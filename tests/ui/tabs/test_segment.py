"""The first tab beyond one request: several images, all instances, "not this", and clicks that correct."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from ipseg import InputError, open_image
from ipseg.ui.tabs.segment import meant
from ipseg.ui.tabs.segment.meant import BACKGROUND as MARK_BACKGROUND
from ipseg.ui.tabs.segment.meant import BOX, CAPTIONS, MODES, Meant
from ipseg.ui.tabs.segment.meant import OBJECT as MARK_OBJECT
from ipseg.ui.tabs.segment.render import ANYWAY, NOT_ANYWAY
from ipseg.ui.tabs.segment.state import SavedResult, SavedResults
from ipseg.ui.widgets import clicks, images
from tests.ui.conftest import ANSWER, EXAMPLES, PROMPT, QUERY, fill, leave, narrow_only, shared, wide_only

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop

SEVERAL = EXAMPLES.parent / "galleries" / "several"


def gallery(*paths):
    return [{"image": handle_file(path), "caption": None} for path in paths]


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def ask(client, prompt, image, **more):
    return client.predict(
        prompts=gallery(prompt), image=handle_file(image), mask=None, k=32, clusters=4, threshold=0.16,
        api_name="/segment", **more,
    )  # fmt: skip


def mask_of(answer) -> np.ndarray:
    return open_image(answer[1])[..., 0] > 0


# What is asked, and what a session holds.


def test_clicks_become_points_of_both_kinds():
    made = clicks.as_points(((3.0, 4.0, True), (5.0, 6.0, False), (7.0, 8.0, True)))
    assert made.positive.tolist() == [[3, 4], [7, 8]]
    assert made.negative.tolist() == [[5, 6]]
    assert clicks.as_points(()) is None


@pytest.mark.parametrize("given", [[[1, 2]], [[1, 2, 5]], ["x"], [[1, "y", 0]], 3])
def test_clicks_that_cannot_be_read_get_their_message(given):
    with pytest.raises(InputError, match=r"clicks are not readable; give \[\[x, y, 1\]"):
        clicks.as_clicks(given)


def test_a_click_is_in_the_pixels_of_the_image_however_it_is_shown():
    assert images.to_image((10, 20), (480, 640)) == (10.5, 20.5)
    assert images.to_image((799, 0), (1600, 3200)) == (1599.0, 1.0)  # shown at half its size


def test_two_clicks_are_a_box_and_the_others_points():
    start = Meant("a.png", (100, 200))
    half = start.clicked((150.0, 90.0), BOX)
    assert (half.corner, half.boxes, half.marks.empty) == ((150.0, 90.0), (), True)
    boxed = half.clicked((20.0, 10.0), BOX)
    assert (boxed.corner, boxed.boxes) == (None, ((20.0, 10.0, 150.0, 90.0),))
    assert half.clicked((150.5, 90.5), BOX).boxes == ()  # two clicks on one place
    outside = half.clicked((230.0, -4.0), BOX)
    assert outside.boxes == ((150.0, 0.0, 200.0, 90.0),)
    both = boxed.clicked((30.0, 30.0), MARK_OBJECT).clicked((140.0, 80.0), MARK_BACKGROUND)
    assert both.marks.boxes == boxed.boxes
    assert both.marks.points.positive.tolist() == [[30, 30]]
    assert both.marks.points.negative.tolist() == [[140, 80]]


def test_the_last_mark_is_undone_first():
    boxed = Meant("a.png", (100, 200)).clicked((20.0, 10.0), BOX).clicked((150.0, 90.0), BOX)
    both = boxed.clicked((30.0, 30.0), MARK_OBJECT)
    half = both.clicked((5.0, 5.0), BOX)
    assert half.undone() == both
    assert both.undone() == boxed
    assert boxed.undone() == boxed.undone().undone() == Meant("a.png", (100, 200))
    assert [one.empty for one in (boxed.undone(), boxed, boxed.undone().clicked((5.0, 5.0), BOX))] == [
        True,
        False,
        False,
    ]


def test_each_mode_has_its_caption_and_the_first_marks_the_object():
    assert MODES[0] == MARK_OBJECT
    start = Meant("a.png", (100, 200))
    assert [meant.caption(start, mode) for mode in MODES] == [CAPTIONS[mode] for mode in MODES]
    assert len(set(CAPTIONS.values())) == len(MODES)
    half = start.clicked((5.0, 5.0), BOX)
    assert [meant.caption(half, mode) for mode in MODES] == [*(CAPTIONS[mode] for mode in MODES[:2]), meant.SECOND]


def test_a_session_saves_clicks_with_their_image():
    session = SavedResults((SavedResult("a"), SavedResult("b")), which=1).clicked(((1.0, 2.0, True),))
    assert session.results[0].clicks == ()
    assert session.shown.clicks == ((1.0, 2.0, True),)
    assert len(session.clicked(((0.0, 0.0, True),) * 99).shown.clicks) == clicks.MOST_CLICKS


# Through the API.


def test_every_instance_comes_as_data(client):
    answer = ask(client, EXAMPLES / "red_mug" / "00.jpg", SEVERAL / "mugs.jpg", all_instances=True)
    facts = answer[0]
    assert len(facts["instances"]) == 2
    left, right = sorted(one["box"][0] for one in facts["instances"])
    assert left < 240 < right
    numbers = np.asarray(Image.open(answer[6]))
    counts = [int((numbers == number).sum()) for number in (1, 2)]
    assert counts == [one["pixels"] for one in facts["instances"]]
    alone = ask(client, EXAMPLES / "red_mug" / "00.jpg", SEVERAL / "mugs.jpg")
    assert "instances" not in alone[0]
    assert alone[6] is None


def test_the_captions_and_masks_of_several_images_are_those_of_the_page(client):
    given = {
        "images": gallery(SEVERAL / "mugs.jpg"), "mask": None, "k": 32, "clusters": 4, "api_name": "/segment_all",
    }  # fmt: skip
    shown, archive, facts = client.predict(prompts=gallery(EXAMPLES / "robot" / "00.jpg"), threshold=0.0, **given)
    assert shown[0]["caption"] == f"mugs: accepted by your threshold, score {facts[0]['score']:.2f}"
    mug = gallery(EXAMPLES / "red_mug" / "00.jpg")
    shown, archive, facts = client.predict(prompts=mug, threshold=0.16, all_instances=True, **given)
    assert shown[0]["caption"] == "mugs: 2 instances"
    with zipfile.ZipFile(archive) as packed:
        assert sorted(packed.namelist()) == ["mugs.1.png", "mugs.2.png", "mugs.numbers.png", "mugs.png"]
        read = {name: np.asarray(Image.open(io.BytesIO(packed.read(name)))) for name in packed.namelist()}
    assert np.array_equal(read["mugs.png"] > 0, read["mugs.numbers.png"] > 0)
    for number in (1, 2):
        assert np.array_equal(read[f"mugs.{number}.png"] > 0, read["mugs.numbers.png"] == number)


def test_clicks_and_negative_prompts_change_the_mask(client):
    plain = mask_of(ask(client, PROMPT, QUERY))
    rows, columns = np.nonzero(plain)
    place = [float(columns[len(columns) // 2]) + 0.5, float(rows[len(rows) // 2]) + 0.5]
    clicked = mask_of(ask(client, PROMPT, QUERY, clicks=[[*place, 0]]))
    assert plain[int(place[1]), int(place[0])]
    assert not clicked[int(place[1]), int(place[0])]
    target, other = EXAMPLES / "robot" / "00.jpg", EXAMPLES / "toy_car"
    without = mask_of(ask(client, target, other / "03.jpg"))
    with_it = mask_of(ask(client, target, other / "03.jpg", negative_prompt=gallery(other / "00.jpg")))
    car = open_image(EXAMPLES.parent / "Annotations" / "toy_car" / "03.png")[..., 0] > 127
    assert (without & car).sum() > 0.5 * car.sum()
    assert (with_it & car).sum() < 0.1 * car.sum()


def test_a_click_off_the_image_gets_its_message(client):
    with pytest.raises(AppError, match=r"a click at \(9000, 1\); the image is"):
        ask(client, PROMPT, QUERY, clicks=[[9000, 1, 1]])


def test_several_images_at_once_and_a_bad_one_among_them(client, tmp_path):
    bad = tmp_path / "words.jpg"
    bad.write_text("not an image")
    images = [EXAMPLES / "yellow_duck" / "01.jpg", bad, EXAMPLES / "robot" / "01.jpg"]
    shown, archive, facts = client.predict(
        prompts=gallery(PROMPT), images=gallery(*images), mask=None, k=32, clusters=4, threshold=0.16,
        api_name="/segment_all",
    )  # fmt: skip
    assert [fact["image"] for fact in facts] == ["01", "words", "01 (2)"]
    assert "words.jpg is not an image" in facts[1]["error"]
    assert facts[0]["status"] == "detected"
    assert len(shown) == 2
    with zipfile.ZipFile(archive) as packed:
        assert sorted(packed.namelist()) == ["01 (2).png", "01.png"]
        with Image.open(io.BytesIO(packed.read("01.png"))) as mask:
            assert mask.size == open_image(images[0]).shape[1::-1]
    alone = ask(client, PROMPT, images[0])
    assert json.loads(json.dumps(alone[0]))["score"] == facts[0]["score"]


# In the page.


def changed(page, selector: str, act) -> None:
    """Do something, and wait until the image is another one."""
    before = page.get_attribute(selector, "src")
    act()
    page.wait_for_function(
        "([selector, before]) => { const found = document.querySelector(selector); "
        "return found && found.src !== before; }",
        arg=[selector, before],
    )


def mask_in(page) -> np.ndarray:
    page.wait_for_selector("#mask-file:not([disabled])")
    with page.expect_download() as waiting:
        page.click("#mask-file")
    with Image.open(waiting.value.path()) as mask:
        return np.asarray(mask) > 0


def on_screen(
    page, x: float, y: float, size: tuple[int, ...], shown: str = "#shown-overlay img"
) -> tuple[float, float]:
    """Where a pixel of the image is on the screen; the image is fitted into its element."""
    page.locator(shown).scroll_into_view_if_needed()
    box = page.locator(shown).bounding_box()
    scale = min(box["width"] / size[1], box["height"] / size[0])
    left, top = (box["width"] - size[1] * scale) / 2, (box["height"] - size[0] * scale) / 2
    return box["x"] + left + (x + 0.5) * scale, box["y"] + top + (y + 0.5) * scale


WATCH = """() => {
  window.seen = [];
  const before = document.querySelector('#shown-overlay img').src;
  new MutationObserver(records => records.forEach(record => record.addedNodes.forEach(node => {
    if (node.className === 'click-mark') window.seen.push([node.textContent,
      document.getElementById('corrections').dataset.elapsed,
      document.querySelector('#shown-overlay img').src === before]);
  }))).observe(document.body, { childList: true });
}"""  # what a mark of a click says, the progress beside it, and whether the result is still the former one


@pytest.mark.browser
def test_the_best_guess_can_be_accepted_and_refused_again(answered):
    answered.click("#settings .toggle-button")
    score = answered.locator("#reject-score input[type=number]")
    score.fill("1")  # and the detection threshold moves along
    score.press("Tab")
    answered.wait_for_selector("#verdict .not-detected")
    answered.click("#accept")
    answered.wait_for_selector("#verdict .detected")
    answered.get_by_role("button", name=NOT_ANYWAY).click()
    answered.wait_for_selector("#verdict .not-detected")
    answered.get_by_role("button", name=ANYWAY).wait_for()
    assert answered.complaints == []
    answered.click("#reset")
    answered.wait_for_function("document.querySelector('#reject-score input[type=number]').value < 1")
    answered.click("#settings .toggle-button")
    answered.wait_for_selector(".sidebar:not(.open)", state="attached")
    answered.click("#run")
    answered.wait_for_selector("#verdict .detected")
    answered.wait_for_selector("#run:not([data-elapsed])")


@pytest.mark.browser
def test_a_click_corrects_the_image_and_can_be_undone(answered):
    answered.wait_for_selector("#marked img")
    assert answered.is_disabled("#undo")
    first = mask_in(answered)
    rows, columns = np.nonzero(first)
    here = np.argmax(rows)  # a place on the mask
    answered.locator("#sign input").nth(1).check()
    at = on_screen(answered, columns[here], rows[here] - 6, first.shape)
    answered.evaluate(WATCH)
    changed(answered, "#shown-overlay img", lambda: answered.mouse.click(*at))
    answered.wait_for_selector("#corrections:not([data-elapsed])")
    assert answered.evaluate("window.seen") == [["\u2212", "0 s", True]]  # before there was an answer
    assert answered.locator(".click-mark").count() == 0
    assert "Corrected by hand" in answered.inner_text("#verdict")
    assert not answered.locator("#place").is_visible()
    assert answered.is_enabled("#undo")
    second = mask_in(answered)
    assert not second[rows[here] - 6, columns[here]]
    changed(answered, "#marked img", lambda: answered.click("#undo"))
    assert np.array_equal(mask_in(answered), first)
    assert answered.locator("#sign input").nth(1).is_checked()
    assert answered.complaints == []


@pytest.mark.browser
def test_a_result_of_inputs_that_changed_while_it_was_computed_is_marked_until_the_next_run(answered):
    answered.locator("#sign input").nth(1).check()
    held = []

    def hold(route) -> None:
        held.append(route) if not held else route.continue_()

    answered.route("**/queue/join*", hold)
    answered.click("#run")
    while not held:
        answered.wait_for_timeout(20)
    add_image(answered)
    held[0].continue_()
    answered.wait_for_selector("#run:not([data-elapsed])")
    answered.wait_for_selector("#tab-segment[data-old]")
    assert answered.locator("#answers img").count() == 0  # the result of one image
    answered.click("#run")
    answered.wait_for_selector("#answers img")
    answered.wait_for_selector("#tab-segment:not([data-old])")
    answered.wait_for_function("document.querySelector('#sign input').checked")  # a new run marks the object again
    assert answered.complaints == []
    leave(answered)


def add_image(page) -> None:
    """Upload another input image."""
    page.set_input_files("#images input[type=file]", str(EXAMPLES / "robot" / "01.jpg"))
    page.wait_for_function("document.querySelectorAll('#images img').length > 1")


@pytest.mark.browser
@narrow_only
def test_several_images_are_shown_one_by_one(page):
    fill(page, EXAMPLES / "yellow_duck" / "01.jpg", EXAMPLES / "yellow_duck" / "02.jpg")
    page.click("#run")
    page.wait_for_selector("#answers img")
    assert "Detected in 2 of 2 images. Shown, 01" in page.inner_text("#verdict")
    changed(page, "#marked img", lambda: page.locator("#answers .thumbnail-lg").nth(1).click())
    assert "Shown, 02" in page.inner_text("#verdict")
    with page.expect_download() as waiting:
        page.click("#archive")
    with zipfile.ZipFile(waiting.value.path()) as packed:
        kinds = ("cut_outs/{}.png", "masks/{}.png", "overlays/{}.jpg")
        assert sorted(packed.namelist()) == [*(kind.format(n) for kind in kinds for n in ("01", "02")), "results.json"]
        facts = json.loads(packed.read("results.json"))
        with packed.open("cut_outs/02.png") as cut, packed.open("masks/02.png") as mask:
            assert np.array_equal(np.asarray(Image.open(cut))[..., 3], np.asarray(Image.open(mask)))
    assert [one["image"] for one in facts["images"]] == ["01", "02"]
    assert {one["status"] for one in facts["images"]} == {"detected"}
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert page.complaints == []


@pytest.mark.browser
@wide_only
def test_an_example_is_one_click_away_and_the_link_to_its_result_computes_it_again(page, demo):
    page.get_by_text("Not the mug").first.click()  # one click
    page.wait_for_selector(ANSWER)
    page.wait_for_selector("#shown-overlay img")
    page.wait_for_selector("#run:not([data-elapsed])")
    assert "etected" in page.inner_text("#verdict")
    page.wait_for_selector("#before img")
    captions = page.locator("#before .caption-label").all_inner_texts()
    assert [text.split(":")[0] for text in captions] == ["Without", "With it"]
    page.click("#segment-copy")
    page.get_by_text("It opens this example").wait_for()
    link = page.input_value("#link textarea")
    assert link == f"{demo.url}/?example=not-the-mug"
    verdict = page.inner_text("#verdict b")
    page.goto(link)
    page.wait_for_selector("#shown-overlay img")
    assert page.inner_text("#verdict b") == verdict
    assert page.locator("#negative_prompt img").count() >= 1
    assert page.get_attribute("#tab-segment", "data-old") is None
    add_image(page)
    page.wait_for_selector("#tab-segment[data-old]")
    page.click("#segment-copy")
    page.get_by_text("Your own images go as files").wait_for()
    assert page.input_value("#link textarea").rstrip("/") == demo.url
    assert page.complaints == []


@pytest.fixture(params=["wide-light"])
def robots(request: pytest.FixtureRequest) -> Iterator:
    """The page with the two robots that an example finds, both on, which tests share."""

    def reach(page) -> None:
        page.get_by_text("Every robot").first.click()
        page.wait_for_selector("#numbered img")
        page.wait_for_selector("#run:not([data-elapsed])")

    yield from shared(request, "robots", reach)


@pytest.mark.browser
def test_all_of_them_is_one_click_away(robots):
    assert "2 instances found" in robots.inner_text("#verdict")
    assert "common." not in robots.inner_text("body"), "a text for screen readers has no translation"
    both = archive_in(robots)
    assert sorted(both) == [f"masks/robots{more}.png" for more in (".1", ".2", ".numbers", "")]
    robots.locator("#instances label").first.hover()
    robots.wait_for_selector("#numbered .mask.active")
    robots.locator("#instances label").nth(1).click()
    robots.get_by_text("1 of them on").wait_for()
    one = archive_in(robots)
    assert sorted(one) == [f"masks/robots{more}.png" for more in (".1", ".numbers", "")]
    assert np.array_equal(one["masks/robots.png"], both["masks/robots.1.png"])
    assert np.array_equal(mask_in(robots), one["masks/robots.png"] > 0)
    assert robots.complaints == []
    robots.locator("#instances label").nth(1).click()
    robots.wait_for_function("!document.querySelector('#verdict').innerText.includes('of them on')")


@pytest.mark.browser
def test_clicks_switch_correct_and_add_instances(robots):
    numbers = archive_in(robots)["masks/robots.numbers.png"]
    hint = robots.inner_text("#hint")
    click_on(robots, middle(numbers == 2), numbers.shape)  # "On / off" is chosen
    robots.get_by_text("1 of them on").wait_for()
    click_on(robots, middle(numbers == 2), numbers.shape)
    robots.wait_for_function("!document.querySelector('#verdict').innerText.includes('of them on')")
    robots.locator("#sign input").nth(2).check()
    robots.wait_for_function("hint => document.querySelector('#hint').innerText !== hint", arg=hint)
    x, y = middle(numbers == 1)
    click_on(robots, (x, y), numbers.shape)
    robots.get_by_text("1 (by hand)").first.wait_for()
    taken = archive_in(robots)["masks/robots.numbers.png"]
    assert taken[y, x] == 0
    assert np.array_equal(taken == 2, numbers == 2)
    robots.locator("#sign input").nth(1).check()
    corner = (4, numbers.shape[0] - 5)
    click_on(robots, corner, numbers.shape)
    added = archive_in(robots)["masks/robots.numbers.png"]
    assert added[corner[1], corner[0]] > 0  # another instance, or one that goes on to there
    assert added[y, x] == 0
    robots.click("#undo")
    robots.wait_for_selector("#corrections[data-elapsed]")
    robots.wait_for_selector("#corrections:not([data-elapsed])")
    assert np.array_equal(archive_in(robots)["masks/robots.numbers.png"], taken)
    robots.click("#clear")
    robots.wait_for_selector("#clear[disabled]")
    assert np.array_equal(archive_in(robots)["masks/robots.numbers.png"], numbers)
    assert robots.complaints == []


@pytest.mark.browser
def test_another_example_ends_what_was_asked_of_the_earlier_result(robots):
    held = []

    def hold(route):
        return route.continue_() if held else held.append(route)

    robots.route("**/gradio_api/queue/join*", hold)
    robots.locator("#instances label").nth(1).click()
    while not held:
        robots.wait_for_timeout(50)
    robots.get_by_text("Not the mug").first.click()
    robots.wait_for_selector("#negative_prompt img", state="attached")
    robots.wait_for_selector("#numbered img", state="detached")
    with robots.expect_response("**/gradio_api/queue/join*"):
        held[0].continue_()  # the server gets to know of the switch after the example
    assert robots.locator("#numbered img").count() == 0
    leave(robots)


def middle(mask: np.ndarray) -> tuple[int, int]:
    """A pixel (x, y) of a mask, in the middle of its largest row."""
    y = int(mask.sum(axis=1).argmax())
    columns = np.flatnonzero(mask[y])
    return int(columns[len(columns) // 2]), y


def click_on(page, place: tuple[int, int], size: tuple[int, ...]) -> None:
    """Click on a pixel of the numbered instances, and wait until the correction has ended."""
    page.evaluate("""() => {
      const row = document.getElementById('corrections');
      window.ended = 0;
      const ended = () => { if (!row.dataset.elapsed) window.ended += 1; };
      new MutationObserver(ended).observe(row, { attributeFilter: ['data-elapsed'] });
    }""")
    page.mouse.click(*on_screen(page, *place, size, "#numbered img.base-image"))
    page.wait_for_function("window.ended > 0")
    assert not page.locator("#place").is_visible()


def archive_in(page) -> dict[str, np.ndarray]:
    """The masks in the ZIP of the page."""
    with page.expect_download() as waiting:
        page.click("#archive")
    with zipfile.ZipFile(waiting.value.path()) as packed:
        names = [name for name in packed.namelist() if name.startswith("masks/")]
        return {name: np.asarray(Image.open(io.BytesIO(packed.read(name)))) for name in names}


def spotlit(page) -> np.ndarray:
    """Where the image of what was taken as the object is bright, by columns."""
    source = page.get_attribute("#saliency img", "src")
    image = np.asarray(Image.open(io.BytesIO(httpx.get(source).content)).convert("L"), dtype=float)
    return image.mean(axis=0)


@pytest.mark.browser
@wide_only
def test_a_box_on_the_prompt_image_says_which_object_is_meant(page):
    page.set_input_files("#prompts input[type=file]", [str(SEVERAL / "robots.jpg"), str(EXAMPLES / "robot" / "00.jpg")])
    page.wait_for_function("document.querySelectorAll('#prompts img').length > 1")  # several in one drop
    page.set_input_files("#images input[type=file]", str(EXAMPLES / "robot" / "02.jpg"))
    page.wait_for_selector("#images img")
    page.click("#meant > button")
    assert page.locator("#prompt-mask").count() == 0  # behind its own button
    page.click("#meant-mark")
    page.get_by_text(CAPTIONS[MARK_OBJECT]).wait_for()
    assert page.locator("#meant-mode input").first.is_checked()
    page.locator("#meant-mode input").nth(2).check()
    page.get_by_text(CAPTIONS[BOX]).wait_for()
    image = page.locator("#meant-image img")
    image.wait_for()
    image.scroll_into_view_if_needed()
    box = image.bounding_box()
    for left, top in ((0.52, 0.2), (0.98, 0.95)):  # around the robot on the right; nobody waits between the clicks
        page.mouse.click(box["x"] + box["width"] * left, box["y"] + box["height"] * top)
    page.get_by_text(meant.MARKED).wait_for()  # before Segment is pressed
    page.click("#run")
    page.wait_for_selector("#saliency img")
    columns = spotlit(page)
    half = len(columns) // 2
    assert columns[half:].mean() > 1.3 * columns[:half].mean()
    page.get_by_text("from your box").wait_for()
    page.wait_for_selector("#tab-segment:not([data-old])")
    page.click("#meant-undo")
    page.wait_for_selector("#tab-segment[data-old]")  # the marks are others
    page.click("#meant-clear")
    image.wait_for(state="detached")
    page.click("#meant-onto")
    page.wait_for_selector("#meant-paint canvas")
    page.click("#meant-give")
    page.wait_for_selector("#prompt-mask input[type=file]", state="attached")
    page.wait_for_selector("#meant-paint", state="detached")
    assert page.complaints == []
