"""Error messages as visitors get them: without the folders of the server."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

from gradio.utils import get_upload_folder

# An absolute path up to its last part; not a URL, and not the second half of "and/or" or of "owner/name".
FOLDERS = re.compile(r"(?<![\w.:/\\~])(?:~?/|[A-Za-z]:[\\/]|\\\\)(?=[^\s/])(?:[^\s/\\:;,\"'<>()`]+[\\/])*")


def without_folders(text: str, more: Iterable[str | os.PathLike[str] | None] = ()) -> str:
    """``text`` with each absolute path in it reduced to its last part.

    ``more``: folders that may appear in the text and whose names may hold spaces, beside those of this process.
    """
    own = (get_upload_folder(), tempfile.gettempdir(), Path.home(), Path.cwd(), Path(__file__).parents[3])
    for folder in sorted({str(each).rstrip("/\\") for each in (*own, *more) if each}, key=len, reverse=True):
        if folder:
            text = text.replace(f"{folder}{os.sep}", "/folder/").replace(folder, "/folder")
    return FOLDERS.sub("", text)
