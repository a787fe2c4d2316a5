"""List the datasets that can be evaluated: where to get each, under which licence, and the layout of its folder."""

from __future__ import annotations

import argparse

from ipseg.core import plugins


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg datasets``."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", choices=plugins.names("datasets"), help="only this one, whole"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print one dataset or all."""
    print(described(arguments.name) if arguments.name else "\n\n".join(map(_short, plugins.names("datasets"))))
    return 0


def described(name: str) -> str:
    """A dataset with its layout, settings, source and licence."""
    module = plugins.module("datasets", name)
    layout = plugins.docstring("datasets", name).replace("::\n", "\n").replace("``", "").strip()
    return f"{layout}\n\nProtocol: {module.PROTOCOL.text}.\n{_where(module)}"


def _short(name: str) -> str:
    module = plugins.module("datasets", name)
    return f"{name}: {module.TITLE}\n{_where(module)}"


def _where(module: object) -> str:
    return f"  Source: {module.SOURCE}.\n  Licence: {module.LICENCE}."  # type: ignore[attr-defined]
