"""The same question through the API, and what the server holds afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from ipseg import open_image
from tests.ui.conftest import EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def ask(client: Client, prompt: Path, query: Path, **settings):
    values = {"k": 32, "clusters": 4, "threshold": 0.0, "mask": None, **settings}
    pictures = [{"image": handle_file(prompt), "caption": None}]
    return client.predict(prompts=pictures, image=handle_file(query), api_name="/segment", **values)


def mask_of(answer) -> np.ndarray:
    return open_image(answer[5]["value"] if isinstance(answer[5], dict) else answer[5])[..., 0]


def test_the_endpoint_has_a_name_and_documented_arguments(client):
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/segment"]
    assert [parameter["parameter_name"] for parameter in endpoint["parameters"]] == [
        "prompts", "image", "mask", "k", "clusters", "threshold",
        "preset", "features", "sd_weight", "timestep", "saliency", "segmenter", "refinement",
        "negative_prompt", "all_instances", "clicks",
    ]  # fmt: skip


def test_a_mask_at_the_size_of_the_picture(client):
    query = EXAMPLES / "robot" / "02.jpg"
    mask = mask_of(ask(client, EXAMPLES / "robot" / "00.jpg", query))
    assert mask.shape == open_image(query).shape[:2]
    assert set(np.unique(mask)) == {0, 255}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"k": 4, "clusters": 9}, "at most K clusters"),
        ({"k": 999}, "maximum value 256"),
        ({"clusters": 0}, "minimum value 1"),
    ],
)
def test_a_setting_out_of_range_gets_its_sentence(client, settings, sentence):
    with pytest.raises((AppError, ValueError), match=sentence):
        ask(client, EXAMPLES / "robot" / "00.jpg", EXAMPLES / "robot" / "02.jpg", **settings)


def test_a_bad_file_gets_its_sentence_and_no_path_leaks(client, tmp_path):
    bad = tmp_path / "letter.jpg"
    bad.write_bytes((EXAMPLES / "robot" / "00.jpg").read_bytes()[:5000])
    with pytest.raises(AppError, match=r"letter\.jpg is damaged or cut short") as caught:
        ask(client, bad, EXAMPLES / "robot" / "02.jpg")
    assert "/" not in str(caught.value)


def test_the_demo_never_loads_torch(client, demo):
    ask(client, EXAMPLES / "robot" / "00.jpg", EXAMPLES / "robot" / "02.jpg")
    maps = Path("/proc") / str(demo.pid) / "maps"
    if not maps.is_file():
        pytest.skip("reads /proc")
    assert "libtorch" not in maps.read_text()
