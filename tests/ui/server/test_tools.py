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

from ipseg.core import masks
from ipseg.ui.server import tools as protocol
from ipseg.ui.server.uploads import MESSAGE
from tests.conftest import draw_scene
from tests.ui.conftest import EXAMPLES, finished, serve

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client
PNG = {"path": "/srv/secret.png", "meta": {"_type": "gradio.FileData"}}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serve(tmp_path_factory.mktemp("tools"), "--mcp", "--preset", "offline", HF_HUB_OFFLINE="1") as demo:
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


def posted(served, tool: str, headers: dict[str, str] | None = None, **arguments) -> httpx.Response:
    """One call of a tool, without a session."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    accepted = {"Accept": "application/json, text/event-stream", **(headers or {})}
    return httpx.post(f"{served.url}/gradio_api/mcp/", json=body, headers=accepted)


def uploaded(served, content: bytes) -> tuple[str, str]:
    """Path and address of an upload whose name has a space."""
    path = httpx.post(f"{served.url}/gradio_api/upload", files={"files": ("an image.png", content)}).json()[0]
    return path, f"{served.url}/gradio_api/file={path.replace(' ', '%20')}"


def test_every_action_is_a_tool_whose_arguments_are_described(served):
    tools = {tool["name"]: tool for tool in httpx.get(f"{served.url}/gradio_api/mcp/schema").json()}
    assert {"segment", "compare"} <= set(tools)
    described = tools["segment"]
    assert described["description"].startswith("Segment the object that the prompt images show")
    properties = described["inputSchema"]["properties"]
    assert "1 to 256" in properties["k"]["description"]
    assert not any("private" in name or "refreshed" in name for name in tools)
    undescribed = [
        f"{name}: {argument}"
        for name, tool in tools.items()
        for argument, schema in tool["inputSchema"].get("properties", {}).items()
        if not schema.get("description")
    ]
    assert undescribed == []


def test_a_call_without_a_session_is_answered_and_a_foreign_one_refused(served):
    scene = png(draw_scene()[0])
    _, address = uploaded(served, scene)
    assert "Nothing was stopped" in posted(served, "stop").text
    fetched = posted(served, "ablation", prompt="http://127.0.0.1:1/x.png", image="https://example.com/x.png")
    assert MESSAGE in fetched.text
    assert '"isError":false' in posted(served, "ablation", prompt=data_url(scene), image=address).text
    for foreign in ({"Origin": "https://evil.example"}, {"Host": "evil.example"}):
        assert posted(served, "stop", foreign).status_code == 403


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
    path, address = uploaded(served, png(scene))
    for prompt, image in ((data_url(png(scene)), address), (path, data_url(png(scene)))):
        answer = call(served, "segment", prompts=[prompt], image=image, threshold=0.2, clicks=None)
        assert not answer.isError, answer.content
        result = json.loads(answer.content[0].text)
        assert result["status"] == "detected"
        assert (result["height"], result["width"]) == truth.shape
        mask = next(each for each in answer.content if each.type == "image")
        assert mask.mimeType == "image/png"
        with Image.open(io.BytesIO(base64.b64decode(mask.data))) as drawn:
            assert masks.iou(np.asarray(drawn) > 0, truth) > 0.9


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
