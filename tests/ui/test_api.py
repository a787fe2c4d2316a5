"""The same request through the API, and what the server holds afterwards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from ipseg import PRESETS, load, open_image
from ipseg.ui.widgets.arguments import NUMBERS
from tests.ui.conftest import EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own event loop


@pytest.fixture(scope="module")
def client(demo, tmp_path_factory) -> Client:
    return Client(demo.url, verbose=False, download_files=tmp_path_factory.mktemp("downloads"))


def ask(client: Client, prompt: Path, query: Path, **settings):
    values = {"k": 32, "clusters": 4, "threshold": 0.0, "mask": None, **settings}
    images = [{"image": handle_file(prompt), "caption": None}]
    return client.predict(prompts=images, image=handle_file(query), api_name="/segment", **values)


def mask_of(answer) -> np.ndarray:
    return open_image(answer[1])[..., 0]


def test_the_endpoint_has_a_name_and_documented_arguments(client):
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/segment"]
    assert [parameter["parameter_name"] for parameter in endpoint["parameters"]] == [
        "prompts", "image", "mask", "k", "clusters", "threshold", "reject_threshold",
        "preset", "features", "sd_weight", "timestep", "saliency", "segmenter", "refinement",
        "negative_prompt", "all_instances", "clicks", "mask_value", "boxes", "points",
    ]  # fmt: skip


@pytest.mark.parametrize("endpoint", ["/segment", "/segment_all", "/batch", "/video"])
def test_numbers_may_be_left_out_over_the_api(client, endpoint):
    parameters = client.view_api(return_format="dict")["named_endpoints"][endpoint]["parameters"]
    numbers = {one["parameter_name"]: one for one in parameters if one["parameter_name"] in NUMBERS}
    assert list(numbers) == list(NUMBERS)
    assert all(one["parameter_has_default"] and one["parameter_default"] is None for one in numbers.values())


def test_numbers_that_are_left_out_are_those_of_the_engine_that_answers(client):
    """The page starts with the numbers of its preset, but a request may ask another engine."""
    given = {
        "prompts": [handle_file(EXAMPLES / "robot" / "00.jpg")],
        "image": handle_file(EXAMPLES / "robot" / "02.jpg"),
    }
    for changed in ({}, {"features": ["texture"]}):
        facts, *_ = client.predict(mask=None, api_name="/segment", **given, **changed)
        config = PRESETS["offline"].config  # the page of this test has no weights
        assert (facts["threshold"], facts["reject_threshold"]) == (config.threshold, config.reject_threshold)
    facts, *_ = client.predict(mask=None, threshold=0.05, api_name="/segment", **given)
    assert (facts["threshold"], facts["reject_threshold"]) == (0.05, 0.05)


@pytest.mark.usefixtures("small_offline")
def test_a_saved_prompt_is_taken_in_place_of_the_prompt_images(client, tmp_path):
    prompt, query = EXAMPLES / "robot" / "00.jpg", EXAMPLES / "robot" / "02.jpg"
    load("offline").prompt(prompt).save(tmp_path / "robot.npz")
    given = {"mask": None, "threshold": 0.0, "api_name": "/segment"}
    answer = client.predict(prompts=[handle_file(tmp_path / "robot.npz")], image=handle_file(query), **given)
    assert answer[0]["notices"] == []
    np.testing.assert_array_equal(mask_of(answer), mask_of(ask(client, prompt, query)))
    (tmp_path / "text.npz").write_text("no prompt")
    with pytest.raises(AppError, match=r"text\.npz is not a saved prompt"):
        client.predict(prompts=[handle_file(tmp_path / "text.npz")], image=handle_file(query), **given)


def test_a_mask_at_the_size_of_the_image(client):
    query = EXAMPLES / "robot" / "02.jpg"
    answer = ask(client, EXAMPLES / "robot" / "00.jpg", query)
    mask = mask_of(answer)
    assert mask.shape == open_image(query).shape[:2]
    assert set(np.unique(mask)) == {0, 255}
    result = answer[0]
    assert result["status"] == "detected"
    assert 0 <= result["score"] <= 1
    assert (result["height"], result["width"]) == mask.shape
    assert result["mask_pixels"] == (mask == 255).sum()
    assert len(result["positive_points"]) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 4, "clusters": 9}, "at most K clusters"),
        ({"k": 999}, "maximum value 256"),
        ({"clusters": 0}, "minimum value 1"),
        ({"k": 32.7}, "K is 32.7; give a whole number"),
        ({"clusters": 3.5}, "c is 3.5; give a whole number"),
        ({"threshold": 7}, "maximum value 1"),
        ({"timestep": 50.5}, "timestep is 50.5; give a whole number"),
    ],
)
def test_a_setting_out_of_range_gets_its_message(client, settings, message):
    with pytest.raises((AppError, ValueError), match=message):
        ask(client, EXAMPLES / "robot" / "00.jpg", EXAMPLES / "robot" / "02.jpg", **settings)


@pytest.mark.parametrize("marks", [{"boxes": [[250, 80, 470, 340]]}, {"points": [[355, 220, 1], [150, 220, 0]]}])
def test_marks_say_which_object_of_the_prompt_image_is_meant(client, marks):
    both, query = EXAMPLES.parent / "galleries" / "several" / "robots.jpg", EXAMPLES / "robot" / "02.jpg"
    answer = ask(client, both, query, **marks)
    ((view, caption),) = [(each["image"], each["caption"]) for each in answer[5]]
    assert caption == ("from your box" if "boxes" in marks else "from your clicks")
    columns = open_image(view).mean(axis=(0, 2))
    half = len(columns) // 2
    assert columns[half:].mean() > 1.3 * columns[:half].mean()  # bright where it was taken as the object
    several = client.predict(
        prompts=[handle_file(both)], images=[handle_file(query)], mask=None, threshold=0.0, k=32, clusters=4,
        api_name="/segment_all", **marks,
    )  # fmt: skip
    assert several[2][0]["score"] == answer[0]["score"]


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ({"boxes": [[1, 2, 3]]}, r"boxes are not readable; give \[\[left, top, right, bottom\], \.\.\.\]"),
        ({"boxes": 3}, "boxes are not readable"),
        ({"boxes": [[0, 0, 9000, 10]]}, "is not on its image"),
        ({"boxes": [[1, 1, 9, 9]] * 65}, "There are 65 boxes; give at most 64"),
        ({"points": [[1, 2]]}, r"points are not readable; give \[\[x, y, 1\]"),
        ({"points": [[5, 5, 0]]}, "is marked as the object; give a box, or a point on the object"),
    ],
)
def test_marks_that_cannot_be_used_get_their_message(client, marks, message):
    with pytest.raises(AppError, match=message):
        ask(client, EXAMPLES / "robot" / "00.jpg", EXAMPLES / "robot" / "02.jpg", **marks)


def test_a_plain_list_of_files_is_taken(client):
    one, two, query = (EXAMPLES / "robot" / f"{number:02}.jpg" for number in (0, 1, 2))
    values = {"k": 32, "clusters": 4, "threshold": 0.0, "image": handle_file(query)}
    plain = [handle_file(one), handle_file(two)]
    captioned = [{"image": handle_file(path), "caption": None} for path in (one, two)]
    masks = [
        mask_of(client.predict(prompts=prompts, mask=None, api_name="/segment", **values))
        for prompts in (plain, captioned)
    ]
    np.testing.assert_array_equal(*masks)
    with pytest.raises(AppError, match="give a list of files"):
        client.predict(prompts=["/etc/passwd"], mask=None, api_name="/segment", **values)


def test_one_of_several_values_of_a_mask(client, tmp_path, save):
    prompt, query = EXAMPLES / "robot" / "00.jpg", EXAMPLES / "robot" / "02.jpg"
    size = open_image(prompt).shape[:2]
    values = np.zeros(size, np.uint8)
    values[: size[0] // 3], values[size[0] // 2 :] = 3, 9
    mask = handle_file(save(tmp_path / "labels.png", values))
    with pytest.raises(AppError, match=r"labels\.png has several objects, with the values 3 and 9"):
        ask(client, prompt, query, mask=mask)
    assert mask_of(ask(client, prompt, query, mask=mask, mask_value=9)).any()


def test_a_bad_file_gets_its_message_and_no_path_leaks(client, tmp_path):
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


def test_the_lines_of_the_documentation_end_with_data_and_a_mask(demo, root, tmp_path, monkeypatch):
    text = (root / "docs" / "page.md").read_text()
    (code,) = [block.split("```")[0] for block in text.split("```python\n") if "gradio_client" in block.split("```")[0]]
    monkeypatch.chdir(root)
    names: dict = {}
    address = f'"{demo.url}", download_files="{tmp_path}"'
    exec(code.replace('"http://127.0.0.1:7860"', address), names)  # noqa: S102 - it is ours
    assert names["mask"].dtype == bool
    assert names["mask"].shape == (names["result"]["height"], names["result"]["width"])
    assert names["result"]["status"] in ("detected", "uncertain", "not_detected")
