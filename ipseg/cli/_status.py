"""What commands share about the three states: their two arguments, and the state in words."""

from __future__ import annotations

import argparse

from ipseg.core.status import Status
from ipseg.core.types import Mask
from ipseg.method.config import Parameters


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--threshold`` and ``--reject-threshold``."""
    parser.add_argument(
        "--threshold", metavar="SCORE", type=float, help="detected from this score on (0 to 1; default: the preset's)"
    )
    parser.add_argument(
        "--reject-threshold",
        metavar="SCORE",
        type=float,
        help="not detected below this score, uncertain from it to --threshold (default: the preset's)",
    )


def parameters(arguments: argparse.Namespace) -> Parameters:
    """``--k``, ``--clusters`` and the two thresholds.

    Raises SettingError for what no engine takes; whether one threshold fits the preset's other, the engine checks.
    """
    return Parameters(arguments.k, arguments.clusters, arguments.threshold, arguments.reject_threshold)


def words(status: Status, mask: Mask) -> str:
    """The state, and what share of the image the (H, W) mask covers where there is an answer."""
    return f"{status.words}, {mask.mean():.1%} of the image" if status.has_mask else status.words
