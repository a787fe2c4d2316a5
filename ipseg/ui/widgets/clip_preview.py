"""Below a field of files: the first frame of each clip among them, as a browser shows none of many formats."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg.batch import clips
from ipseg.core.types import ImageArray, InputError
from ipseg.ui.widgets.images import encode_jpeg, shown

SHOWN, SIDE = 4, 320  # clips, and pixels of the longer side of a frame


def below(files: gr.File, name: str) -> gr.HTML:
    """The first frames of the clips in ``files``, where it is called. ``name``: the id of the element."""
    frames = gr.HTML(elem_id=name, elem_classes=["file-count"], container=False, padding=False)
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last"}
    files.change(first_frames, files, frames, concurrency_id="clip-preview", concurrency_limit=2, **quiet)
    return frames


def first_frames(files: Sequence[str] | str | None) -> str:
    """The first frames of the first clips, as HTML; what is no clip, or cannot be read, is left out."""
    paths = [Path(each) for each in ([files] if isinstance(files, str) else files or ())]
    found = [(path.name, frame) for path in paths[:100] if (frame := _first_frame(path)) is not None][:SHOWN]
    if not found:
        return ""
    tiles = "".join(_tile(name, frame) for name, frame in found)
    return f'<p>First frame{"s" * (len(found) > 1)}</p><div class="thumbs of-clips">{tiles}</div>'


def _first_frame(path: Path) -> ImageArray | None:
    try:
        return next(clips.frames(clips.open_clip(path)), None) if clips.is_clip(path) else None
    except InputError:  # which the request says
        return None


def _tile(name: str, frame: ImageArray) -> str:
    data = base64.b64encode(encode_jpeg(shown(frame, SIDE), quality=80)).decode()
    title = html.escape(name)
    return f'<img src="data:image/jpeg;base64,{data}" alt="The first frame of {title}" title="{title}">'
