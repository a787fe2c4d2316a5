"""Convert a labelled dataset: from the folder of `ipseg label` or another format to one or more formats.

In OUT: one folder for each --to. IN is recognised by its files where --from is not given. Reading yolo and labelme
needs the extra formats, voc and cvat the extra convert. What a format cannot hold is counted and printed, as is what is
left out: boxes without a mask, crowds.
Exit code: 0 all went well, 1 what is made cannot be written, 2 wrong usage or a dataset that cannot be read.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ipseg.annotations import formats, readers
from ipseg.method.config import check_threshold


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg convert``."""
    parser.add_argument("input", metavar="IN", type=Path, help="the folder of a labelled dataset, or a COCO file")
    parser.add_argument("output", metavar="OUT", type=Path, help="a folder for what is made")
    parser.add_argument("--from", dest="source", choices=readers.names(), help="the format of IN")
    parser.add_argument(
        "--to", choices=formats.names(), action="append", required=True, help="write OUT/FORMAT; repeatable"
    )
    parser.add_argument("--threshold", metavar="T", type=float, default=0.0, help="leave out instances scored lower")
    parser.add_argument("--split", metavar="SHARE", type=float, help="of the images for training; default: as in IN")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of the split")
    parser.add_argument("--images", choices=formats.IMAGES, default=formats.LINK, help="how images get into a format")


def run(arguments: argparse.Namespace) -> int:
    """Read image by image, and write."""
    check_threshold(arguments.threshold)
    formats.check(arguments.to, arguments.split, arguments.images)
    source = readers.read(arguments.input, arguments.source)
    report = formats.export(
        source.images(),
        arguments.output,
        arguments.to,
        classes=source.classes,
        thresholds=arguments.threshold,
        split=arguments.split,
        seed=arguments.seed,
        parts=source.parts or None,
        images=arguments.images,
    )
    for message, count in source.skipped.items():
        print(f"{count} {message}")
    print(*report.messages(), sep="\n")
    return 0
