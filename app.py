"""The demo: ``python app.py``. The page itself is ``ipseg/ui``."""

from __future__ import annotations

import argparse
import os

from ipseg.presets import PRESETS
from ipseg.ui import build
from ipseg.ui._look import CSS, theme


def arguments() -> argparse.Namespace:
    """What can be set; HOST and PORT of the environment are the defaults."""
    parser = argparse.ArgumentParser(description="The ipseg demo: two pictures in, a mask out.")
    parser.add_argument("--preset", choices=list(PRESETS), default="offline", help="which engine answers")
    parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="address to listen on")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "7860")), help="port to listen on")
    return parser.parse_args()


def main() -> None:
    """Build the page, say where it is, and serve it until it is stopped."""
    chosen = arguments()
    print(f"ipseg, engine: {chosen.preset}. Open http://{chosen.host}:{chosen.port} - Ctrl+C stops it.", flush=True)
    print("Packages of the paper's models (gigabytes; the engines are still to come): make demo-models", flush=True)
    build(chosen.preset).launch(
        server_name=chosen.host,
        server_port=chosen.port,
        theme=theme(),
        css=CSS,
        footer_links=["api"],
        max_file_size="64mb",
        run_history=False,
        ssr_mode=False,
        max_threads=8,  # each thread keeps memory of its own
        quiet=True,
    )


if __name__ == "__main__":
    main()
