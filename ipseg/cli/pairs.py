"""Save the list of a dataset's episodes, with the rule that drew them and the hashes of the annotation files.

The same files give the same list on every machine; `--pairs FILE` of the commands that predict checks a dataset
against a list before anything is predicted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipseg.cli import _dataset, _files
from ipseg.core.serialize import to_json
from ipseg.evaluation import pair_lists


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg pairs``."""
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="the list, JSON")
    _dataset.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Draw and write."""
    listed = pair_lists.make(_dataset.build(arguments))
    _files.make_folder(arguments.out.parent)
    _files.write(arguments.out, to_json(listed, indent=1) + "\n", "choose another --out")
    print(f"{len(listed['episodes'])} pairs with the digest {listed['digest']} are in {arguments.out}.")
    return 0
