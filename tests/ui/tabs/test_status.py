"""The three states over the API and on the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from ipseg.core.images import open_image
from ipseg.core.status import Status
from ipseg.method import evidence
from ipseg.ui.tabs.segment import render as answers
from ipseg.ui.tabs.segment.state import SavedResult
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


def answered(engine, scene, **changed):
    """A prompt, and a detected result with a score of 0.3 between thresholds of 0.1 and 0.2."""
    prompt = engine.prompt(scene[0])
    found = engine.segment(prompt, scene[0])
    given = {"status": Status.DETECTED, "score": 0.3, "threshold": 0.2, "reject_threshold": 0.1, **changed}
    return prompt, replace(found, **given)


def test_a_result_below_the_usual_threshold_is_no_plain_detected(engine, scene):
    prompt, result = answered(engine, scene)
    accepted = answers.verdict(prompt, result, "e", 1.0, usual=0.8)
    assert "<b>Accepted by your threshold</b> (score 0.30; usual 0.80)." in accepted
    assert 'class="detected accepted"' in accepted
    for plain in (answers.verdict(prompt, result, "e", 1.0, usual=0.3), answers.verdict(prompt, result, "e", 1.0)):
        assert "<b>Detected.</b>" in plain
        assert 'class="detected"' in plain
    uncertain = replace(result, status=Status.UNCERTAIN)
    assert "<b>Uncertain.</b>" in answers.verdict(prompt, uncertain, "e", 1.0, usual=0.8)


def test_a_result_says_who_decided_it(engine, scene):
    prompt, result = answered(engine, scene)
    by_hand = SavedResult("a", clicks=((1.0, 2.0, False),))
    assert "<b>Corrected by hand.</b>" in answers.verdict(prompt, result, "e", 1.0, [by_hand], 0, 0.8)
    by_button = SavedResult("a", accepted=True)
    assert "<b>Accepted by you</b> (score 0.30;" in answers.verdict(prompt, result, "e", 1.0, [by_button], 0, 0.8)
    saved = answers.save("a", result, (), gr.Gallery(), 0.8)
    assert saved.caption == "a: accepted by your threshold, score 0.30"
    three = [saved, answers.save("b", result, (), gr.Gallery()), SavedResult("c")]
    assert answers.counted(three) == "Detected in <b>1 of 3</b> images, accepted in <b>1</b>."


def test_what_is_not_detected_says_what_can_be_done(engine, scene):
    prompt, result = answered(engine, scene, status=Status.NOT_DETECTED, score=0.05)
    verdict = answers.verdict(prompt, result, "e", 1.0)
    assert f'"{answers.ANYWAY}"' in verdict
    assert "in the image below" in verdict
    assert "thresholds" not in verdict  # which are in a closed panel


@pytest.mark.parametrize(
    ("without", "said"),
    [
        ({"colour": 0.3}, "has other colours than the object; without that the score would be 0.30."),
        ({"colour": 0.06, evidence.NEGATIVE: 0.4}, "is rather what is excluded; without that the score would be 0.40."),
        ({"colour": 0.06}, "has other features (shape, texture) than the object. The best"),
        ({"colour": 0.13}, "has other features (shape, texture) than the object. Its colours differ, too."),
        ({}, "has other features (shape, texture) than the object."),
        (None, "The object does not seem to be in this image."),  # where the parts of the score are not known
    ],
)
def test_what_is_not_detected_says_which_evidence_was_too_low(engine, scene, without, said):
    limits = {"threshold": 0.5, "reject_threshold": 0.2}
    prompt, result = answered(engine, scene, status=Status.NOT_DETECTED, score=0.05, **limits)
    assert said in answers.verdict(prompt, result, "e", 1.0, without=without)


def test_a_similarity_of_log_odds_has_one_scale_in_all_images(engine, scene):
    _, result = answered(engine, scene)
    low, high = (
        replace(result, similarity=replace(result.similarity, values=result.similarity.values * 0 + odds))
        for odds in (-2.0, 2.0)
    )
    views = [answers.similarity_view(one, log_odds=True).astype(int) for one in (low, high)]
    assert (views[1] - views[0])[..., 0].min() > 0  # redder everywhere, though each is flat
    assert "<b>0.00</b>" in answers.similarity_scale(high, log_odds=True)
    assert "<b>1.00</b>" in answers.similarity_scale(low, log_odds=True)
    assert "Similarity, in this image" in answers.similarity_scale(result, log_odds=False)


def test_the_seconds_of_the_steps_add_up():
    line = answers.step_times({"features": 0.5, "mask": 0.25}, 1.5)
    named = [float(number) for number in re.findall(r"\*\*([\d.]+) s\*\*", line)]
    assert sum(named[:-1]) == pytest.approx(named[-1]) == 1.5
    assert answers.OTHER in line
    assert answers.OTHER not in answers.step_times({"features": 0.5}, 0.5)
    assert answers.step_times({"features": 0.5}) == "Computing features **0.50 s**"  # of one image of several


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [(0.5, 0.8, ["0.50", "0.80"]), (0.5, 0.55, ["0.55"]), (0.0, 1.0, []), (0.0, 0.4, ["0.40"])],
)
def test_the_scale_is_labelled(engine, scene, low, high, labels):
    prompt, result = answered(engine, scene, threshold=high, reject_threshold=low)
    verdict = answers.verdict(prompt, result, "e", 1.0)
    assert re.findall(r'<span style="left: [\d.]+%">([\d.]+)</span>', verdict) == labels
    assert "<span>0, not detected</span>" in verdict
    assert "<span>1, detected</span>" in verdict


@pytest.mark.parametrize("background", [answers.TRANSPARENT, answers.WHITE])
def test_the_best_guess_is_outlined_in_the_view_of_the_cut_out_alone(scene, background):
    image, mask = scene
    chosen = (background, "#2563eb")
    guess, sure = (
        answers.views(image, mask, status, chosen, "a", gr.Image()) for status in (Status.NOT_DETECTED, Status.DETECTED)
    )
    view, file, plain = (Image.open(path) for path in (guess[1], guess[4].value["path"], sure[1]))
    assert np.array_equal(np.asarray(file), np.asarray(plain))
    assert not np.array_equal(np.asarray(view), np.asarray(file))
    if background == answers.TRANSPARENT:
        assert (np.asarray(view)[..., 3] > 0).sum() > mask.sum()


def test_the_clicks_are_on_the_result_that_takes_them(scene):
    image, mask = scene
    drawn = [
        np.asarray(
            Image.open(answers.views(image, mask, Status.DETECTED, ("White", "#ffffff"), "a", gr.Image(), clicks)[0])
        )
        for clicks in ((), ((10.5, 8.5, True),))
    ]
    different = np.abs(drawn[0].astype(int) - drawn[1]).max(axis=-1) > 60
    assert different[8, 10]
    assert not different[24:, 30:].any()


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
