"""Serving the page: the arguments of ``app.py``, the engine pool that they describe, and the launch."""

from __future__ import annotations

import argparse
import atexit
import os
import signal
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ipseg import weights
from ipseg.core.types import SettingError
from ipseg.engine import hardware, zerogpu
from ipseg.engine.placement import DTYPES, MODES, Placement
from ipseg.engine.presets import BEST, BEST_ORDER, DEFAULT, FALLBACK, PRESETS
from ipseg.engine.spec import PRESET_CHOICES, EngineSpec
from ipseg.ui import build
from ipseg.ui.server import storage, tools
from ipseg.ui.server.busy import Busy
from ipseg.ui.server.gate import Gate, hosts_of, is_loopback
from ipseg.ui.server.limits import ONE, Limits
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.server.preview import Preview
from ipseg.ui.server.requests import Requests
from ipseg.ui.server.sessions import MOST as MOST_SESSIONS
from ipseg.ui.server.sessions import Sessions
from ipseg.ui.widgets.arguments import MEANINGS
from ipseg.ui.widgets.examples import contact_sheet
from ipseg.ui.widgets.theme import CSS, theme


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse ``given``, by default ``sys.argv[1:]``.

    Exits with code 2 and an error message for wrong usage.
    """
    parser = argparse.ArgumentParser(description="The ipseg demo: two images in, a mask out.")
    add_arguments(parser)
    chosen = parser.parse_args(given)
    try:
        check(chosen)
    except SettingError as error:
        parser.error(str(error))
    return chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How the page is served.

    HOST, PORT and PRESET of the environment are the defaults, then Gradio's variables, then those of a Space.
    """
    _add_engine(parser)
    _add_address(parser)
    _add_limits(parser)
    parser.add_argument("--mcp", action="store_true", help="offer every action as a tool of the Model Context Protocol")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    """The engine of the first page load, and where its models are and run."""
    parser.add_argument(
        "--preset",
        choices=PRESET_CHOICES,
        default=_setting("PRESET", default="") or None,
        help=f"the engine of the first page load (default: {DEFAULT}, and {FALLBACK} where its weights are absent; "
        "best on a Space with a GPU); best: the best that can run here",
    )
    parser.add_argument(
        "--weights-dir", metavar="DIR", type=Path, default=_own_weights(), help="a folder of weights brought by hand"
    )
    parser.add_argument("--placement", choices=MODES, default="auto", help="where models run")
    parser.add_argument("--dtype", choices=DTYPES, default="auto", help="of the models' heavy parts")


def _add_address(parser: argparse.ArgumentParser) -> None:
    """Where the page is, and who may open it."""
    host = _setting("HOST", "GRADIO_SERVER_NAME", default="0.0.0.0" if is_space() else "127.0.0.1")  # noqa: S104
    port = _setting("PORT", "GRADIO_SERVER_PORT", default="7860")
    parser.add_argument("--host", default=host, help="address to listen on")
    parser.add_argument("--port", type=int, default=port, help="port to listen on")
    parser.add_argument(
        "--allowed-host",
        metavar="NAME",
        action="append",
        default=[],
        help="another host name of the page, such as that of a reverse proxy; may be repeated",
    )
    parser.add_argument("--share", action="store_true", help="a public address for 72 hours, through Gradio's servers")
    parser.add_argument(
        "--auth", metavar="USER:PASSWORD", default=os.environ.get("AUTH"), help="ask visitors for these"
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    """What visitors may cause, and how much at once."""
    parser.add_argument(
        "--fetch",
        action=argparse.BooleanOptionalAction,
        help="whether a visitor may have weights downloaded here, but never through a proxy; by default only where the "
        "page is local",
    )
    parser.add_argument(
        "--precompute",
        action=argparse.BooleanOptionalAction,
        default=_setting("PRECOMPUTE", default="1") != "0",
        help="compute the examples in the background once the page is open; PRECOMPUTE=0 is --no-precompute",
    )
    parser.add_argument(
        "--max-queue", metavar="N", type=int, default=32, help="requests that may wait; more get an error message"
    )
    parser.add_argument(
        "--max-seconds",
        metavar="N",
        type=float,
        default=ONE,
        help="time limit of a request; ten times that for a comparison, gallery, batch, clip or labelling",
    )


def engine_pool(chosen: argparse.Namespace) -> EnginePool:
    """The engines as the arguments describe them; none is loaded yet."""
    with weights.using(chosen.weights_dir):
        wanted = chosen.preset or (BEST if is_space() and (zerogpu.lent() or hardware.gpu_memory() > 0) else None)
        if zerogpu.lent():
            _fetch_weights(BEST_ORDER[0] if wanted == BEST else wanted or DEFAULT)
        preset, reason = _preset(wanted)
    local = _is_local(chosen.host, chosen.share)
    return EnginePool(
        EngineSpec(preset),
        reason=reason,
        weights_dir=chosen.weights_dir,
        placement=Placement(chosen.placement, dtype=chosen.dtype),
        fetches=local if chosen.fetch is None else chosen.fetch,
        limits=Limits(chosen.max_seconds),
        precompute=chosen.precompute,
    )


def _preset(wanted: str | None) -> tuple[str, str]:
    """The preset of the first page load, and why it is that one where it is not named."""
    if wanted is None:
        return hardware.default()
    return hardware.best() if wanted == BEST else (wanted, "")


def page(pool: EnginePool, chosen: argparse.Namespace) -> gr.Blocks:
    """The page over these engines. Its ``launch``, however it is called, serves it with every check and bound.

    ``launch`` takes the keyword arguments of :meth:`gradio.Blocks.launch` and, where one is absent or None, what
    ``chosen`` says; those of ``LIMITS`` it does not take. Served in any other way, such as mounted in another
    application, the page raises RuntimeError at its start.
    """
    folder = private_folder()
    demo = build(pool, max_queue=chosen.max_queue)
    demo.delete_cache = None  # the sweep does it
    start, guarded = demo.run_startup_events, threading.Event()

    def run_startup_events() -> None:
        if not guarded.is_set():
            raise RuntimeError("This page is served with its own launch(); other ways leave out its checks.")
        if demo.mcp_server_obj is not None:
            tools.mend(demo.mcp_server_obj, MEANINGS)
        start()

    def launch(**given: Any) -> Any:
        guarded.set()
        return _launch(demo, pool, chosen, folder, given)

    # On the instance: Gradio writes a file beside the source of every subclass.
    vars(demo).update(launch=launch, run_startup_events=run_startup_events)
    return demo


def private_folder() -> Path:
    """The folder for all files of this process, from now on. Call it before a component is made.

    It has mode 0700, lies in GRADIO_TEMP_DIR, else in the system's temporary folder, and goes with the process.
    """
    used = Path(tempfile.tempdir or "")
    if used.name.startswith(storage.PREFIX) and used.is_dir():  # the file of the page was read a second time
        return used
    folder, _ = storage.make()
    storage.use(folder)
    atexit.register(storage.remove, folder)
    return folder


TEXTS = {
    "common.complete": "Done",  # what a screen reader says after a request
    "common.upload": "Upload",
    "common.video": "Video",
    "common.webcam": "Take a photo with the webcam",
    "image.no_webcam_support": "This browser gives no access to a webcam.",
}
"""Texts that Gradio's page asks for and its translations lack, in every language: English is what it falls back to."""

# Of Gradio's arguments: what is fixed, whatever a caller gives.
LIMITS: dict[str, Any] = {
    "max_file_size": "64mb",
    "run_history": False,
    "ssr_mode": False,  # its server stands before the checks
    "state_session_capacity": MOST_SESSIONS,
    "max_threads": 8,  # each thread has memory of its own
}


def _launch(
    demo: gr.Blocks, pool: EnginePool, chosen: argparse.Namespace, folder: Path, given: Mapping[str, Any]
) -> Any:
    """Serve the page. Where the call lasts until the page is stopped, by Ctrl+C or SIGTERM, its files are removed."""
    named = launch_arguments(demo, chosen, given)
    if demo._is_running_in_reload_thread:  # Gradio serves it in place of the page before it
        return type(demo).launch(demo, **named)
    if chosen.fetch is None and not _is_local(named["server_name"], named["share"]):
        pool.fetches = False
    print(f"ipseg, engine: {pool.first.preset}. Open http://{named['server_name']}:{named['server_port']} - "
          "Ctrl+C stops it.", flush=True)  # fmt: skip
    if pool.reason:
        print(pool.reason, flush=True)
    pool.ready()
    sweep = storage.sweep_for(demo, folder, max(storage.MAX_SECONDS, pool.limits.many + 600))
    sweep.start()
    _end_on_sigterm()
    try:
        return type(demo).launch(demo, **named)
    finally:
        if not _is_served(demo):
            sweep.stop()
            storage.remove(folder)


def launch_arguments(demo: gr.Blocks, chosen: argparse.Namespace, given: Mapping[str, Any]) -> dict[str, Any]:
    """What Gradio's ``launch`` is called with: what a caller gives, else what ``chosen`` says, and the checks.

    Raises ValueError for what the checks could not see or could not be added to.
    """
    named: dict[str, Any] = {
        "server_name": chosen.host,
        "server_port": chosen.port,
        "theme": theme(),
        "css": CSS,
        "footer_links": ["api"],
        "i18n": gr.I18n(en=TEXTS),
        "share": chosen.share,
        "auth": tuple(chosen.auth.split(":", 1)) if chosen.auth else None,
        "mcp_server": chosen.mcp,
        "quiet": True,
        **{name: value for name, value in given.items() if value is not None},
    }
    unusable = sorted({"_app", "auth_dependency"} & named.keys())
    if unusable:
        raise ValueError(f"launch() of this page does not take {' or '.join(unusable)}; give auth for a login.")
    if named["auth"] and named["mcp_server"]:
        raise ValueError("mcp_server and auth do not go together: the protocol's tools know no login; give one.")
    app = dict(named.pop("app_kwargs", {}))
    hosts = hosts_of(named["server_name"], share=bool(named["share"]), allowed=chosen.allowed_host)
    app["middleware"] = [  # what every request passes before Gradio handles it, the outermost first
        (Gate, (), {"hosts": hosts, "login": bool(named["auth"])}),
        (Sessions, (), {"page": demo}),
        (Busy, (), {"most": chosen.max_queue}),
        (Requests, (), {"page": demo}),
        (Preview, (), {"image": contact_sheet()}),
        *app.get("middleware", []),
    ]
    return {**named, **LIMITS, "app_kwargs": app}


def _is_local(host: str, share: bool) -> bool:
    """Whether the page reaches nobody but people on this machine, unless a proxy stands before it."""
    return is_loopback(host) and not (share or is_space())


def _end_on_sigterm() -> None:
    """SIGTERM ends the page as Ctrl+C does: it closes, and its files are removed."""
    if os.environ.get("GRADIO_WATCH_DIRS"):  # Gradio's reload mode ends its own threads
        return
    if threading.current_thread() is not threading.main_thread():  # which alone may set it
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _interrupted)


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def _is_served(demo: gr.Blocks) -> bool:
    """Whether the page goes on in a thread of its own."""
    return demo.is_running and demo.server is not None and demo.server.thread.is_alive()


def is_space() -> bool:
    """Whether this is a Hugging Face Space; the Hub sets SPACE_ID there."""
    return bool(os.environ.get("SPACE_ID"))


def _own_weights() -> Path | None:
    """The folder of weights that is part of a Space, unless IPSEG_WEIGHTS_DIR names another one."""
    folder = Path(__file__).resolve().parents[2] / "weights"
    return folder if is_space() and folder.is_dir() and not os.environ.get("IPSEG_WEIGHTS_DIR") else None


def _setting(*names: str, default: str) -> str:
    """The first of these environment variables that is not empty."""
    return next(filter(None, map(os.environ.get, names)), default)


def check(chosen: argparse.Namespace) -> None:
    """Raise :class:`SettingError` for arguments that are out of range or do not go together."""
    user, _, password = (chosen.auth or "x:x").partition(":")
    if not user or not password:
        raise SettingError("--auth wants a user and a password with a colon between them, as in --auth ada:secret.")
    if chosen.auth and chosen.mcp:
        raise SettingError("--mcp and --auth do not go together: the protocol's tools know no login; give one of them.")
    if chosen.max_queue < 1:
        raise SettingError(f"--max-queue is {chosen.max_queue}; give 1 or more.")
    if not 1 <= chosen.max_seconds <= 86_400:
        raise SettingError(f"--max-seconds is {chosen.max_seconds:g}; give 1 to 86400, which is a day.")


def _fetch_weights(preset: str) -> None:
    """Download the missing weights of a preset before the page is served; what fails is printed."""
    for name in PRESETS[preset].weights:
        if weights.find(name) is not None:
            continue
        try:
            weights.fetch(name)
        except weights.WeightError as error:
            print(error, flush=True)
