"""The command line: ``python -m ipseg COMMAND``. Commands are the files of ``ipseg/cli/``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipseg.core import plugins, resources
from ipseg.core.resources import ResourceError
from ipseg.core.store import OutputError
from ipseg.core.types import InputError
from ipseg.version import __version__

EPILOG = """examples, on the example images of the repository:
  ipseg weights fetch compact
  ipseg segment examples_media/Images/red_mug/00.jpg examples_media/Images/red_mug/02.jpg --output mask.png
  ipseg segment examples_media/Images/red_mug/00.jpg examples_media/Images/red_mug/0[1-4].jpg --output masks --overlay
  ipseg compare examples_media/Images/robot/00.jpg examples_media/Images/robot/02.jpg --output out
  ipseg batch examples_media/Images/red_mug/00.jpg examples_media/Images/red_mug --output out
  ipseg label examples_media examples_media/galleries/several/mugs.jpg --output dataset --format coco
  ipseg demo
"""


def complete_parser() -> argparse.ArgumentParser:
    """The parser with the arguments of every command, for the reference."""
    return parser(*plugins.names("cli"))


def parser(*imported: str) -> argparse.ArgumentParser:
    """The parser with the name and summary of every command; only those of ``imported`` get their arguments."""
    top = argparse.ArgumentParser(
        prog="ipseg",
        description="Show it one image of an object; get that object cut out of other images.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"ipseg {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in plugins.names("cli"):
        text = plugins.docstring("cli", name)
        sub = commands.add_parser(name, help=text.partition("\n")[0], description=text, formatter_class=_Formatter)
        if name in imported:
            module = plugins.module("cli", name)
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, and return its exit code.

    0: all went well; 1: some images failed, or files could not be written, each with a message; 2: wrong usage; 130:
    stopped by Ctrl+C; 143: ended by SIGTERM; 141: whoever read the output has gone. Of a run that ends early, what
    is done is saved.
    """
    given = sys.argv[1:] if arguments is None else [str(argument) for argument in arguments]
    command = next((argument for argument in given if not argument.startswith("-")), "")
    try:
        try:
            parsed = parser(command).parse_args(given)
            with _ended_by_sigterm(), resources.named():
                return int(parsed.run(parsed))
        except (InputError, ResourceError, OutputError, OSError, KeyboardInterrupt) as error:
            return _exit_code(error)
        finally:  # also where the parser or an error ends it
            sys.stdout.flush()
            sys.stderr.flush()
    except BrokenPipeError:
        for stream in (sys.stdout, sys.stderr):  # or it fails once more at the end of Python
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 141


def _exit_code(error: BaseException) -> int:
    """The exit code for what ended a command, with a message; raises an error that has none, as BrokenPipeError."""
    match error:
        case ResourceError() | OutputError():
            message, code = str(error), 1
        case InputError():
            message, code = str(error), 2
        case OSError(filename=str() | bytes() | os.PathLike()):  # a path that was given, such as one that is too long
            name = Path(os.fsdecode(error.filename)).name
            short = name if len(name) <= 60 else f"{name[:40]}…{name[-16:]}"
            message, code = f"{short} cannot be used ({error.strerror}); give another path.", 2
        case _TerminatedError():
            message, code = "ended by SIGTERM.", 128 + signal.SIGTERM
        case KeyboardInterrupt():
            message, code = "stopped.", 130
        case _:
            raise error
    print(f"ipseg: {message}", file=sys.stderr)
    return code


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM was sent to this process. It ends a run as Ctrl+C does: whoever handles that saves what is done."""


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """A block in which the first SIGTERM raises :class:`_TerminatedError`, and later ones have no effect."""

    def terminate(*_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is done is being saved
        raise _TerminatedError

    if threading.current_thread() is not threading.main_thread():  # it alone may set handlers
        yield
        return
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Formatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        """A default that says nothing is not printed."""
        return super()._get_help_string(action) if action.default else action.help


if __name__ == "__main__":
    sys.exit(main())
