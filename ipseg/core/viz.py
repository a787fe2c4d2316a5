"""Images of results: overlays with points as in the paper's figures, heat maps, cut-outs. All (H, W, 3|4) uint8."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ipseg.core.geometry import THIN
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, Mask, Points

POSITIVE = (46, 204, 64)  # green, as in Fig. 3
NEGATIVE = (235, 51, 61)  # red
MASK = (255, 176, 0)  # amber: seen on grass, sky and skin, and distinct from both kinds of point for the colour-blind
UNCERTAIN = (86, 180, 233)  # sky blue: a mask whose object is uncertain
GUESS = (150, 150, 150)  # grey: a mask that is no more than the best guess, its object not detected
WHITE = (255, 255, 255)
WIDEST = 3  # width of an image in a row, in heights of the row
METHOD_COLOURS = (MASK, (0, 114, 178), (204, 121, 167), (0, 158, 115), (213, 94, 0), (86, 180, 233), (240, 228, 66))
"""Colours of methods side by side, distinct for the colour-blind (Okabe and Ito, 2008)."""


def colour_of(status: Status) -> tuple[int, int, int]:
    """The colour of a mask: amber of a detected object, blue of an uncertain one, grey of one not detected."""
    return {Status.DETECTED: MASK, Status.UNCERTAIN: UNCERTAIN, Status.NOT_DETECTED: GUESS}[status]


def overlay(
    image: ImageArray,
    mask: Mask,
    points: Points | None = None,
    *,
    colour: tuple[int, int, int] = MASK,
    opacity: float = 0.0,
) -> ImageArray:
    """The object in its own colours and outlined, the rest dimmed and greyed, the points on top: (H, W, 3) uint8.

    ``mask``: (H, W) bool. ``colour``: of the outline, and of the tint of the object with ``opacity`` in [0, 1].
    """
    drawn = outlined(emphasized(image, mask, colour=colour, opacity=opacity), mask, colour)
    return drawn if points is None else draw_points(drawn, points)


def emphasized(
    image: ImageArray, mask: Mask, *, colour: tuple[int, int, int] = MASK, opacity: float = 0.0
) -> ImageArray:
    """An overlay without its outline: the object in its own colours, the rest dimmed and greyed, (H, W, 3) uint8."""
    canvas = _dimmed(image)
    canvas[mask] = image[mask] * (1 - opacity) + np.array(colour, dtype=np.float32) * opacity
    return np.rint(canvas).astype(np.uint8)


def outlines_of(mask: Mask, *, tolerance: float = 0.0) -> list[NDArray[np.float32]]:
    """The outlines of a mask (H, W) and of its holes: closed polygons, each (n, 2) float32, (x, y) in pixels.

    ``tolerance``: how far a polygon with fewer corners may be from the outline, in pixels. Integers are the corners of
    pixels: the outlines go through the centres of the pixels at the border of the mask, such as (0.5, 0.5).
    """
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    lines = (cv2.approxPolyDP(line, tolerance, True) if tolerance else line for line in found)
    return [line[:, 0].astype(np.float32) + np.float32(0.5) for line in lines]


def outline_width(side: float) -> float:
    """The width of an outline on an image whose longer side has ``side`` pixels; its white edge is half as wide."""
    return max(1.0, side / 200 * 0.7)


def overlay_of(image: ImageArray, mask: Mask, status: Status, points: Points | None = None) -> ImageArray:
    """The overlay of a mask in the colour of its status: (H, W, 3) uint8.

    The mask of an object that is not detected, (H, W) bool, is no more than a guess: its outline is dashed, and its
    pixels are dimmed half as much as the others.
    """
    if status.has_mask:
        return overlay(image, mask, points, colour=colour_of(status))
    canvas = _dimmed(image)
    canvas[mask] = (canvas[mask] + image[mask]) / 2
    drawn = np.rint(canvas).astype(np.uint8)
    _outline(drawn, mask, colour_of(status), dashed=True)
    return drawn if points is None else draw_points(drawn, points)


def _dimmed(image: ImageArray) -> NDArray[np.float32]:
    """The image with half its saturation and less than half its brightness: (H, W, 3) float32 in [0, 255]."""
    colours = image.astype(np.float32)
    grey = colours.mean(axis=-1, keepdims=True)
    return (colours + grey) * np.float32(0.2)


def outlined(image: ImageArray, mask: Mask, colour: tuple[int, int, int], *, dashed: bool = False) -> ImageArray:
    """A copy of the image, (H, W, 3) uint8, with the outline of a mask (H, W), with a white edge unless dashed."""
    canvas = np.array(image)
    _outline(canvas, mask, colour, dashed=dashed)
    return canvas


def _outline(canvas: ImageArray, mask: Mask, colour: tuple[int, int, int], *, dashed: bool = False) -> None:
    """Draw the outline of a mask into ``canvas``: in ``colour``, with a white edge unless it is dashed."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    width = max(1, round(_unit(canvas) * 0.7))
    if dashed:
        dash = 6 * width
        parts = [line[start : start + dash] for line in outlines for start in range(0, len(line), 2 * dash)]
        cv2.polylines(canvas, parts, isClosed=False, color=colour, thickness=width, lineType=cv2.LINE_AA)
        return
    cv2.drawContours(canvas, outlines, -1, WHITE, 2 * width, cv2.LINE_AA)
    cv2.drawContours(canvas, outlines, -1, colour, width, cv2.LINE_AA)


def draw_points(image: ImageArray, points: Points, *, size: float = 1.0) -> ImageArray:
    """Green discs with a plus for positive points, red ones with a minus for negative points; ``size`` scales them."""
    canvas = np.array(image)
    for xy, colour, positive in _marks(points):
        _draw_mark(canvas, xy, colour, positive, max(4, round(_unit(image) * 3.2 * size)))
    return canvas


def heat_map(
    image: ImageArray,
    values: NDArray[np.float32],
    *,
    limits: tuple[float, float] | None = None,
    opacity: float = 0.65,
) -> ImageArray:
    """(H, W) values as a Turbo heat map over grey: (H, W, 3) uint8. Flat values are dark.

    ``limits``: the values of the two ends of the scale, beyond which they are clipped; None: the values' own range.
    """
    low, high = limits or (float(values.min()), float(values.max()))
    unit = np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)
    colours = cv2.applyColorMap(np.rint(unit * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    grey = np.repeat(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return np.rint(grey * (1 - opacity) + colours * opacity).astype(np.uint8)


def spotlight(image: ImageArray, values: NDArray[np.float32]) -> ImageArray:
    """The image where (H, W) ``values`` in [0, 1] are high, dark where they are low: a saliency map on its image."""
    weight = np.clip(values, 0, 1)[..., None]
    return np.rint(image * (0.15 + 0.85 * weight)).astype(np.uint8)


def cut_out(image: ImageArray, mask: Mask) -> NDArray[np.uint8]:
    """(H, W, 4) RGBA: the object on a transparent background, at the image's own size."""
    return np.dstack([image, mask.astype(np.uint8) * 255])


def on_background(cut: NDArray[np.uint8], background: tuple[int, int, int] | None = None) -> ImageArray:
    """A cut-out on another background: (H, W, 3) uint8.

    ``cut``: (H, W, 4) uint8 RGBA as of :func:`cut_out`. ``background``: a colour, RGB in [0, 255]; None is the image
    itself, blurred with a standard deviation of 1/50 of its longer side.
    """
    image, inside = cut[..., :3], cut[..., 3:] > 0
    if background is not None:
        return np.where(inside, image, np.array(background, dtype=np.uint8))
    return np.where(inside, image, cv2.GaussianBlur(image, (0, 0), _unit(image) * 4))


def numbered(
    image: ImageArray,
    masks: Sequence[Mask],
    numbers: Sequence[int] = (),
    colours: Sequence[tuple[int, int, int]] = (),
) -> ImageArray:
    """The image dimmed, each mask in its own colours, with an outline and a number: (H, W, 3) uint8.

    ``masks``: each (H, W) bool, not empty. ``numbers``: of the masks; by default from 1. ``colours``: of the outlines;
    by default those of the numbers (:func:`instance_colour`).
    """
    numbers = numbers or range(1, len(masks) + 1)
    colours = colours or [instance_colour(number) for number in numbers]
    canvas = _dimmed(image)
    for mask in masks:
        canvas[mask] = image[mask]
    drawn = np.rint(canvas).astype(np.uint8)
    for colour, mask in zip(colours, masks, strict=True):
        _outline(drawn, mask, colour)
    return _with_numbers(drawn, masks, numbers)


def instance_colour(number: int) -> tuple[int, int, int]:
    """The colour of the instance with this number, from 1."""
    return METHOD_COLOURS[(number - 1) % len(METHOD_COLOURS)]


def _with_numbers(image: ImageArray, masks: Sequence[Mask], numbers: Sequence[int]) -> ImageArray:
    """A number on each mask, on the pixel that is farthest from its outline."""
    canvas, largest = Image.fromarray(image), max(12.0, _unit(image) * 9)
    draw = ImageDraw.Draw(canvas)
    for number, mask in zip(numbers, masks, strict=True):
        depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(int(depth.argmax()), depth.shape)
        size = float(np.clip(depth[y, x] * 0.8, min(12.0, largest), largest))
        radius = size * 0.72
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=WHITE, outline=(40, 40, 40), width=2)
        draw.text((int(x), int(y)), str(number), fill=(20, 20, 20), font=ImageFont.load_default(size=size), anchor="mm")
    return np.asarray(canvas)


def difference(image: ImageArray, masks: Sequence[Mask], colours: Sequence[tuple[int, int, int]] = ()) -> ImageArray:
    """Where masks differ, on the image in grey: white where all agree, a mask's own colour where it stands alone.

    Pixels that some but not all of three or more masks hold are the mean of their colours.
    """
    grey = np.repeat(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2) * np.float32(0.55)
    held = np.stack(masks).astype(np.float32)
    count = held.sum(axis=0)[..., None]
    own = np.array(
        list(colours) or [METHOD_COLOURS[i % len(METHOD_COLOURS)] for i in range(len(masks))], dtype=np.float32
    )
    colour = np.tensordot(held, own, axes=(0, 0)) / np.maximum(count, 1)
    colour = np.where(count == len(masks), np.float32(255), colour)
    return np.rint(np.where(count > 0, 0.35 * grey + 0.65 * colour, grey)).astype(np.uint8)


def strip(tiles: Sequence[tuple[ImageArray, str]], height: int = 360, gap: int = 12) -> ImageArray:
    """Images with their captions in one row on white, (H, W, 3): a row to save or to print.

    Each image is scaled to ``height`` pixels; one that would be wider than ``WIDEST`` times that is scaled to that
    width and centred, so a row of n images never holds more than n x ``WIDEST`` x ``height`` pixels across.
    """
    scaled = [(Image.fromarray(tile).resize(_fitted(tile, height)), caption) for tile, caption in tiles]
    bar = height // 9
    font = ImageFont.load_default(size=bar * 0.5)
    row = Image.new("RGB", (sum(tile.width + gap for tile, _ in scaled) + gap, height + bar + 2 * gap), WHITE)
    draw, x = ImageDraw.Draw(row), gap
    for tile, caption in scaled:
        row.paste(tile, (x, gap + (height - tile.height) // 2))
        draw.text((x, height + 1.4 * gap), _fitting(caption, font, tile.width), fill=(40, 40, 40), font=font)
        x += tile.width + gap
    return np.asarray(row)


def _fitted(image: ImageArray, height: int) -> tuple[int, int]:
    """(width, height) in a row: at most ``WIDEST * height`` wide and ``height`` high, the aspect unchanged."""
    scale = min(height / image.shape[0], WIDEST * height / image.shape[1])
    return max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    """As much of a text as fits, with dots where it is cut."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(f"{text}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…"


def _unit(image: ImageArray) -> float:
    """One two-hundredth of the longer side, in pixels: marks have the same relative size on small and large images.

    On an image of more than 4:1, that of a part of it of 4:1: there a mark would hide the object.
    """
    return min(max(image.shape[:2]), THIN * min(image.shape[:2])) / 200


def _marks(points: Points):
    for xy in points.negative:
        yield xy, NEGATIVE, False
    for xy in points.positive:
        yield xy, POSITIVE, True


def _draw_mark(canvas: ImageArray, xy: NDArray, colour: tuple[int, int, int], positive: bool, radius: int) -> None:
    x, y = (int(v) for v in np.floor(xy))
    cv2.circle(canvas, (x, y), radius + max(1, radius // 4), WHITE, -1, cv2.LINE_AA)
    cv2.circle(canvas, (x, y), radius, colour, -1, cv2.LINE_AA)
    arm, thickness = max(2, round(radius * 0.55)), max(1, radius // 4)
    cv2.line(canvas, (x - arm, y), (x + arm, y), WHITE, thickness)
    if positive:
        cv2.line(canvas, (x, y - arm), (x, y + arm), WHITE, thickness)
