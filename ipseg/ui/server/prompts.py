"""The prompt images and negative prompts of a request: bounds on their number and size, and opening them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ipseg.core import images
from ipseg.core.masks import GivenMask, with_masks
from ipseg.core.types import ImageArray, ImageError

MOST = 8  # prompt images and negative prompts of one request
MAX_PIXELS = 100_000_000  # of all of them together: 300 MB once opened


@dataclass(frozen=True)
class Prompts:
    """Opened prompt images, each (H, W, 3) uint8 with its mask or None, and negative prompts."""

    images: list[ImageArray]
    masks: list[GivenMask | None]
    negative: list[ImageArray]


def open_prompts(
    prompts: Sequence[str],
    negative_prompt: Sequence[str] = (),
    *,
    mask: str | None,
    mask_value: int | None,
    on_open: Callable[[], None],
) -> Prompts:
    """Check the bounds, then open all files; ``mask`` is that of the first prompt image.

    ``on_open`` is called before each file is opened and may raise, as when the time limit is reached.
    Raises ImageError or MaskError for what cannot be used.
    """
    check(prompts, negative_prompt)
    pairs = with_masks(
        list(prompts),
        [mask or None, *([None] * (len(prompts) - 1))],
        mask_value=mask_value,
        report=on_open,
    )
    return Prompts([image for image, _ in pairs], [given for _, given in pairs], opened(negative_prompt, on_open))


def check(prompts: Sequence[str], negative_prompt: Sequence[str] = ()) -> None:
    """Raise :class:`ImageError` for too many prompt images, or too many pixels in all. Only headers are read."""
    count = len(prompts) + len(negative_prompt)
    if count > MOST:
        what = "prompt images and negative prompts" if negative_prompt else "prompt images"
        raise ImageError(f"There are {count} {what}; give at most {MOST} at once.")
    check_pixels([*prompts, *negative_prompt], MAX_PIXELS, "The prompt images")


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
