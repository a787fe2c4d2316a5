"""Lay out every example image with its mask outlined.

python examples_media/contact_sheet.py --contact-sheet --galleries
"""

import argparse
import json
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter

HERE = Path(__file__).resolve().parent
TILE, GAP, LABEL = 200, 6, 118
PAPER, INK, OUTLINE = "#faf7f2", "#3a3d44", "#ff2d87"


def outlined(image, mask, size=TILE):
    """The image with the border of its mask drawn, fitted on a square of paper."""
    image, mask = (Image.open(path) for path in (image, mask))
    shape = tuple(round(side * size / max(image.size)) for side in image.size)
    image = image.convert("RGB").resize(shape, Image.Resampling.LANCZOS)
    inside = mask.resize(shape, Image.Resampling.BOX).point(lambda v: 255 * (v > 127))
    border = ImageChops.difference(inside.filter(ImageFilter.MaxFilter(5)), inside)
    image.paste(OUTLINE, mask=border)
    square = Image.new("RGB", (size, size), PAPER)
    square.paste(image, ((size - shape[0]) // 2, (size - shape[1]) // 2))
    return square


def lay_out(rows, tile=TILE, heads=()):
    """A sheet of `rows`: label -> images with masks; a cell that is None stays empty. `heads` names the columns."""
    top = 30 if heads else 0
    width = LABEL + max(map(len, rows.values())) * (tile + GAP) + GAP
    sheet = Image.new("RGB", (width, top + len(rows) * (tile + GAP) + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for c, head in enumerate(heads):
        draw.text((LABEL + GAP + c * (tile + GAP) + tile / 2, 18), head, INK, anchor="mm", font_size=17)
    for r, (name, cells) in enumerate(rows.items()):
        y = top + GAP + r * (tile + GAP)
        draw.text((LABEL / 2, y + tile / 2), name.replace(" ", "\n"), INK, anchor="mm", align="center", font_size=20)
        for c, cell in enumerate(cells):
            if cell:
                sheet.paste(outlined(*cell, tile), (LABEL + GAP + c * (tile + GAP), y))
    return sheet


def contact_sheet(folder, tile=TILE):
    """One row per object of `folder`, one column per image."""
    rows = {}
    for path in sorted((folder / "Images").iterdir()):
        masks = folder / "Annotations" / path.name
        pairs = [(image, masks / f"{image.stem}.png") for image in sorted(path.glob("*.jpg"))]
        rows |= {path.name.replace("_", " "): pairs} if pairs else {}
    if not rows:
        raise SystemExit(f"There are no images under {folder / 'Images'}: make them with render.py first.")
    return lay_out(rows, tile)


def gallery_sheets(folder, tile=TILE):
    """(name, sheet) of each gallery of `folder`, as its index.json tells."""
    index = json.loads((folder / "galleries" / "index.json").read_text(encoding="utf-8"))

    def cell(entry):
        return folder / entry["image"], folder / entry["mask"]

    rows = {}
    for kind in index["prompt_sets"]:
        prompts = [cell(entry) for group in kind["sets"] for entry in group["prompts"][:1]]
        rows[kind["title"]] = [*prompts, *map(cell, kind["inputs"])]
    heads = [*(f"set {group['set']}" for group in kind["sets"]), "input", "input", "input"]
    yield "prompt_sets", lay_out(rows, tile, heads[: max(map(len, rows.values()))])
    roles = ("prompt", "input", "mended")
    cases = {case["title"]: [cell(case[role]) for role in roles] for case in index["failure_cases"]}
    heads, names, half = ("broken prompt", "input", "mended prompt"), list(cases), (len(cases) + 1) // 2
    halves = [lay_out({name: cases[name] for name in part}, tile, heads) for part in (names[:half], names[half:])]
    sheet = Image.new("RGB", (sum(part.width for part in halves), halves[0].height), PAPER)
    for number, part in enumerate(halves):
        sheet.paste(part, (number * halves[0].width, 0))
    yield "failure_cases", sheet


def report(sheet, path):
    sheet.save(path, quality=68, optimize=True, progressive=True)
    print(f"{path}: {sheet.width} x {sheet.height}, {path.stat().st_size / 1000:.0f} kB")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=HERE, help="where Images/, Annotations/ and galleries/ lie")
    parser.add_argument("--contact-sheet", type=Path, nargs="?", const=HERE / "contact_sheet.jpg")
    parser.add_argument("--galleries", action="store_true", help="a sheet of each gallery, beside its index.json")
    parser.add_argument("--tile", type=int, default=TILE, help="the longer side of an image on a sheet, in pixels")
    options = parser.parse_args()
    if not (options.contact_sheet or options.galleries):
        parser.error("nothing to lay out: give --contact-sheet, --galleries or both")
    if options.contact_sheet:
        report(contact_sheet(options.folder, options.tile), options.contact_sheet)
    if options.galleries:
        for name, sheet in gallery_sheets(options.folder, options.tile):
            report(sheet, options.folder / "galleries" / f"{name}.jpg")


if __name__ == "__main__":
    main()
