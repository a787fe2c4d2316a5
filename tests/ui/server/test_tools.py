"""The tools of the Model Context Protocol: their schemas, what they take, and one call through the official client."""

from __future__ import annotations

import base64
import io
import json

import gradio as gr
import httpx
import jsonschema
import numpy as np
import pytest
from jsonschema import Draft202012Validator
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client
from PIL import Image

from ipseg.ui.server import tools as protocol
from tests.conftest import draw_scene
from tests.ui.conftest import EXAMPLES, finished, serve

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client
PNG = {"path": "/srv/secret.png", "meta": {"_type": "gradio.FileData"}}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("tools"), "mcp", program=("tests/ui/plain.py",), HF_HUB_OFFLINE="1") as demo:
        yield demo


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def run(url: str, work):
    """The result of ``work(session)`` in a session of the official client."""

    async def connected():
        async with (
            streamablehttp_client(f"{url}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await work(session)

    return finished(connected())


@pytest.fixture(scope="module")
def tools(served):
    listed = run(served.url, lambda session: session.list_tools())
    return {tool.name: tool for tool in listed.tools}


def call(served, name: str, **arguments):
    return run(served.url, lambda session: session.call_tool(name, arguments))


def resolved(schema, root) -> None:
    """Every reference has a target."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            place = root
            for part in schema["$ref"].removeprefix("#/").split("/"):
                place = place[part]
        for each in schema.values():
            resolved(each, root)
    elif isinstance(schema, list):
        for each in schema:
            resolved(each, root)


def test_every_schema_is_valid(tools):
    assert {"segment", "segment_all", "compare", "batch", "video", "label", "stop"} <= set(tools)
    for tool in tools.values():
        Draft202012Validator.check_schema(tool.inputSchema)
        resolved(tool.inputSchema, tool.inputSchema)
        validator = Draft202012Validator(tool.inputSchema)
        for name, each in tool.inputSchema["properties"].items():
            assert each["description"], (tool.name, name)
            if "default" in each:
                assert Draft202012Validator(each).is_valid(each["default"]), (tool.name, name)
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({"no_such_argument": 1})
    segment = Draft202012Validator(tools["segment"].inputSchema)
    assert segment.is_valid({"prompts": ["data:"], "image": "data:", "clicks": [[1, 2.5, 0]], "mask": None})
    for wrong in ({"clicks": [[1, 2]]}, {"clicks": PNG}, {"prompts": [PNG]}, {"image": PNG}):
        assert not segment.is_valid({"prompts": ["data:"], "image": "data:", **wrong})
    assert "URLs of other servers are refused" in tools["segment"].description


def test_a_call_returns_the_mask_and_the_result(served):
    scene, truth = draw_scene()
    path = httpx.post(f"{served.url}/gradio_api/upload", files={"files": ("an image.png", png(scene))}).json()[0]
    address = f"{served.url}/gradio_api/file={path.replace(' ', '%20')}"
    for prompt, image in ((data_url(png(scene)), address), (path, data_url(png(scene)))):
        answer = call(served, "segment", prompts=[prompt], image=image, threshold=0.2, clicks=None)
        assert not answer.isError, answer.content
        result = json.loads(answer.content[0].text)
        assert result["status"] == "detected"
        assert (result["height"], result["width"]) == truth.shape
        mask = next(each for each in answer.content if each.type == "image")
        assert mask.mimeType == "image/png"
        with Image.open(io.BytesIO(base64.b64decode(mask.data))) as drawn:
            np.testing.assert_array_equal(np.asarray(drawn) > 0, truth)


def test_lists_of_images_and_steps_end_with_the_last(served):
    scene = data_url(png(draw_scene()[0]))
    several = call(served, "segment_all", prompts=[scene], images=[scene, scene])
    assert not several.isError, several.content
    assert "masks.zip" in "".join(each.text for each in several.content if each.type == "text")
    batch = call(served, "batch", prompts=[scene], images=[scene])
    assert not batch.isError, batch.content
    assert "Done" in batch.content[0].text


@pytest.mark.parametrize(
    "image",
    [
        "http://127.0.0.1:1/x.png", "https://example.com/x.png", "file:///etc/passwd", "/etc/passwd",
        str(EXAMPLES / "robot" / "00.jpg"), "data:image/png,x", "data:image/png;base64,%%%", "", "ftp://x/y.png",
    ],
)  # fmt: skip
def test_other_files_are_refused(served, image):
    scene = data_url(png(draw_scene()[0]))
    answer = call(served, "segment", prompts=[scene], image=image)
    assert answer.isError
    answer = call(served, "segment_all", prompts=[image], images=[scene])
    assert answer.isError


@pytest.mark.parametrize("value", [PNG, [PNG], [[PNG]], {"a": PNG}])
def test_no_argument_names_a_file_where_none_is_taken(value):
    """`gradio_client` would upload it by its path, from this machine."""
    with pytest.raises(gr.Error):
        protocol.arguments({"clicks": value}, [])
    with pytest.raises(gr.Error):
        protocol.arguments({"image": value}, ["image"])


def test_a_large_image_is_sent_as_an_address(tmp_path, monkeypatch):
    monkeypatch.setattr(protocol, "uploaded", lambda path: tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(bytes(10))
    output = {"path": "/x/a.png", "url": "http://x/a.png", "orig_name": "a.png", "meta": PNG["meta"]}
    assert [each.type for each in protocol.content([output], "http://x")] == ["image", "text"]
    monkeypatch.setattr(protocol, "MAX_IMAGE_BYTES", 9)
    (text,) = protocol.content([output], "http://x")
    assert json.loads(text.text) == {"file": "a.png", "url": "http://x/a.png"}


def test_another_version_of_gradios_server_is_noticed():
    with pytest.raises(RuntimeError, match="not supported"):
        protocol.mend(object(), {})


def test_labels_by_a_tool_are_data(served):
    scene = data_url(png(draw_scene()[0]))
    answer = call(served, "label", examples=[scene], classes=["ellipse"], images=[scene], threshold=0.2)
    assert not answer.isError, answer.content
    coco = json.loads(answer.content[0].text)
    assert [each["name"] for each in coco["categories"]] == ["ellipse"]
    assert len(coco["annotations"]) == 1
