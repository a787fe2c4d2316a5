"""One HTML file about the labels that `ipseg label` wrote.

Per class the images with the lowest scores first, instances outlined and numbered; counts, histograms of the scores,
classes that are confused with each other, images without an instance, and errors. Labels that were corrected count.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipseg.annotations.labels import LabelFolder
from ipseg.cli import _files
from ipseg.core.types import SettingError
from ipseg.labelling.review import draw, report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg review``."""
    parser.add_argument("labels", metavar="DIR", type=Path, help="the folder of labels")
    parser.add_argument("--images", metavar="FOLDER", type=Path, help="where the images are, if they were moved")
    parser.add_argument("--output", metavar="FILE", type=Path, default=Path("report.html"), help="the HTML file")
    parser.add_argument("--cases", metavar="N", type=int, default=report.CASES, help="most images of each class")


def run(arguments: argparse.Namespace) -> int:
    """Read, draw, write."""
    if arguments.cases < 1:
        raise SettingError(f"--cases is {arguments.cases}; give 1 or more.")
    if arguments.images is not None and not arguments.images.exists():
        raise SettingError(f"--images {arguments.images} does not exist; give the folder or zip of the images.")
    labels = LabelFolder.open(arguments.labels)
    _files.write(arguments.output, report.html(labels, draw.opener(arguments.images), cases=arguments.cases))
    print(f"The report is in {arguments.output}.")
    return 0
