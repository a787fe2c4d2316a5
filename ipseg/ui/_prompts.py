"""Bounds on what one question may open: prompt images, negative prompts and masks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ipseg.core import images
from ipseg.core.types import ImageArray, ImageError

MOST = 8  # prompt images and negative prompts of one question
MAX_PIXELS = 100_000_000  # of all of them together: 300 MB once opened


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


def opened(paths: Sequence[str], look: Callable[[], None]) -> list[ImageArray]:
    """Each image, (H, W, 3) uint8; ``look`` is called before each and may raise, as when the time is up."""
    found = []
    for path in paths:
        look()
        found.append(images.open_image(path))
    return found
