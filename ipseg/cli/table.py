"""Runs as a table: one row per run, or a table of the paper with its figures beside ours.

Tables name protocol, scale and prompts. A row of the paper without a run says "not measured".
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipseg.cli import score
from ipseg.core.types import SettingError
from ipseg.evaluation import published, results, tables
from ipseg.evaluation.runs import Run
from ipseg.evaluation.tables import Measured, Table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg table``."""
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="*", help="folders of runs, or folders that hold runs")
    parser.add_argument("--paper", metavar="N", choices=published.TABLES, help="a table of the paper, 1 to 8")
    parser.add_argument("--format", choices=tables.FORMATS, default="markdown", help="of the table")
    score.add_scoring(parser)


def run(arguments: argparse.Namespace) -> int:
    """Score and print."""
    if not arguments.runs and not arguments.paper:
        raise SettingError("There is no run; give the folders of runs, or a table of the paper with --paper.")
    folders = [found for folder in arguments.runs for found in runs_in(folder)]
    measured = [measure(Run.open(folder), arguments.data, arguments.scale) for folder in folders]
    print(table_of(measured, arguments.paper).render(arguments.format), end="")
    return 0


def runs_in(folder: Path) -> list[Path]:
    """The folder itself, or those in it that are runs, sorted; itself where there is none."""
    if (folder / "run.json").is_file():
        return [folder]
    return sorted(path.parent for path in folder.glob("*/run.json")) or [folder]


def measure(opened: Run, data: Path | None = None, scale: int | None = None) -> Measured:
    """A run with its score."""
    return Measured(opened, results.score_run(opened, data=data, scale=scale))


def table_of(measured: list[Measured], paper: str | None) -> Table:
    """The table of the paper, or one row per run."""
    return tables.of_paper(paper, measured) if paper else tables.of_runs(measured)
