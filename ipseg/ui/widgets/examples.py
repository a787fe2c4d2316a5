"""The examples of Segment and Compare: pairs of images from the project, and photographs that a dependency brings."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from ipseg.core.examples import examples_folder
from ipseg.core.images import open_image
from ipseg.core.types import ImageArray, InputError

WIDTH, HEIGHT, INSET = 288, 192, 112  # pixels of a thumbnail, and of the side of the image of the object in it


@dataclass(frozen=True)
class Example:
    """One request that a click makes. Each image is a package and a path in it; "" is ``examples_media``."""

    label: str
    prompt: tuple[str, str]
    image: tuple[str, str]
    negative_prompt: tuple[str, str] | None = None
    all_instances: bool = False
    crop: tuple[int, int, int, int] | None = None  # left, top, right, bottom of the prompt, in its pixels

    @property
    def name(self) -> str:
        """Its name in a link, as "yellow-duck"."""
        return self.label.lower().replace(" ", "-")

    @property
    def truth(self) -> Path | None:
        """The file of the true mask of the input, where there is one."""
        package, path = self.image
        if package or not path.startswith("Images/"):
            return None
        return _file("", f"Annotations/{Path(path).relative_to('Images').with_suffix('.png')}")

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the prompt, the input and, where there is one, the negative prompt; () where one is absent."""
        wanted = (self.prompt, self.image, *([self.negative_prompt] if self.negative_prompt else []))
        here = tuple(file for file in (_file(*one) for one in wanted) if file)
        return here if len(here) == len(wanted) else ()

    @property
    def prompt_image(self) -> ImageArray:
        """The image of the object, (H, W, 3) uint8, cropped. Raises IndexError where the files are absent."""
        image = open_image(self.files[0])
        left, top, right, bottom = self.crop or (0, 0, image.shape[1], image.shape[0])
        return image[top:bottom, left:right]


EXAMPLES = (
    Example("Yellow duck", ("", "Images/yellow_duck/00.jpg"), ("", "Images/yellow_duck/03.jpg")),
    Example("Red mug", ("", "Images/red_mug/00.jpg"), ("", "Images/red_mug/02.jpg")),
    Example("Robot", ("", "Images/robot/00.jpg"), ("", "Images/robot/02.jpg")),
    Example("Cheetah", ("gradio", "media_assets/images/cheetah1.jpg"), ("gradio", "test_data/cheetah2.jpg")),
    Example("Every robot", ("", "Images/robot/00.jpg"), ("", "galleries/several/robots.jpg"), all_instances=True),
    Example("Every cactus", ("", "Images/cactus/00.jpg"), ("", "galleries/several/cacti.jpg"), all_instances=True),
    Example(
        "Not the mug", ("", "Images/cactus/00.jpg"), ("", "Images/cactus/03.jpg"),
        ("", "Images/red_mug/00.jpg"),
    ),
    Example(
        "Every coin", ("skimage", "data/coins.png"), ("skimage", "data/coins.png"),
        all_instances=True, crop=(10, 20, 80, 85),
    ),
)  # fmt: skip


def found() -> tuple[Example, ...]:
    """The examples whose images are all here."""
    return tuple(each for each in EXAMPLES if each.files)


def comparable() -> tuple[Example, ...]:
    """The examples that several methods can answer: one object, without a negative prompt; those with a truth first."""
    alone = [each for each in found() if not (each.all_instances or each.negative_prompt)]
    return tuple(sorted(alone, key=lambda each: each.truth is None))


def gallery(shown: Sequence[Example], name: str) -> gr.Gallery | None:
    """Examples as thumbnails, to be chosen by a click; None where there are none. ``name``: the id of the element."""
    if not shown:
        return None
    return gr.Gallery(
        [(thumbnail(each), each.label) for each in shown],
        label="Examples",
        format="jpeg",
        columns=4,
        object_fit="cover",
        height="auto",
        allow_preview=False,
        interactive=False,
        buttons=[],
        elem_id=name,
        elem_classes=["examples"],
    )


def deselected(name: str) -> Any:
    """The gallery of the examples without a frame, unless the inputs are the example of this name ("": none)."""
    return gr.skip() if name else gr.Gallery(selected_index=None)


def named(name: str) -> Example | None:
    """The example of this name in a link, where its images are here."""
    return next((each for each in found() if each.name == name), None)


def name_of(
    prompts: Sequence[str], images: Sequence[str], negative_prompt: Sequence[str] = (), all_instances: bool = False
) -> str:
    """The name of the example whose images these files hold; "" where it is none."""
    try:
        return next((each.name for each in found() if _is(each, prompts, images, negative_prompt, all_instances)), "")
    except (OSError, InputError):  # a file that is gone, or no image
        return ""


def _is(
    example: Example, prompts: Sequence[str], images: Sequence[str], negative_prompt: Sequence[str], all_instances: bool
) -> bool:
    counts = (len(prompts), len(images), len(negative_prompt))
    if counts != (1, 1, int(example.negative_prompt is not None)) or all_instances != example.all_instances:
        return False
    given = [(images[0], example.files[1]), *zip(negative_prompt, example.files[2:], strict=True)]
    if not example.crop:
        given.append((prompts[0], example.files[0]))
    if not all(Path(one).read_bytes() == other.read_bytes() for one, other in given):
        return False
    return not example.crop or np.array_equal(open_image(prompts[0]), example.prompt_image)


def thumbnail(example: Example) -> Image.Image:
    """The image to search, with the image of the object in its corner."""
    canvas = _fitted(example.files[1], WIDTH, HEIGHT)
    inset = ImageOps.expand(_fitted(example.files[0], INSET, INSET, example.crop), 3, "white")
    canvas.paste(inset, (0, HEIGHT - inset.height))
    ImageDraw.Draw(canvas).rectangle((0, HEIGHT - inset.height, inset.width - 1, HEIGHT - 1), outline="#b45309")
    return canvas


def _fitted(file: Path, width: int, height: int, crop: tuple[int, int, int, int] | None = None) -> Image.Image:
    """An image cut and scaled to a size. A JPEG that is not cropped is decoded at the next larger size."""
    with Image.open(file) as image:
        if not crop:
            image.draft("RGB", (width, height))
        return ImageOps.fit(image.convert("RGB").crop(crop or (0, 0, *image.size)), (width, height))


def _file(package: str, path: str) -> Path | None:
    folder = _folder(package) if package else examples_folder()
    file = folder / path if folder else None
    return file if file and file.is_file() else None


def _folder(package: str) -> Path | None:
    """The folder of an installed package, which is not imported for it."""
    found = find_spec(package)
    return Path(found.origin).parent if found and found.origin else None


def contact_sheet() -> bytes:
    """The thumbnails of the examples in rows of four, as a JPEG of the size in which a link is shown, 1200 x 630."""
    sheet = Image.new("RGB", (1200, 630), "#161412")
    for number, example in enumerate(found()[:8]):
        sheet.paste(thumbnail(example), (12 + number % 4 * 296, 117 + number // 4 * 204))
    draw = ImageDraw.Draw(sheet)
    draw.text((24, 24), "ipseg: segment an object by an image of it", "white", ImageFont.load_default(size=52))
    buffer = io.BytesIO()
    sheet.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()
