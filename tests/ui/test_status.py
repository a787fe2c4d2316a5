"""The three states over the API and on the page."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gradio_client import Client, handle_file

from ipseg.core.images import open_image
from tests.ui.conftest import EXAMPLES, wide_only

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop
PROMPT, INPUT = EXAMPLES / "cactus" / "00.jpg", EXAMPLES / "cactus" / "01.jpg"


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def ask(client: Client, threshold: float, reject_threshold: float) -> tuple[str, dict, np.ndarray]:
    """The verdict, the record, and the mask of the best guess."""
    prompts = [{"image": handle_file(PROMPT), "caption": None}]
    limits = {"k": 32, "clusters": 4, "threshold": threshold, "reject_threshold": reject_threshold}
    answer = client.predict(prompts=prompts, image=handle_file(INPUT), mask=None, api_name="/segment", **limits)
    return answer[0], answer[-1], open_image(answer[5]["value"] if isinstance(answer[5], dict) else answer[5])


def test_the_api_takes_both_thresholds_and_says_the_status(client):
    verdict, always, mask = ask(client, 0, 0.9)  # a threshold of 0 makes the other 0 too
    assert (always["status"], always["reject_threshold"]) == ("detected", 0)
    assert mask.any()
    assert 'class="detected"' in verdict
    score = always["score"]
    for high, low, status, words in (
        (score - 0.001, 0.0, "detected", "<b>Detected.</b>"),
        (score + 0.001, score - 0.001, "uncertain", "<b>Uncertain.</b>"),
        (score + 0.002, score + 0.001, "not_detected", "<b>Not detected.</b>"),
        (score + 0.001, 0.9, "not_detected", "<b>Not detected.</b>"),  # above the threshold it counts as that
    ):
        verdict, record, _ = ask(client, high, low)
        assert record["status"] == status
        assert record["reject_threshold"] == pytest.approx(min(high, low))
        assert f'class="{status.replace("_", "-")}"' in verdict
        assert words in verdict
        assert "--at:" in verdict
        json.dumps(record)


@wide_only
@pytest.mark.browser
def test_the_page_says_uncertain_in_words_and_on_a_scale(page, demo):
    page.goto(f"{demo.url}?threshold=1&reject_threshold=0")
    page.wait_for_selector("#run")
    for field, path in (("#prompts", PROMPT), ("#image", INPUT)):
        page.set_input_files(f"{field} input[type=file]", str(path))
        page.wait_for_selector(f"{field} img")
    page.click("#run")
    page.wait_for_selector("#verdict .uncertain", timeout=60_000)
    text = page.inner_text("#verdict")
    assert "Uncertain." in text
    assert "detected from 1.00 on, not detected below 0.00" in text
    assert page.locator("#verdict .scale i").count() == 1
    assert page.complaints == []
