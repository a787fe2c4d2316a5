"""The gallery tabs as a visitor meets them, and their endpoints."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from ipseg.core.status import Status
from ipseg.studies.galleries import FailureCase, GalleryImage, GalleryResult
from ipseg.ui.tabs.failure_cases import render as failure_cases
from ipseg.ui.tabs.prompt_sets import render as prompt_sets
from ipseg.ui.widgets import gallery_views
from tests.ui.conftest import EXAMPLES, narrow_only, open_tab
from tests.ui.test_accessibility import faults

# Whether the progress of a request covers the earlier status below it
OPAQUE = """box => {
  const progress = box.appendChild(document.createElement('div'));
  progress.dataset.testid = 'status-tracker';
  progress.className = 'wrap center translucent';
  progress.innerHTML = '<div class="meta-text-center"></div>';
  const colour = getComputedStyle(progress).backgroundColor;
  progress.remove();
  return colour.startsWith('rgb(');
}"""


NOTES = """() => [...document.querySelectorAll('#tab-prompt_sets .of-inputs')].filter(
  (each) => getComputedStyle(each, '::before').content.includes('earlier inputs')).length"""  # that results are old


BEYOND = """() => ['#cases', '#hard-cases'].filter((name) => {
  const block = document.querySelector(name), right = block.getBoundingClientRect().right;
  return [...block.querySelectorAll('img')].some((image) => image.getBoundingClientRect().right > right);
})"""  # galleries whose images are cut at the right


@pytest.mark.browser
@narrow_only
def test_the_same_images_under_three_prompts(page):
    open_tab(page, "Prompt sets")
    page.wait_for_selector("#sets-run")
    assert [page.locator(f"#sets-{each} img").count() for each in ("prompts", "answers")] == [3, 2], "before the run"
    assert "set A: " in page.inner_text("#sets-prompts")
    page.set_input_files("#sets-prompts-own input[type=file]", str(EXAMPLES / "red_mug" / "00.jpg"))
    page.wait_for_selector("#sets-prompts-own img")
    page.click("#sets-run")
    page.wait_for_selector("#sets-verdict table")
    text = page.inner_text("#sets-verdict")
    assert "The prompt matters here: the best is" in text or "The prompt makes no difference here" in text
    assert "yours 1" in text
    page.wait_for_function("document.querySelectorAll('#sets-prompts img').length >= 4")
    page.wait_for_function(
        "document.querySelectorAll('#sets-answers img').length >= 10"
    )  # 4 and agreement, on 2 images
    assert faults(page) == []
    page.set_input_files("#sets-prompts-own input[type=file]", str(EXAMPLES / "red_mug" / "01.jpg"))  # another one
    page.wait_for_selector("#tab-prompt_sets[data-old]")
    assert page.evaluate(NOTES) == 1
    page.click("#sets-kind input")
    page.get_by_role("option", name="Mug", exact=True).click()
    page.wait_for_function("document.querySelectorAll('#sets-answers img').length === 3")
    assert not page.inner_text("#sets-verdict").strip(), "it was of another kind"
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    assert page.complaints == []


@pytest.mark.browser
@narrow_only
def test_a_broken_prompt_beside_the_one_that_mends_it(page):
    open_tab(page, "Failure cases")
    page.wait_for_selector("#cases img")
    assert not page.is_visible("#case-images")  # empty until there is a result
    below = "each => each.getBoundingClientRect().top - each.previousElementSibling.getBoundingClientRect().bottom"
    assert min(page.locator("#cases .caption-label").evaluate_all(f"every => every.map({below})")) >= -1
    assert page.locator("#case-verdict").evaluate(OPAQUE)
    assert page.locator("#hard-cases img").count() >= 5
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate(BEYOND) == [], width
    page.locator("#cases button img").nth(1).click()
    page.wait_for_selector("#case-verdict .finding")
    text = page.inner_text("#case-verdict")
    assert "Half hidden." in text
    assert "IoU with the ground truth: before" in text
    page.get_by_text("The corrected prompt", exact=True).wait_for()
    for image in ("#case-broken img", "#case-broken-answer img", "#case-mended img", "#case-mended-answer img"):
        page.wait_for_selector(image, state="attached")
        assert page.get_attribute(image, "alt")
    assert faults(page) == []
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    assert page.complaints == []


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def test_both_are_endpoints(client, tmp_path):
    verdict, prompts, answers = client.predict(kind="duck", prompts=None, api_name="/prompt_sets")
    assert "IoU with each other" in verdict
    assert (len(prompts), len(answers)) == (3, 8)  # three masks and their agreement, for each of two images
    assert "The corrected prompt" in client.predict(case="hidden", api_name="/failure_cases")[0]
    text, *images = client.predict(case="twin", api_name="/failure_cases")
    assert "The prompt is good, the image is hard. <b>A negative prompt" in text
    assert len(images) == 4
    (tmp_path / "words.jpg").write_text("words")
    bad = [{"image": handle_file(tmp_path / "words.jpg"), "caption": None}]
    with pytest.raises(AppError, match=r"words\.jpg is not an image"):
        client.predict(kind="duck", prompts=bad, api_name="/prompt_sets")
    own = [{"image": handle_file(EXAMPLES / "red_mug" / f"0{each}.jpg"), "caption": None} for each in (0, 1, 3)]
    verdict, prompts, answers = client.predict(kind="duck", prompts=own[:2], images=own[2:], api_name="/prompt_sets")
    assert "reliable" in verdict
    assert "with the ground truth" not in verdict  # nobody knows it
    assert (len(prompts), len(answers)) == (2, 3)
    assert "of the pixels are in all 2 masks" in answers[-1]["caption"]
    with pytest.raises(AppError, match="give at least two prompts of your own"):
        client.predict(kind="duck", prompts=own[:1], images=own[2:], api_name="/prompt_sets")
    with pytest.raises(AppError, match="There are 5 images of your own; give at most 4"):
        client.predict(kind="duck", prompts=own[:2], images=[own[2]] * 5, api_name="/prompt_sets")


def result(mask, iou=0.5, status=Status.DETECTED) -> GalleryResult:
    mask = np.array(mask, bool)
    return GalleryResult(np.zeros((*mask.shape, 3), np.uint8), mask, status, iou, np.zeros(mask.shape, np.uint8))


def test_what_the_sentence_says_of_the_prompts():
    inputs = [GalleryImage(Path("x.png"), Path("y.png"), "")]
    matters = prompt_sets.verdict({"set A": [result([[1]], 0.9)], "set B": [result([[1]], 0.6)]}, inputs, "Mug", "e")
    assert "the best is set A (mean IoU with the ground truth 0.90), the worst is set B (0.60)" in matters
    same = prompt_sets.verdict({"set A": [result([[1]], 0.9)], "set B": [result([[1]], 0.885)]}, inputs, "Mug", "e")
    assert "makes no difference" in same
    alone = {f"yours {n}": [result(mask, None)] for n, mask in enumerate(([[1, 1]], [[1, 1]], [[1, 0]]))}
    own = prompt_sets.verdict(alone, [GalleryImage(Path("x.png"), None, "")], "Yours", "e")
    assert "The most reliable prompt is yours 0" in own  # agrees 1 and 0.5 with the others
    assert "0.75. The least reliable is yours 2 (0.50)" in own


def test_what_the_sentence_says_of_a_corrected_prompt():
    image = GalleryImage(Path("x.png"), Path("y.png"), "")
    case = FailureCase("tiny", "Tiny", "It is tiny.", "clear", image, image, image)

    def said(before, after, remedy="corrected"):
        return failure_cases.verdict(replace(case, remedy=remedy), before, after, "e")

    better = said(result([[1]], 0.2), result([[1]], 0.9))
    assert "<b>The corrected prompt helps.</b> IoU with the ground truth: before 0.20, after 0.90." in better
    assert "<b>The corrected prompt makes no difference" in said(result([[1]], 0.81), result([[1]], 0.8))
    assert "nothing goes wrong" in said(result([[1]], 0.91), result([[1]], 0.9))
    assert "<b>The corrected prompt helps a little;</b> the mask is still wrong." in said(
        result([[1]], 0.0), result([[1]], 0.32)
    )
    still = said(result([[1]], 0.32, Status.NOT_DETECTED), result([[1]], 0.32))
    assert "makes no difference to the mask" in still
    assert "helps" not in still
    worse = said(result([[1]], 0.9), result([[1]], 0.1, Status.NOT_DETECTED), "second")
    assert "<b>A second prompt image does not help</b> with this engine" in worse
    assert "after 0.10 (not detected)" in worse
    assert "Clicks on the result" in worse
    found = said(result([[1]], 0.9, Status.NOT_DETECTED), result([[1]], 0.9))
    assert "<b>The corrected prompt helps:</b> the mask is the same, and the object is detected." in found
    assert "A negative prompt helps." in said(result([[1]], 0.2), result([[1]], 0.9), "negative")


def test_a_caption_says_what_is_not_detected():
    assert gallery_views.caption("set A", result([[1]], 0.5)) == "set A, IoU 0.50"
    assert gallery_views.caption("yours 1", result([[1]], None, Status.NOT_DETECTED)) == "yours 1 · not detected"
