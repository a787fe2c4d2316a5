"""Score a run of `ipseg predict`: only its masks and the truths of its dataset are read.

Metrics are those of the dataset's protocol, in per cent, with the 95 % interval of a bootstrap.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipseg.core.serialize import to_json
from ipseg.evaluation import results
from ipseg.evaluation.runs import Run


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg score``."""
    parser.add_argument("run_folder", metavar="RUN", type=Path, help="the folder of the run")
    parser.add_argument("--json", action="store_true", help="as JSON, metrics in [0, 1]")
    add_scoring(parser)


def add_scoring(parser: argparse.ArgumentParser) -> None:
    """``--scale`` and ``--data``."""
    parser.add_argument(
        "--scale",
        metavar="PIXELS",
        type=int,
        help="squash masks and truths to a square first: 518 as Matcher, 1024 as GF-SAM and IPSeg (default: own size)",
    )
    parser.add_argument("--data", metavar="DIR", type=Path, help="the folder of the dataset, where it has moved")


def run(arguments: argparse.Namespace) -> int:
    """Score and print."""
    opened = Run.open(arguments.run_folder)
    found = results.score_run(opened, data=arguments.data, scale=arguments.scale)
    title = opened.record["title"]
    print(to_json({"method": title, **found.record()}, indent=2) if arguments.json else results.text(found, title))
    return 0
