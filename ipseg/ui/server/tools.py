"""The tools of the Model Context Protocol: valid schemas, files as data URLs or uploads, results as images and JSON.

Gradio makes a tool of each endpoint. Its schemas have references without a target, its lists of files take no file,
and several outputs become one text; here these parts of its server are replaced, on the instance.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import mimetypes
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import add_root_url, save_bytes_to_cache
from gradio.utils import get_function_description, get_upload_folder
from gradio_client import handle_file
from mcp import types

from ipseg.core.serialize import to_json
from ipseg.ui.server.uploads import MESSAGE, uploaded

MAX_IMAGE_BYTES = 4 * 2**20  # of an image that is sent in a result; of a larger one the address alone
FILE = {
    "type": "string",
    "description": "a data: URL with base64, or the address of a file that was uploaded to this server",
}
CLICKS = {
    "type": "array",
    "items": {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3},
}
HOW = (
    " Images are given as data: URLs with base64, or as addresses of files that were uploaded to this server; "
    "URLs of other servers are refused."
)
DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*;base64,", re.ASCII)


def mend(server: Any, meanings: Mapping[str, str]) -> None:
    """Replace the parts of a :class:`gradio.mcp.GradioMCPServer` that an assistant cannot use.

    ``meanings`` of arguments by their names: of those that a handler takes as keywords, which Gradio leaves out.
    """

    def get_input_schema(name: str, described: Mapping[str, str] | None = None) -> tuple[dict[str, Any], list[Any]]:
        """The schema of a tool's arguments, and which of them are files."""
        endpoint = server.tool_to_endpoint.get(name)
        if endpoint is None:
            raise ValueError(f"There is no tool {name!r}; list the tools to see which there are.")
        parameters = server.api_info["named_endpoints"][endpoint]["parameters"]
        return schema_of(parameters, described or {}), files_of(parameters)

    def get_fn_description(event: Any, name: str) -> tuple[str, dict[str, str]]:
        """What a tool does, and the meaning of each argument."""
        text, described, _ = get_function_description(event.fn)
        return text + (HOW if get_input_schema(name)[1] else ""), {**meanings, **described}

    async def last(job: Any) -> list[Any]:
        """The outputs of a job, the last ones where it yields several times."""
        result = await asyncio.to_thread(job.result)
        several = job.outputs()
        return [several[-1] if several else result]

    replaced = {
        "get_input_schema": get_input_schema,
        "get_fn_description": get_fn_description,
        "convert_strings_to_filedata": arguments,
        "postprocess_output_data": content,
        "_execute_tool_without_progress": last,
    }
    for name, function in replaced.items():
        if not callable(getattr(server, name, None)):
            raise RuntimeError(f"Gradio's server of tools has no {name}; its version is not supported.")
        setattr(server, name, function)


def schema_of(parameters: list[Any], described: Mapping[str, str]) -> dict[str, Any]:
    """JSON Schema of the arguments of an endpoint, as :meth:`gradio.Blocks.get_api_info` lists them.

    What only a person can give in the page, a painted image, is left out.
    """
    properties, required = {}, []
    for each in parameters:
        name, optional = each["parameter_name"], each["parameter_has_default"]
        schema = _schema(each)
        if schema is None:
            continue
        text = ": ".join(filter(None, (described.get(name, ""), schema.pop("description", ""))))
        default = {"default": each["parameter_default"]} if optional and each["parameter_default"] else {}
        shape = {"anyOf": [schema, {"type": "null"}]} if optional else schema
        properties[name] = {**shape, "description": text, **default}
        required += [] if optional else [name]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def files_of(parameters: list[Any]) -> list[str]:
    """The names of the arguments that are files, or lists of them."""
    return [each["parameter_name"] for each in parameters if each["component"] in ("Image", "Gallery", "File")]


def _schema(parameter: Mapping[str, Any]) -> dict[str, Any] | None:
    kind, given = parameter["component"], parameter["type"]
    if kind == "Imageeditor":
        return None
    if kind == "Json":
        return dict(CLICKS)
    if kind == "Image" or (kind == "File" and given.get("type") != "array"):
        return dict(FILE)
    if kind in ("Gallery", "File"):
        return {"type": "array", "items": {"type": "string"}, "description": f"a list; each {FILE['description']}"}
    return dict(given)


def arguments(given: Any, files: list[Any]) -> dict[str, Any]:
    """The arguments of a call as ``gradio_client`` takes them; those that are None are left out.

    Raises :class:`gradio.Error` for a file that was not uploaded here, and for anything that names a file where none
    is taken: ``gradio_client`` would upload a file of this machine by its path.
    """
    made = {}
    for name, value in given.items():
        if value is None:
            continue
        if name in files:
            made[name] = [_file(each) for each in value] if isinstance(value, list) else _file(value)
        else:
            made[name] = _plain(value)
    return made


def _file(text: Any) -> Any:
    if not isinstance(text, str):
        raise gr.Error(MESSAGE, print_exception=False)
    if not text.startswith("data:"):
        return handle_file(str(uploaded(text)))
    start = DATA_URL.match(text)
    if start is None:
        raise gr.Error("A data: URL has no base64; give data:image/png;base64,...", print_exception=False)
    try:
        content = base64.b64decode(text[start.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise gr.Error("A data: URL is damaged; give it again.", print_exception=False) from None
    ending = mimetypes.guess_extension(start[1] or "") or ".bin"
    return handle_file(save_bytes_to_cache(content, f"file{ending}", get_upload_folder()))


def _plain(value: Any) -> Any:
    """``value``, in which no file is named."""
    if isinstance(value, dict):
        raise gr.Error(MESSAGE, print_exception=False)
    return [_plain(each) for each in value] if isinstance(value, list) else value


def content(outputs: Any, root_url: str) -> list[types.TextContent | types.ImageContent]:
    """The outputs of an endpoint: images as images with their addresses, data as JSON, and the rest as text."""
    outputs = outputs[0] if len(outputs) == 1 and isinstance(outputs[0], list | tuple) else outputs
    found: list[types.TextContent | types.ImageContent] = []
    for output in add_root_url(list(outputs), root_url, None):
        if isinstance(output, dict) and output.get("__type__") == "update":  # of a component that is changed too
            output = output.get("value")
        if output is None or output == "":
            continue
        image = _image(output)
        found += [] if image is None else [image]
        text = output if isinstance(output, str) else to_json(_addresses(output))
        found.append(types.TextContent(type="text", text=text))
    return found


def _image(output: Any) -> types.ImageContent | None:
    """The image behind a file of the server; None for what is no image, or too large."""
    kind = mimetypes.guess_type(str(output.get("path")))[0] if isinstance(output, dict) else None
    if kind is None or not kind.startswith("image/"):
        return None
    try:
        data = uploaded(output["path"]).read_bytes()
    except (gr.Error, OSError):
        return None
    if len(data) > MAX_IMAGE_BYTES:
        return None
    return types.ImageContent(type="image", data=base64.b64encode(data).decode(), mimeType=kind)


def _addresses(value: Any) -> Any:
    """``value`` with each file reduced to its name and its address."""
    if isinstance(value, dict):
        if "path" in value and "url" in value:
            return {"file": value.get("orig_name") or Path(str(value["path"])).name, "url": value["url"]}
        return {name: _addresses(each) for name, each in value.items()}
    return [_addresses(each) for each in value] if isinstance(value, list | tuple) else value
