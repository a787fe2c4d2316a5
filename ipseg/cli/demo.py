"""Open the page: an image of an object and an image to search in, a mask out.

It is served at the printed address until it is stopped with Ctrl+C. HOST, PORT, PRESET and AUTH of the environment
are the defaults of their arguments.
"""

from __future__ import annotations

import argparse
from contextlib import suppress

from ipseg.ui import serving


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg demo``: those of ``app.py``, and whether a browser opens."""
    serving.add_arguments(parser)
    parser.add_argument("--browser", action="store_true", help="open the page in the browser of this machine")


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until it is stopped; 0. Raises SettingError for arguments that do not go together."""
    serving.check(arguments)
    page = serving.page(serving.engine_pool(arguments), arguments)
    with suppress(KeyboardInterrupt):  # it may come before the page waits for it
        page.launch(inbrowser=arguments.browser)
    return 0
