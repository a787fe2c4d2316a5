"""Whichever way the page is served, it has its checks and bounds."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest

from ipseg.ui import serving
from ipseg.ui.server.gate import Gate
from tests.ui.conftest import PATIENCE, ROOT, serve

PLAIN = ("tests/ui/plain.py",)
WATCH = {
    f"GRADIO_WATCH_{name}": value
    for name, value in {
        "DIRS": str(ROOT), "MODULE_NAME": "app", "DEMO_NAME": "demo", "DEMO_PATH": str(ROOT / "app.py"),
        "ENCODING": "utf-8",
    }.items()
}  # fmt: skip


@pytest.mark.parametrize(
    ("program", "environment"), [(PLAIN, {}), (("app.py",), WATCH)], ids=["demo.launch()", "gradio app.py"]
)
def test_the_page_has_its_checks_and_bounds(program, environment, tmp_path):
    """`gradio app.py` starts the file with these variables, and reads it once more beside what it serves."""
    with serve(tmp_path, program=program, stop=signal.SIGTERM, HF_HUB_OFFLINE="1", **environment) as served:
        url = served.url
        assert httpx.get(f"{url}/config").status_code == 200
        for foreign in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
            assert httpx.get(f"{url}/config", headers=foreign).status_code == 403
        for path in ("component_server", "deep_link?session_hash=a", "proxy=https://example.com", "runs"):
            assert httpx.get(f"{url}/gradio_api/{path}").status_code == 404
        body = {"data": ["x" * 2**21], "session_hash": "a"}
        assert httpx.post(f"{url}/gradio_api/run/stop", json=body).status_code == 413
        body = {"data": [], "session_hash": "x" * 65}
        assert httpx.post(f"{url}/gradio_api/run/stop", json=body).status_code == 400
        large = {"files": ("a.png", bytes(65 * 2**20))}
        assert httpx.post(f"{url}/gradio_api/upload", files=large).status_code == 413
        path = httpx.post(f"{url}/gradio_api/upload", files={"files": ("a.png", b"small")}).json()[0]
        (folder,) = (tmp_path / "cache").glob("ipseg-server-*")
        assert Path(path).is_relative_to(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    log = served.log.read_text()
    assert "Traceback" not in log
    assert ("Watching demo: demo" in log) == bool(environment)
    assert not folder.exists() or environment  # Gradio's reload mode ends without a word


IMPORTED = """
import os, sys
sys.argv = ["gradio", "--no-such-argument"]
import fastapi, gradio, uvicorn, app
assert isinstance(app.demo, gradio.Blocks)
print(app.pool.first.preset, "/segment" in app.demo.get_api_info()["named_endpoints"], flush=True)
uvicorn.run(gradio.mount_gradio_app(fastapi.FastAPI(), app.demo, "/"), port=int(os.environ["PORT"]))
"""


def test_an_imported_app_takes_the_environment_and_refuses_to_start_as_a_part_of_another(tmp_path):
    """Gradio's reload mode imports the file and takes ``demo``; the arguments are those of another program then."""
    own = {"GRADIO_TEMP_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "HF_HOME": str(tmp_path)}
    environment = {**os.environ, **own, "PRESET": "light", "PORT": "0"}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout.split() == ["light", "True"], done.stderr
    assert done.returncode != 0
    assert "served with its own launch()" in done.stderr


class TestArguments:
    """What a caller of ``launch`` may change."""

    @pytest.fixture
    def arguments(self, monkeypatch):
        for name in ("HOST", "PORT", "AUTH", "SPACE_ID", "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"):
            monkeypatch.delenv(name, raising=False)
        return lambda *chosen, **given: serving.launch_arguments(
            SimpleNamespace(), serving.arguments(list(chosen)), given
        )

    def test_a_plain_call_has_what_was_chosen(self, arguments):
        made = arguments("--auth", "ada:secret", "--port", "99")
        assert made["auth"] == ("ada", "secret")
        assert made["server_port"] == 99
        kind, _, options = made["app_kwargs"]["middleware"][0]
        assert kind is Gate
        assert options["login"]
        assert "127.0.0.1" in options["hosts"]
        assert not made["mcp_server"]

    def test_the_tools_are_served_where_that_is_asked(self, arguments):
        assert arguments("--mcp")["mcp_server"]
        assert arguments(mcp_server=True)["mcp_server"]

    def test_what_is_given_counts_but_the_bounds_stay(self, arguments):
        made = arguments(
            server_name="0.0.0.0",  # noqa: S104
            server_port=None,
            auth=[("ada", "secret")],
            max_file_size=None,
            state_session_capacity=10**6,
            ssr_mode=True,
            app_kwargs={"title": "x", "middleware": ["mine"]},
        )
        assert made["server_port"] == 7860
        assert made["max_file_size"] == "64mb"
        assert made["state_session_capacity"] <= 300
        assert made["ssr_mode"] is False
        assert made["app_kwargs"]["title"] == "x"
        (kind, _, options), *_, last = made["app_kwargs"]["middleware"]
        assert kind is Gate
        assert options == {"hosts": None, "login": True}
        assert last == "mine"

    @pytest.mark.parametrize(
        "given", [{"_app": object()}, {"auth_dependency": print}, {"auth": ("a", "b"), "mcp_server": True}]
    )
    def test_what_the_checks_cannot_see_is_refused(self, arguments, given):
        with pytest.raises(ValueError, match=r"give (auth|one)"):
            arguments(**given)

    def test_every_bound_is_an_argument_of_gradio(self):
        source = Path(gr.blocks.__file__).read_text()
        assert all(re.search(rf"^        {name}: ", source, re.MULTILINE) for name in serving.LIMITS)
