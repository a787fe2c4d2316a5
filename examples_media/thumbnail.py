"""Draw the image of the README and of the Space's card: python examples_media/thumbnail.py [FILE]

A prompt image, and what the engine compact, whose weights it needs, makes of another image with it. Where the mask is
wrong, it ends with an error message.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

import ipseg
from ipseg.core.masks import iou
from ipseg.core.viz import MASK, overlay

HERE = Path(__file__).resolve().parent
SIZE = (1200, 630)  # as the Hub and most sites show a link
PAPER, INK, GREY = "#faf7f2", "#23262d", "#5c6170"
OBJECT, PROMPT, IMAGE = "robot", "01", "02"
LEAST = 0.9  # IoU of a mask that may be shown
WORDS = "Segment an object in photos by showing one example image"


def answered():
    """The prompt image, the image with its mask drawn over it, and the IoU of the mask."""
    engine = ipseg.load("compact")
    prompt, image = (HERE / "Images" / OBJECT / f"{number}.jpg" for number in (PROMPT, IMAGE))
    result = engine.segment(engine.prompt(prompt), image)
    truth = ipseg.open_mask(HERE / "Annotations" / OBJECT / f"{IMAGE}.png", result.image.shape[:2])
    shown = overlay(result.image, result.answer_mask, colour=MASK)
    return Image.open(prompt).convert("RGB"), Image.fromarray(shown), iou(result.answer_mask, truth)


def drawn(prompt, shown):
    """The two images side by side below the words: 1200 x 630."""
    sheet = Image.new("RGB", SIZE, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((40, 34), "ipseg", INK, font_size=64)
    draw.text((40, 112), WORDS, GREY, font_size=32)
    top, height = 196, 370
    for left, image, label in ((40, prompt, "prompt image"), (628, shown, "mask in another image")):
        fitted = image.resize((532, round(532 * image.height / image.width)), Image.Resampling.LANCZOS)
        middle = (fitted.height - height) // 2
        sheet.paste(fitted.crop((0, middle, 532, middle + height)), (left, top))
        draw.text((left, top + height + 14), label, GREY, font_size=26)
    draw.polygon([(584, 366), (584, 396), (616, 381)], fill="#b9530b")
    return sheet


def main():
    """Write the file; exit code 1 where the mask may not be shown."""
    prompt, shown, score = answered()
    if score < LEAST:
        raise SystemExit(f"The mask has an IoU of {score:.2f}; choose another pair.")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "thumbnail.jpg"
    drawn(prompt, shown).save(target, quality=88)
    print(f"{target}: IoU {score:.2f}")


if __name__ == "__main__":
    main()
