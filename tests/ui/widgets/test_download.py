"""Models from the page: what could run here is offered, fetched with a bar, and answers without a restart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import local_hub
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from ipseg.engine.spec import EngineSpec
from ipseg.ui import serving
from ipseg.ui.widgets import engine_state
from tests.ui.conftest import EXAMPLES, ROOT, Demo, new_window, open_tab, serve

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
def with_models(hub, tmp_path_factory) -> Iterator[Demo]:
    """The page beside a Hub of its own, which has a small SAM ViT-B too."""
    import networks
    import torch

    folder = tmp_path_factory.mktemp("demo")
    torch.save(networks.small_sam().state_dict(), folder / "sam.pth")
    data = hub.files["/sam.pth"] = (folder / "sam.pth").read_bytes()
    given = (f"{hub.url}/sam.pth", hashlib.sha256(data).hexdigest(), str(len(data)))
    program = (str(ROOT / "tests" / "ui" / "own_sam.py"), *given)
    with serve(folder, "--preset", "offline", program=program, HF_ENDPOINT=hub.url) as served:
        yield served


@pytest.fixture(scope="module")
def window(chromium, with_models):
    """A browser window, which is closed before the server: an open page asks one that has gone for ever."""
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
    page.click("#fetch")
    page.wait_for_function("document.querySelector('#engine-state progress')?.value > 0")
    hub.pause = 0.0
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
    page.close()


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
    choose(page, "segmenter", "sam/vit_l")
    assert "SAM ViT-L (1.2 GB, Apache-2.0)" in state(page, "SAM ViT-L")
    choose(page, "refinement", "ranked")
    state(page, "choose single or cascade")
    page.click("#reset")
    state(page, "SAM ViT-H")
    choose(page, "preset", "offline")
    state(page, "Engine: offline")
    page.close()


@pytest.mark.browser
def test_sam_is_fetched_with_its_progress_and_both_methods_run_on_it(window, with_models, hub):
    page = opened(window, with_models.url)
    open_tab(page, "Compare")
    for name, file in (("prompt", PROMPT), ("images", QUERY)):
        page.set_input_files(f"#compare-{name} input[type=file]", str(file))
        page.wait_for_selector(f"#compare-{name} img")
    page.get_by_label("PerSAM", exact=True).uncheck()
    button = page.get_by_text("Fetch SAM ViT-B", exact=False)
    hub.pause = 0.3
    button.click()
    page.wait_for_selector("#compare-table progress")
    page.click("#compare-run-stop")
    page.wait_for_selector("#compare-run:not([data-elapsed])")
    page.wait_for_selector("#compare-table .start")  # stopped: what was there before, and the button
    button.click()
    page.wait_for_selector("#compare-table progress")
    hub.pause = 0.0
    page.wait_for_selector("#compare-table table")
    text = page.inner_text("#compare-table")
    assert "IPSeg" in text
    assert "PerSAM" in text  # chosen too
    assert "on the engine's parts" not in text
    assert "sam/vit_b" in text
    assert not button.is_visible()
    page.close()


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
