"""The gallery tabs as a visitor meets them, and their endpoints."""

from __future__ import annotations

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from tests.ui.conftest import EXAMPLES, narrow_only, open_tab


@pytest.mark.browser
@narrow_only
def test_the_same_images_under_three_prompts(page):
    open_tab(page, "Prompt sets")
    page.wait_for_selector("#sets-run")
    page.set_input_files("#sets-prompts-own input[type=file]", str(EXAMPLES / "red_mug" / "00.jpg"))
    page.wait_for_selector("#sets-prompts-own img")
    page.click("#sets-run")
    page.wait_for_selector("#sets-verdict table", timeout=90_000)
    text = page.inner_text("#sets-verdict")
    assert "The best prompt is" in text
    assert "yours 1" in text
    page.wait_for_selector("#sets-answers img")
    assert page.locator("#sets-prompts img").count() >= 4
    assert page.locator("#sets-answers img").count() >= 12
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    assert page.complaints == []


@pytest.mark.browser
@narrow_only
def test_a_broken_prompt_beside_the_one_that_mends_it(page):
    open_tab(page, "Failure cases")
    page.wait_for_selector("#cases img")
    page.locator("#cases button img").nth(1).click()
    page.wait_for_selector("#case-verdict .waiting", timeout=60_000)
    text = page.inner_text("#case-verdict")
    assert "Half hidden." in text
    assert "before" in text
    for image in ("#case-broken img", "#case-broken-answer img", "#case-mended img", "#case-mended-answer img"):
        page.wait_for_selector(image, state="attached")
        assert page.get_attribute(image, "alt")
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0
    assert page.complaints == []


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def test_both_are_endpoints(client, tmp_path):
    verdict, prompts, answers = client.predict(kind="duck", prompts=None, api_name="/prompt_sets")
    assert "With each other: IoU" in verdict
    assert (len(prompts), len(answers)) == (3, 6)
    assert "Correcting it" in client.predict(case="hidden", api_name="/failure_cases")[0]
    (tmp_path / "words.jpg").write_text("words")
    bad = [{"image": handle_file(tmp_path / "words.jpg"), "caption": None}]
    with pytest.raises(AppError, match=r"words\.jpg is not an image"):
        client.predict(kind="duck", prompts=bad, api_name="/prompt_sets")
