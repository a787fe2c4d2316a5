"""Cut the annotated instances of a few images out as examples for `ipseg label`.

In OUT: CLASS/NAME_1.png with its mask CLASS/NAME_1.mask.png, a crop for each instance. DATASET is a COCO file, the
folder of `ipseg label`, or any other format that `ipseg convert` reads.
Exit code: 0 all went well, 2 wrong usage, or a dataset that cannot be read.
"""

from __future__ import annotations

import argparse
from pathlib import Path, PurePosixPath

from ipseg.annotations import readers
from ipseg.core.images import open_image
from ipseg.core.types import InputError
from ipseg.labelling.review import edits


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``ipseg examples``."""
    parser.add_argument("dataset", metavar="DATASET", type=Path, help="a labelled dataset, or a COCO file")
    parser.add_argument("output", metavar="OUT", type=Path, help="the folder of examples")
    parser.add_argument("--of", metavar="NAME", action="append", required=True, help="an image, as DATASET names it")
    parser.add_argument("--from", dest="source", choices=readers.names(), help="the format of DATASET")


def run(arguments: argparse.Namespace) -> int:
    """Write a crop and a mask for each instance of the images."""
    cut, images = 0, readers.read(arguments.dataset, arguments.source).images()
    chosen = {image.name: image for image in images if image.name in arguments.of}
    for name in arguments.of:  # before anything is written
        if name not in chosen:
            raise InputError(f"The dataset has no image {name}; give names as it has them.")
        if not chosen[name].file:
            raise InputError(f"The file of {name} is not known; give a dataset whose images are there.")
    for image in chosen.values():
        pixels = open_image(image.file)
        stem = "_".join(PurePosixPath(image.name).with_suffix("").parts)
        for which in range(len(image.instances)):
            edits.save_example(arguments.output, edits.example_of(pixels, image, which), f"{stem}_{which + 1}")
            cut += 1
    print(f"{cut} examples are in {arguments.output}.")
    return 0
