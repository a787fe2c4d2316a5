"""The command line: ``python -m ipseg COMMAND``. Commands are the files of ``ipseg/cli/``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ipseg.core import plugins, resources
from ipseg.core.resources import ResourceError
from ipseg.core.types import InputError
from ipseg.version import __version__

EPILOG = """examples:
  python -m ipseg segment mug.jpg table.jpg --output mask.png
  python -m ipseg segment mug.jpg images/*.jpg --output masks --overlay --json masks.json
  python -m ipseg compare mug.jpg table.jpg --methods ipseg,persam --output out
  python -m ipseg batch mug.jpg images.zip --output out
  python -m ipseg evaluate examples_media
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
    """Run one command. 0: all went well; 1: some images failed, each with a message; 2: wrong usage."""
    given = sys.argv[1:] if arguments is None else [str(argument) for argument in arguments]
    command = next((argument for argument in given if not argument.startswith("-")), "")
    parsed = parser(command).parse_args(given)
    try:
        with resources.named():
            return int(parsed.run(parsed))
    except ResourceError as error:
        print(f"ipseg: {error}", file=sys.stderr)
        return 1
    except InputError as error:
        print(f"ipseg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ipseg: stopped.", file=sys.stderr)
        return 130


class _Formatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    def _get_help_string(self, action: argparse.Action) -> str | None:
        """A default that says nothing is not printed."""
        return super()._get_help_string(action) if action.default else action.help


if __name__ == "__main__":
    sys.exit(main())
