"""The three states over the API and on the page."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from gradio_client import Client, handle_file

from ipseg.core.images import open_image
from ipseg.core.status import Status
from ipseg.ui.tabs.segment import render as answers
from tests.ui.conftest import EXAMPLES, wide_only

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop
PROMPT, INPUT = EXAMPLES / "cactus" / "00.jpg", EXAMPLES / "cactus" / "01.jpg"


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def ask(client: Client, threshold: float, reject_threshold: float) -> tuple[dict, np.ndarray]:
    """The record and the mask of the best guess."""
    prompts = [{"image": handle_file(PROMPT), "caption": None}]
    limits = {"k": 32, "clusters": 4, "threshold": threshold, "reject_threshold": reject_threshold}
    answer = client.predict(prompts=prompts, image=handle_file(INPUT), mask=None, api_name="/segment", **limits)
    return answer[0], open_image(answer[1])


def test_the_api_takes_both_thresholds_and_says_the_status(client):
    always, mask = ask(client, 0, 0.9)  # a threshold of 0 makes the other 0 too
    assert (always["status"], always["reject_threshold"]) == ("detected", 0)
    assert mask.any()
    score = always["score"]
    for high, low, status in (
        (score - 0.001, 0.0, "detected"),
        (score + 0.001, score - 0.001, "uncertain"),
        (score + 0.002, score + 0.001, "not_detected"),
        (score + 0.001, 0.9, "not_detected"),  # above the threshold it counts as that
    ):
        record, _ = ask(client, high, low)
        assert record["status"] == status
        assert record["reject_threshold"] == pytest.approx(min(high, low))
        json.dumps(record)


@pytest.mark.parametrize(("status", "words"), [(one, one.replace("_", " ").capitalize()) for one in Status])
def test_the_verdict_names_the_status_and_has_a_scale(engine, scene, status, words):
    prompt = engine.prompt(scene[0])
    result = replace(engine.segment(prompt, scene[0]), status=status)
    verdict = answers.verdict(prompt, result, "offline", 1.0)
    assert f'class="{status.replace("_", "-")}"' in verdict
    assert f"<b>{words}.</b>" in verdict
    assert "--at:" in verdict


@wide_only
@pytest.mark.browser
def test_the_page_says_uncertain_in_words_and_on_a_scale(page, demo):
    page.goto(f"{demo.url}?threshold=1&reject_threshold=0")
    page.wait_for_selector("#run")
    for field, path in (("#prompts", PROMPT), ("#images", INPUT)):
        page.set_input_files(f"{field} input[type=file]", str(path))
        page.wait_for_selector(f"{field} img")
    page.click("#run")
    page.wait_for_selector("#verdict .uncertain")
    text = page.inner_text("#verdict")
    assert "Uncertain." in text
    assert "detected from 1.00 on, not detected below 0.00" in text
    assert page.locator("#verdict .scale i").count() == 1
    assert page.complaints == []
