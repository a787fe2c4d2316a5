"""The only way a file of a visitor reaches an event: it must lie in the folder into which this server puts uploads.

Gradio checks the path of a file only where the value names its type in ``meta``, and it does so component by component.
Here every value of every event is checked before Gradio handles it, whatever component takes it and whichever route it
came by: ``/run``, ``/call``, ``/queue/join``, a tool of the Model Context Protocol.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import gradio as gr
from gradio.utils import get_upload_folder

from ipseg.core import resources

# The same for a path that does not exist, a folder, a device, a file of the server and a URL: it discloses nothing.
MESSAGE = "A file was not uploaded to this page or is gone; give it as an upload, not as a path or URL."
WRONG_TYPE = "A value is not of the type that its input takes; give values as /gradio_api/info lists them."
META = {"_type": "gradio.FileData"}
FILE_ROUTE = "/gradio_api/file="
MAX_DEPTH = 16  # of lists and dictionaries in a value; the deepest that a component takes is 4


def _number(block: Any, value: Any) -> Any:
    """A value as it is; of a number field that was emptied, for which the browser may send "", None."""
    return None if value == "" and isinstance(block, gr.Number) else value


def guard(page: gr.Blocks) -> None:
    """Have every value of every event of ``page`` pass :func:`checked` before any component handles it.

    Functions of components that the browser may call are closed: they take values by another route, without bounds.
    """
    for component in page.blocks.values():
        for name in dir(type(component)):
            if getattr(getattr(type(component), name, None), "_is_server_fn", False):
                setattr(component, name, None)
    inner: Callable[..., Any] = page.preprocess_data

    async def preprocess_data(block_fn: Any, inputs: Any, state: Any, *more: Any, **named: Any) -> Any:
        values = [_number(block, checked(value)) for block, value in itertools.zip_longest(block_fn.inputs, inputs)]
        values = values[: len(inputs)]
        if state is not None:
            _restore(block_fn.inputs, state)
        try:
            return await inner(block_fn, values, state, *more, **named)
        except gr.Error:
            raise
        except Exception as error:
            if resources.message(error):
                raise
            raise gr.Error(WRONG_TYPE, title="Please check", print_exception=False) from error

    page.preprocess_data = preprocess_data


def checked(value: Any, depth: int = 0) -> Any:
    """``value``, a JSON value, with each file in it reduced to a checked path.

    Raises :class:`gradio.Error` with one message for every file that was not uploaded here.
    """
    if depth > MAX_DEPTH:
        raise _refusal()
    if isinstance(value, dict):
        if "path" in value or "url" in value:
            return {"path": str(uploaded(value.get("path"))), "meta": META}
        return {name: checked(each, depth + 1) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [checked(each, depth + 1) for each in value]
    return value


def uploaded(path: Any) -> Path:
    """The file behind the path of an upload, with every symbolic link resolved.

    The URL under which this server serves an upload is taken as its path; no URL is ever fetched. What lies elsewhere
    is not accessed. Raises :class:`gradio.Error` as :func:`checked` does.
    """
    if not isinstance(path, str):
        raise _refusal()
    if path.startswith(("http://", "https://")):
        path = unquote(path.partition(FILE_ROUTE)[2])
    folder = Path(os.path.abspath(get_upload_folder()))
    try:
        named, root = Path(os.path.abspath(path)), folder.resolve()
        if not path or not (named.is_relative_to(folder) or named.is_relative_to(root)):
            raise _refusal()
        found = named.resolve(strict=True)
        if not found.is_relative_to(root) or not stat.S_ISREG(found.stat().st_mode):
            raise _refusal()
    except (OSError, ValueError, RuntimeError):  # RuntimeError: a loop of links, before Python 3.13
        raise _refusal() from None
    return found


def _restore(components: Any, state: Any) -> None:
    """Where an event changed a component, Gradio makes a new one for the session; it gets our ``preprocess`` too."""
    for component in components:
        own = vars(component).get("preprocess")
        if own is not None and component._id in state:
            state[component._id].preprocess = own


def _refusal() -> gr.Error:
    return gr.Error(MESSAGE, title="Please check", print_exception=False)
