"""One HTML file about a run, or about two runs of the same episodes.

Best, worst and random cases as images, a histogram of IoU and the classes; of two runs the cases where they differ
most, and a paired test.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipseg.cli import _files, score
from ipseg.core.types import SettingError
from ipseg.evaluation.runs import Run
from ipseg.studies import report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg report``."""
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="the folders of one or two runs")
    parser.add_argument("--out", metavar="FILE", type=Path, default=Path("report.html"), help="the HTML file")
    parser.add_argument("--cases", metavar="N", type=int, default=report.CASES, help="cases of each kind")
    parser.add_argument("--draw-seed", metavar="N", type=int, default=0, help="of the random cases")
    score.add_scoring(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score, draw, write."""
    if len(arguments.runs) > 2:
        raise SettingError(f"There are {len(arguments.runs)} runs; give one or two.")
    if arguments.cases < 1:
        raise SettingError(f"--cases is {arguments.cases}; give 1 or more.")
    examined = [
        report.examine(Run.open(folder), data=arguments.data, scale=arguments.scale) for folder in arguments.runs
    ]
    _files.write(arguments.out, report.html(*examined, cases=arguments.cases, seed=arguments.draw_seed))
    print(f"The report is in {arguments.out}.")
    return 0
