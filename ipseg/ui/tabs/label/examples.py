"""Classes and images that are ready, from the rendered examples of the project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from ipseg.core.examples import examples_folder
from ipseg.core.images import open_image

WIDTH, HEIGHT, INSET = 320, 200, 72  # pixels of a thumbnail, and of the side of an example image in it


@dataclass(frozen=True)
class LabelExample:
    """One request that a click makes; paths below the folder of the examples."""

    label: str
    classes: tuple[tuple[str, tuple[str, ...]], ...]  # names, and their example images
    images: tuple[str, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file, those of the classes first; () where one is absent."""
        folder = examples_folder()
        wanted = [*(path for _, paths in self.classes for path in paths), *self.images]
        here = [folder / path for path in wanted] if folder else []
        return tuple(here) if all(file.is_file() for file in here) else ()


EXAMPLES = (
    LabelExample(
        "Robots, cacti, red mugs",
        (
            ("robot", ("Images/robot/00.jpg",)),
            ("cactus", ("Images/cactus/00.jpg",)),
            ("red mug", ("Images/red_mug/00.jpg", "Images/red_mug/01.jpg")),
        ),
        (
            "galleries/several/robots.jpg", "galleries/several/cacti.jpg", "Images/robot/02.jpg",
            "Images/cactus/02.jpg", "Images/red_mug/02.jpg", "Images/red_mug/04.jpg",
        ),
    ),
    LabelExample(
        "Red mug or green mug",
        (
            ("red mug", ("Images/red_mug/00.jpg", "Images/red_mug/01.jpg")),
            ("green mug", ("Images/green_mug/00.jpg", "Images/green_mug/01.jpg")),
        ),
        ("galleries/several/mugs.jpg", "Images/red_mug/03.jpg", "Images/green_mug/02.jpg", "Images/green_mug/03.jpg"),
    ),
)  # fmt: skip


def found() -> tuple[LabelExample, ...]:
    """The examples whose images are all here."""
    return tuple(each for each in EXAMPLES if each.files)


def thumbnail(example: LabelExample) -> Image.Image:
    """The first image to label, with an example image of each class along its lower edge."""
    shown = dict(zip([path for _, paths in example.classes for path in paths], example.files, strict=False))
    first = example.files[len(shown)]
    canvas = ImageOps.fit(Image.fromarray(open_image(first)), (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(canvas)
    for number, (_, paths) in enumerate(example.classes):
        inset = ImageOps.fit(Image.fromarray(open_image(shown[paths[0]])), (INSET, INSET))
        place = (4 + number * (INSET + 6), HEIGHT - INSET - 4)
        canvas.paste(ImageOps.expand(inset, 2, "white"), place)
        draw.rectangle((*place, place[0] + INSET + 3, place[1] + INSET + 3), outline="#b45309")
    return canvas
