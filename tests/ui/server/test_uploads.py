"""Files that were not uploaded: no endpoint opens them, whatever the form of the value; the error discloses nothing."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import uuid
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import httpx
import pytest
from gradio.state_holder import SessionState

from ipseg.engine.spec import EngineSpec
from ipseg.ui import build
from ipseg.ui.server import uploads
from ipseg.ui.server.pool import EnginePool
from tests.conftest import draw_scene, write
from tests.ui.conftest import EXAMPLES, PATIENCE

META = {"meta": {"_type": "gradio.FileData"}}
ENGINE = {"preset": "offline"}
SHAPES = {  # what a file may be wrapped in: the values of an image, a gallery, files, an editor, a video
    "image": lambda file: file,
    "files": lambda file: [file],
    "gallery": lambda file: [{"image": file, "caption": None}],
    "video in a gallery": lambda file: [{"video": file, "caption": None}],
    "editor": lambda file: {"background": file, "layers": [file], "composite": file},
    "props": lambda file: {"value": file},
}


@pytest.fixture(scope="module")
def loop():
    """An event loop in a thread of its own, as a server has it; Gradio asks for one when it builds a page."""
    made = asyncio.new_event_loop()
    thread = threading.Thread(target=made.run_forever)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join()
    made.close()


@pytest.fixture(scope="module")
def page(loop) -> gr.Blocks:
    """The page as the server has it."""

    async def made() -> gr.Blocks:
        return build(EnginePool(EngineSpec()))

    return asyncio.run_coroutine_threadsafe(made(), loop).result(600)


@pytest.fixture(scope="module")
def secret(tmp_path_factory) -> Path:
    """An image on the server that nobody uploaded."""
    return write(tmp_path_factory.mktemp("server") / "holiday.png", draw_scene()[0])


@pytest.fixture(scope="module")
def http(demo):
    """A client of the running page."""
    with httpx.Client(base_url=f"{demo.url}/gradio_api", timeout=PATIENCE) as client:
        yield client


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder of uploads."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads" / "some hash").mkdir(parents=True)
    return tmp_path / "uploads"


def upload(http: httpx.Client, path: Path) -> str:
    return http.post("/upload", files={"files": (path.name, path.read_bytes())}).json()[0]


def takes_files(component) -> bool:
    """Whether a value of a component may hold a file."""
    model = getattr(component, "data_model", None)
    return model is not None and '"path"' in json.dumps(model.model_json_schema())


def forged(secret: Path) -> list[dict]:
    """Values that name a file which was not uploaded."""
    texts = [
        str(secret), f"{secret}/", f"{EXAMPLES}/../../README.md", "/etc/passwd", "/dev/ptmx", "/nowhere", "/", "",
        "x\0y", "~/x.png", "file:///etc/passwd", "http://127.0.0.1:1/x.png", "http://169.254.169.254/latest",
        f"http://127.0.0.1/gradio_api/file={secret}", "https://example.com/x.png", "\ud800", "a" * 5000,
    ]  # fmt: skip
    files: list[dict] = [{"path": text, **META} for text in texts]
    files += [{"path": str(secret)}, {"path": str(secret), "meta": None}, {"path": str(secret), "meta": {"_type": "x"}}]
    files += [{"path": str(secret), "is_stream": True, **META}, {"path": str(secret), "orig_name": "../../x.png"}]
    files += [{"path": text, **META} for text in (None, 7, [], {}, True)]
    files += [{"url": f"file://{secret}"}, {"path": None, "url": "https://example.com/x.png", **META}]
    files += [{"path": {"path": str(secret), **META}, **META}]
    return files


def values(component, file: dict) -> list:
    """A file as each value that the model of a component takes, and bare."""
    shaped = [file]
    for shape in SHAPES.values():
        try:
            component.data_model.model_validate(shape({"path": "/x", **META}))
        except ValueError:
            continue
        shaped.append(shape(file))
    return shaped


def usual(component) -> object:
    return component.value if isinstance(component, gr.Slider | gr.Dropdown | gr.Radio) else None


def events(page) -> list[tuple[int, object, int]]:
    """Every event that takes a file, by the place of that input."""
    return [
        (number, event, place)
        for number, event in page.fns.items()
        for place, component in enumerate(event.inputs)
        if takes_files(component)
    ]


def test_many_components_of_the_page_take_files(page):
    kinds = {type(event.inputs[place]).__name__ for _, event, place in events(page)}
    assert {"Image", "Gallery", "File", "UploadButton", "ImageEditor"} <= kinds
    assert {component for component in page.blocks.values() if "preprocess" in vars(component)}


def test_no_event_takes_a_file_that_was_not_uploaded(page, loop, secret):
    """Every component that takes a file, private ones too, with every forged value, and in every event with one."""

    async def ask(event, place, value):
        given = [usual(component) for component in event.inputs]
        given[place] = value
        await page.preprocess_data(event, given, None)

    done, seen = 0, set()
    for _, event, place in events(page):
        component = event.inputs[place]
        files = forged(secret)[: 1 if component in seen else None]  # it is the component that refuses
        seen.add(component)
        for file in files:
            for value in values(component, file):
                with pytest.raises(gr.Error) as refused:
                    asyncio.run_coroutine_threadsafe(ask(event, place, value), loop).result(600)
                assert refused.value.message == uploads.MESSAGE
                done += 1
    assert done > 1000


def test_every_endpoint_refuses_over_http(page, http, secret):
    """By each of Gradio's ways to call, private events too; the answer is the same whatever is at the path."""
    session, paths = uuid.uuid4().hex, (secret, Path("/nowhere"), Path("/etc"), Path("/dev/ptmx"))
    for count, (number, event, place) in enumerate(events(page)):
        given = [usual(component) for component in event.inputs]
        for path in paths if count % 10 == 0 else paths[:1]:
            given[place] = values(event.inputs[place], {"path": str(path)})[-1]
            body = {"data": given, "fn_index": number, "session_hash": session}
            answer = http.post("/run/predict", json=body)
            assert answer.status_code == 500, event.api_name
            assert answer.json()["error"] == uploads.MESSAGE, event.api_name


@pytest.mark.parametrize("route", ["call", "call/v2", "queue/join"])
def test_the_queue_refuses_too(http, secret, route):
    file = {"path": str(secret)}
    number = None
    if route == "call/v2":
        body = {"prompts": [{"image": file}], "image": file, "mask": None}
        answer = http.post("/call/v2/segment", json=body)
    else:
        config = http.get("/config".replace("/config", "/info")).json()["named_endpoints"]["/segment"]["parameters"]
        data = [[{"image": file}], file, None, *(each.get("parameter_default") for each in config[3:])]
        if route == "call":
            answer = http.post("/call/segment", json={"data": data})
        else:
            root = str(http.base_url).removesuffix("/gradio_api/")
            listed = httpx.get(f"{root}/config").json()["dependencies"]
            number = next(each["id"] for each in listed if each["api_name"] == "segment")
            answer = http.post("/queue/join", json={"data": data, "fn_index": number, "session_hash": "asker"})
    named = answer.json()["event_id"]
    where = "/queue/data?session_hash=asker" if route == "queue/join" else f"/call/segment/{named}"
    with http.stream("GET", where) as stream:
        assert uploads.MESSAGE in "".join(stream.iter_text())


def test_an_upload_answers_however_it_is_named(http, tmp_path, demo):
    path = upload(http, write(tmp_path / "my image.png", draw_scene()[0]))
    link = f"{demo.url}/gradio_api/file={path.replace(' ', '%20')}"
    for file in ({"path": path, **META}, {"path": path}, {"path": link, **META}, {"path": path, "url": link, **META}):
        answer = http.post("/run/predict", json={"data": [file], "fn_index": canvas(demo)})
        assert answer.status_code == 200, answer.text


def canvas(demo) -> int:
    """The event that shows an image of the visitor."""
    listed = httpx.get(f"{demo.url}/config").json()["dependencies"]
    return next(each["id"] for each in listed if each["api_name"] == "put")


def test_examples_still_answer(http, demo):
    """The files that a click on an example fills in are taken back as they are."""
    config = httpx.get(f"{demo.url}/config").json()
    load = next(each for each in config["dependencies"] if each["api_name"] == "load_example")
    filled = http.post("/run/predict", json={"data": [0], "fn_index": load["id"], "session_hash": "guest"}).json()
    prompts, images = filled["data"][:2]
    names = [each["value"] if isinstance(each, dict) and "value" in each else each for each in (prompts, images)]
    assert all(_files(each) for each in names)
    prompts = [{"image": file, "caption": None} for file in _files(names[0])]
    given = {"prompts": prompts, "image": _files(names[1])[0], "mask": None}
    named = http.post("/call/v2/segment", json=given).json()["event_id"]
    with http.stream("GET", f"/call/segment/{named}") as stream:
        assert "event: complete" in "".join(stream.iter_text())


def _files(value) -> list[dict]:
    if isinstance(value, dict):
        return [value] if "path" in value else [file for each in value.values() for file in _files(each)]
    return [file for each in value for file in _files(each)] if isinstance(value, list) else []


def test_what_is_in_the_folder_of_uploads_is_a_file(folder):
    place = write(folder / "some hash" / "a.png", draw_scene()[0])
    (folder / "some hash" / "out").symlink_to("/etc/hostname")
    (folder / "some hash" / "in").symlink_to(place)
    (folder / "some hash" / "loop").symlink_to(folder / "some hash" / "loop")
    (folder / "some hash" / "up").symlink_to("/")
    os.mkfifo(folder / "some hash" / "fifo")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(folder / "some hash" / "plug"))
        for name in ("out", "loop", "up/etc/hostname", "fifo", "plug", "", "../..", "b.png", "a.png/x", "\0"):
            with pytest.raises(gr.Error, match="not uploaded"):
                uploads.uploaded(f"{folder}/some hash/{name}")
    assert uploads.uploaded(str(folder / "some hash" / "in")) == place
    assert uploads.uploaded(f"{folder}/some hash/../some hash/a.png") == place


def test_the_folder_of_uploads_may_be_reached_by_a_link(folder, monkeypatch):
    place = write(folder / "some hash" / "a.png", draw_scene()[0])
    link = folder.parent / "link"
    link.symlink_to(folder)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(link))
    assert uploads.uploaded(str(link / "some hash" / "a.png")) == uploads.uploaded(str(place)) == place


def test_a_folder_whose_name_begins_alike_is_another_one(folder):
    other = write(folder.with_name("uploads of others") / "a.png", draw_scene()[0])
    with pytest.raises(gr.Error, match="not uploaded"):
        uploads.uploaded(str(other))


def test_what_lies_elsewhere_is_not_opened(folder, monkeypatch):
    seen = []

    def recorded(call):
        return lambda path, *more, **named: seen.append(str(path)) or call(path, *more, **named)

    for name in ("stat", "lstat", "open", "readlink"):
        monkeypatch.setattr(os, name, recorded(getattr(os, name)))
    with pytest.raises(gr.Error, match="not uploaded"):
        uploads.uploaded("/server/holiday.jpg")
    assert not [path for path in seen if "server" in path]


def test_nothing_is_carried_along_with_a_file(folder):
    place = write(folder / "some hash" / "a.png", draw_scene()[0])
    given = {
        "path": str(place),
        "url": "http://169.254.169.254",
        "orig_name": "../../x",
        "size": [],
        "more": {"path": "/"},
    }
    assert uploads.checked([given, 7, "text"]) == [{"path": str(place), "meta": uploads.META}, 7, "text"]


def test_a_value_that_is_deeper_than_any_component_takes_is_refused():
    value: list = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(gr.Error, match="not uploaded"):
        uploads.checked(value)


def test_a_component_that_was_changed_for_a_session_still_hands_over_the_file_unopened(page):
    """Gradio makes a new component when an event changes one, such as a click on an example."""
    image = next(block for block in page.blocks.values() if isinstance(block, gr.Image) and "preprocess" in vars(block))
    changed = gr.Image(type="filepath", render=False)
    uploads._restore([image], {image._id: changed})
    assert changed.preprocess(SimpleNamespace(path="anywhere")) == "anywhere"


def test_no_function_of_a_component_is_open(page):
    """Such as the one of the editor that keeps whatever blobs it is sent."""
    editor = next(block for block in page.blocks.values() if isinstance(block, gr.ImageEditor))
    assert type(editor).accept_blobs._is_server_fn
    for block in page.blocks.values():
        assert not [name for name in dir(block) if getattr(getattr(block, name, None), "_is_server_fn", False)]


def test_the_message_says_what_to_do(one_message):
    one_message(uploads.MESSAGE)


def test_an_emptied_number_field_has_no_value():
    number, words = gr.Number(), gr.Textbox()
    assert uploads._number(number, "") is None
    assert uploads._number(number, 0) == 0
    assert uploads._number(words, "") == ""


def test_instances_of_a_result_that_has_gone_are_no_error(page, loop):
    """A visitor switches instances while the page turns to a result without any."""
    switch = next(event for event in page.fns.values() if event.name == "switch")
    place = next(place for place, one in enumerate(switch.inputs) if one.elem_id == "instances")
    given = [usual(component) for component in switch.inputs]
    given[place] = [1, 3]
    state = SessionState(page)
    state[switch.inputs[place]._id] = gr.CheckboxGroup([])
    done = asyncio.run_coroutine_threadsafe(page.preprocess_data(switch, given, state), loop).result(600)
    assert done[place] == [1, 3]
