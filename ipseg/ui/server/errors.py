"""Errors of the input and a lack of memory or disk space, each as one error message of the page and the API."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from ipseg.core import resources
from ipseg.core.types import InputError
from ipseg.ui.server.limits import Ended
from ipseg.ui.server.memory import give_back
from ipseg.ui.server.redaction import without_folders


@contextmanager
def error_messages() -> Iterator[None]:
    """Convert errors of the input to one error message of the page and the API, as text, never as HTML.

    Use it around a whole job: at the end free memory is returned to the system too.
    """
    try:
        with resources.named():
            yield
    except InputError as error:
        text = html.escape(without_folders(str(error)), quote=False)
        raise gr.Error(text, title="Please check", print_exception=False) from None
    except Ended as ended:
        raise gr.Error(str(ended), title="Stopped", print_exception=False) from None
    finally:
        give_back()


def name_shortages(page: gr.Blocks) -> None:
    """Convert a lack of memory or disk space anywhere in an event to one error message.

    Gradio reads and writes files before and after a handler, outside :func:`error_messages`. On the instance, as
    Gradio writes a file beside the source of every subclass.
    """
    inner: Any = page.process_api

    async def process_api(*given: Any, **named: Any) -> Any:
        try:
            return await inner(*given, **named)
        except gr.Error:
            raise
        except Exception as error:
            message = resources.message(error)
            if not message:
                raise
            raise gr.Error(message, title="Please check", print_exception=False) from None

    page.process_api = process_api
