"""Show what is saved on this disk so that it is not computed twice, or remove it.

The results of the galleries and of the ablation are saved below XDG_CACHE_HOME, else ~/.cache; each folder holds at
most 2 GiB, of which what was not used for longest is removed first. `ipseg cache clear` removes all of them. Weights,
the record of their hashes, and what a run writes into its own --output or --runs stay.
"""

from __future__ import annotations

import argparse

from ipseg.core import store
from ipseg.weights import readable_size


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg cache``."""
    parser.add_argument("action", nargs="?", choices=("show", "clear"), default="show", help="what to do")


def run(arguments: argparse.Namespace) -> int:
    """Print one line for each folder. Raises :class:`~ipseg.core.store.OutputError` when a file cannot be removed."""
    for name in store.RESULTS:
        folder = store.folder(name)
        files, size = store.usage(folder)
        if arguments.action == "clear":
            print(f"{name}: {_size(store.clear(folder))} removed from {folder}")
        else:
            print(f"{name}: {files} file{'s' * (files != 1)}, {_size(size)} of {_size(store.MAX_BYTES)}, {folder}")
    return 0


def _size(size: int) -> str:
    return readable_size(size) if size >= 1e6 else f"{size / 1e3:.0f} kB"
