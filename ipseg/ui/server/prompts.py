"""The prompt images and negative prompts of a request: bounds on their number and size, and opening them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ipseg.core import images
from ipseg.core.masks import GivenMask
from ipseg.core.types import ImageArray, ImageError
from ipseg.method.prompt import Prompt, open_prompt
from ipseg.method.saved_prompt import is_saved

MOST = 8  # prompt images and negative prompts of one request
MAX_PIXELS = 100_000_000  # of all of them together: 300 MB once opened


@dataclass(frozen=True)
class Prompts:
    """Opened prompt images, each (H, W, 3) uint8 with its mask or None, saved prompts, and negative prompts."""

    images: list[ImageArray | Prompt]
    masks: list[GivenMask | None]
    negative: list[ImageArray | Prompt]


def open_prompts(
    prompts: Sequence[str],
    negative_prompt: Sequence[str] = (),
    *,
    mask: str | None,
    mask_value: int | None,
    on_open: Callable[[], None],
) -> Prompts:
    """Check the bounds, then open all files, images and saved prompts; ``mask`` is that of the first prompt image.

    ``on_open`` is called before each file is opened and may raise, as when the time limit is reached.
    Raises ImageError or MaskError for what cannot be used.
    """
    check(prompts, negative_prompt)
    masks = [mask or None, *([None] * (len(prompts) - 1))]
    shown = open_prompt(prompts, masks, mask_value=mask_value, report=on_open)
    against = open_prompt(negative_prompt, [None] * len(negative_prompt), report=on_open)
    _check_count(sum(_images_in(each) for each in (*shown.sources, *against.sources)), bool(negative_prompt))
    return Prompts(shown.sources, shown.masks, against.sources)


def check(prompts: Sequence[str], negative_prompt: Sequence[str] = ()) -> None:
    """Raise :class:`ImageError` for too many prompt images, or too many pixels in all. Only headers are read."""
    _check_count(len(prompts) + len(negative_prompt), bool(negative_prompt))
    given = [path for path in (*prompts, *negative_prompt) if not is_saved(path)]  # a saved prompt has its own bounds
    check_pixels(given, MAX_PIXELS, "The prompt images")


def _check_count(count: int, negative: bool) -> None:
    if count > MOST:
        what = "prompt images and negative prompts" if negative else "prompt images"
        raise ImageError(f"There are {count} {what}; give at most {MOST} at once.")


def _images_in(source: ImageArray | Prompt) -> int:
    """How many images one of the sources holds, those that are not meant included."""
    if not isinstance(source, Prompt):
        return 1
    return len(source.views) + (len(source.negative.views) if source.negative else 0)


def check_pixels(paths: Sequence[str], most: int, what: str) -> None:
    """Raise :class:`ImageError` where the images together have over ``most`` pixels. Only headers are read."""
    if len(paths) < 2:  # one image alone has a bound of its own
        return
    total = 0
    for path in paths:
        height, width = images.size_of(path)
        total += height * width
    if total > most:
        raise ImageError(
            f"{what} have {total / 1e6:.0f} megapixels together; give fewer or smaller ones, at most "
            f"{most // 1_000_000} in all."
        )


def opened(paths: Sequence[str], on_open: Callable[[], None]) -> list[ImageArray]:
    """Each image, (H, W, 3) uint8; ``on_open`` is called before each file and may raise."""
    found = []
    for path in paths:
        on_open()
        found.append(images.open_image(path))
    return found
