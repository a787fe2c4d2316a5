"""The demo: ``python app.py``. The page itself is ``ipseg/ui``. On a Hugging Face Space it finds its own settings."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ipseg.engine import zerogpu
from ipseg.engine.choice import pick
from ipseg.engine.options import Options
from ipseg.engine.placement import DTYPES, MODES, Placement
from ipseg.engine.presets import PRESETS
from ipseg.ui import build
from ipseg.ui._busy import Busy
from ipseg.ui._limits import ONE, Limits
from ipseg.ui._pool import EnginePool
from ipseg.ui._theme import CSS, theme

LOCAL = ("127.0.0.1", "localhost", "::1")
SPACE = bool(os.environ.get("SPACE_ID"))  # the Hub names every Space so


def setting(*names: str, default: str) -> str:
    """The first of these variables of the environment that says something."""
    return next(filter(None, map(os.environ.get, names)), default)


def arguments() -> argparse.Namespace:
    """What can be set; HOST, PORT and PRESET of the environment are the defaults, then Gradio's, then a Space's."""
    parser = argparse.ArgumentParser(description="The ipseg demo: two images in, a mask out.")
    preset = setting("PRESET", default="best" if SPACE else "offline")
    host = setting("HOST", "GRADIO_SERVER_NAME", default="0.0.0.0" if SPACE else "127.0.0.1")  # noqa: S104 - its door
    port = setting("PORT", "GRADIO_SERVER_PORT", default="7860")
    choices = [*PRESETS, "best"]
    parser.add_argument(
        "--preset", choices=choices, default=preset, help="which engine answers first; best: of those here"
    )
    parser.add_argument("--host", default=host, help="address to listen on")
    parser.add_argument("--port", type=int, default=port, help="port to listen on")
    parser.add_argument("--weights-dir", metavar="DIR", type=Path, help="a folder of weights brought by hand")
    parser.add_argument("--placement", choices=MODES, default="auto", help="where models run")
    parser.add_argument("--dtype", choices=DTYPES, default="auto", help="of the models' heavy parts")
    parser.add_argument(
        "--fetch",
        action=argparse.BooleanOptionalAction,
        help="whether a visitor may have weights downloaded here; by default only where the page is local",
    )
    parser.add_argument("--share", action="store_true", help="a public address for 72 hours, through Gradio's servers")
    parser.add_argument(
        "--auth", metavar="USER:PASSWORD", default=os.environ.get("AUTH"), help="ask visitors for these"
    )
    parser.add_argument(
        "--max-queue", metavar="N", type=int, default=32, help="questions that may wait; more get a word"
    )
    parser.add_argument(
        "--max-seconds",
        metavar="N",
        type=float,
        default=ONE,
        help="time limit of a question; ten times that for a comparison, gallery, batch or clip",
    )
    parser.add_argument("--mcp", action="store_true", help="offer every action as a tool of the Model Context Protocol")
    return _checked(parser, parser.parse_args())


def _checked(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> argparse.Namespace:
    user, _, password = (chosen.auth or "x:x").partition(":")
    if not user or not password:
        parser.error("--auth wants a user and a password with a colon between them, as in --auth ada:secret.")
    if chosen.max_queue < 1:
        parser.error(f"--max-queue is {chosen.max_queue}; give 1 or more.")
    if not 1 <= chosen.max_seconds <= 86_400:
        parser.error(f"--max-seconds is {chosen.max_seconds:g}; give 1 to 86400, which is a day.")
    return chosen


def pool(chosen: argparse.Namespace) -> EnginePool:
    """The engines as the command line describes them; none is loaded yet."""
    from ipseg import weights

    with weights.using(chosen.weights_dir):
        if zerogpu.lent():
            bring("paper" if chosen.preset == "best" else chosen.preset)
        preset, reason = pick() if chosen.preset == "best" else (chosen.preset, "")
    return EnginePool(
        Options(preset),
        reason=reason,
        weights_dir=chosen.weights_dir,
        placement=Placement(chosen.placement, dtype=chosen.dtype),
        fetches=chosen.host in LOCAL and not (chosen.share or SPACE) if chosen.fetch is None else chosen.fetch,
        limits=Limits(chosen.max_seconds),
    )


def bring(preset: str) -> None:
    """Fetch what a preset lacks, before the page is there; where that cannot be, another one answers."""
    from ipseg import weights

    for name in PRESETS[preset].weights:
        if weights.find(name) is not None:
            continue
        try:
            weights.fetch(name)
        except weights.WeightError as error:
            print(error, flush=True)


def main() -> None:
    """Build the page, say where it is, and serve it until it is stopped."""
    chosen = arguments()
    made = pool(chosen)
    print(f"ipseg, engine: {made.first.preset}. Open http://{chosen.host}:{chosen.port} - Ctrl+C stops it.", flush=True)
    if made.reason:
        print(made.reason, flush=True)
    made.ready()
    build(made, max_queue=chosen.max_queue).launch(
        server_name=chosen.host,
        server_port=chosen.port,
        theme=theme(),
        css=CSS,
        footer_links=["api"],
        max_file_size="64mb",
        run_history=False,
        ssr_mode=False,
        app_kwargs={"middleware": [(Busy, (), {"most": chosen.max_queue})]},
        max_threads=8,  # each thread keeps memory of its own
        share=chosen.share,
        auth=tuple(chosen.auth.split(":", 1)) if chosen.auth else None,
        mcp_server=chosen.mcp,
        quiet=True,
    )


if __name__ == "__main__":
    main()
