"""The options of `python app.py`: queue size, MCP tools; the login is in server/test_gate.py."""

from __future__ import annotations

import base64
import io
import json
import urllib.request

import httpx
import pytest
from PIL import Image

from ipseg.ui import serving
from ipseg.ui.server.uploads import MESSAGE
from tests.conftest import draw_scene
from tests.ui.conftest import PATIENCE, serve


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - our own server
        return answer.read()


def call(url: str, tool: str, headers: dict[str, str] | None = None, **arguments) -> httpx.Response:
    """One call of a tool, as an assistant makes it."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
    accepted = {"Accept": "application/json, text/event-stream", **(headers or {})}
    return httpx.post(f"{url}/gradio_api/mcp/", json=body, headers=accepted)


def given(url: str) -> dict:
    """What an assistant may give: an image in the call itself, and the URL of an upload."""
    image = io.BytesIO()
    Image.fromarray(draw_scene()[0]).save(image, "PNG")
    path = httpx.post(f"{url}/gradio_api/upload", files={"files": ("an image.png", image.getvalue())}).json()[0]
    link = f"{url}/gradio_api/file={path.replace(' ', '%20')}"
    return {"prompt": f"data:image/png;base64,{base64.b64encode(image.getvalue()).decode()}", "image": link}


def test_every_action_is_a_tool_for_assistants(tmp_path):
    with serve(tmp_path, "--mcp", HF_HUB_OFFLINE="1") as served:
        tools = {tool["name"]: tool for tool in json.loads(get(f"{served.url}/gradio_api/mcp/schema"))}
        stopped = call(served.url, "stop")
        fetched = call(served.url, "ablation", prompt="http://127.0.0.1:1/x.png", image="https://example.com/x.png")
        answered = call(served.url, "ablation", **given(served.url))
        foreign = call(served.url, "stop", {"Origin": "https://evil.example"})
        rebound = call(served.url, "stop", {"Host": "evil.example"})
    assert "Nothing was stopped" in stopped.text
    assert MESSAGE in fetched.text
    assert '"isError":false' in answered.text
    assert foreign.status_code == rebound.status_code == 403
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--auth", "ada"), "a user and a password"),
        (("--auth", "ada:secret", "--mcp"), "do not go together"),
        (("--max-queue", "0"), "give 1 or more"),
        (("--max-seconds", "0"), "give 1 to 86400"),
        (("--preset", "magic"), "invalid choice"),
    ],
)
def test_wrong_usage_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        serving.arguments(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
