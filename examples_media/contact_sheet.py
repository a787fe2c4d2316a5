"""Lay out every example picture, its mask outlined: python examples_media/contact_sheet.py --contact-sheet"""

import argparse
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

HERE = Path(__file__).resolve().parent
TILE, GAP, LABEL = 200, 6, 118
PAPER, INK, OUTLINE = "#faf7f2", "#3a3d44", "#ff2d87"


def outlined(picture, mask, size=TILE):
    """The picture with the border of its mask drawn, fitted on a square of paper."""
    picture, mask = (Image.open(path) for path in (picture, mask))
    shape = tuple(round(side * size / max(picture.size)) for side in picture.size)
    picture = picture.convert("RGB").resize(shape, Image.Resampling.LANCZOS)
    inside = mask.resize(shape, Image.Resampling.BOX).point(lambda v: 255 * (v > 127))
    border = ImageChops.difference(inside.filter(ImageFilter.MaxFilter(5)), inside)
    picture.paste(OUTLINE, mask=border)
    square = Image.new("RGB", (size, size), PAPER)
    square.paste(picture, ((size - shape[0]) // 2, (size - shape[1]) // 2))
    return square


def contact_sheet(folder, tile=TILE):
    """One row per object of `folder`, one column per picture."""
    rows = {path.name: sorted(path.glob("*.jpg")) for path in sorted((folder / "Images").iterdir()) if path.is_dir()}
    if not rows:
        raise SystemExit(f"There are no pictures under {folder / 'Images'}: make them with render.py first.")
    width = LABEL + max(map(len, rows.values())) * (tile + GAP) + GAP
    sheet = Image.new("RGB", (width, len(rows) * (tile + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for r, (name, pictures) in enumerate(rows.items()):
        y = GAP + r * (tile + GAP)
        draw.text((LABEL / 2, y + tile / 2), name.replace("_", "\n"), INK, anchor="mm", align="center", font_size=20)
        for c, picture in enumerate(pictures):
            mask = folder / "Annotations" / name / f"{picture.stem}.png"
            sheet.paste(outlined(picture, mask, tile), (LABEL + GAP + c * (tile + GAP), y))
    return sheet


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=HERE, help="where Images/ and Annotations/ lie")
    parser.add_argument("--contact-sheet", type=Path, nargs="?", const=HERE / "contact_sheet.jpg", required=True)
    parser.add_argument("--tile", type=int, default=TILE, help="the longer side of a picture on the sheet, in pixels")
    options = parser.parse_args()
    sheet = contact_sheet(options.folder, options.tile)
    sheet.save(options.contact_sheet, quality=68, optimize=True, progressive=True)
    print(
        f"{options.contact_sheet}: {sheet.width} x {sheet.height}, {options.contact_sheet.stat().st_size / 1000:.0f} kB"
    )


if __name__ == "__main__":
    main()
