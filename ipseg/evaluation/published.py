"""The paper's own figures of Tables 1 and 2, as data, and what it takes to run each method.

They are mIoU in per cent, quoted from the paper, and no result of this project: a table that shows them says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

TABLE_1 = ("Fold0", "Fold1", "Fold2", "Fold3", "Mean", "FSS", "PerSeg")  # the first five are COCO-20i's
TABLE_2 = ("COCO-Stuff", "PASCAL-VOC", "PASCAL-Context")  # the unseen classes of each, named in section 4.2
IMAGE, MASK, TEXT = "an image", "an image and its mask", "class names"


@dataclass(frozen=True)
class Row:
    """One method in one of the two tables."""

    method: str  # its name in the paper
    published: str  # where and when, as the paper has it
    trained: bool  # whether it was trained for segmentation; the paper's "extra training process", "need training"
    prompt: str  # the prompt: an image, an image and its mask, or class names
    figures: tuple[float, ...]  # mIoU in per cent, one for each column
    plugin: str = ""  # the method of this package that runs it; "" when none does
    takes: str = ""  # what is needed to run it


FEW_SHOT: tuple[Row, ...] = (
    Row(
        "Painter",
        "CVPR 2023",
        True,
        MASK,
        (31.2, 35.3, 33.5, 32.4, 33.1, 61.7, 56.4),
        "painter",
        "the weights `painter` (MIT)",
    ),
    Row(
        "SegGPT",
        "ICCV 2023",
        True,
        MASK,
        (56.3, 57.4, 58.9, 51.7, 56.1, 85.6, 95.5),
        "seggpt",
        "the weights `seggpt` (Apache-2.0)",
    ),
    Row(
        "DeLVM",
        "ArXiv 2024",
        True,
        MASK,
        (12.6, 13.6, 10.1, 10.5, 11.7, 36.9, 9.8),
        takes="code (MIT) and a checkpoint of 300 million weights at ggjy/DeLVM, which want its own model code and the "
        "image tokeniser of LVM; the larger checkpoint lies on Baidu alone",
    ),
    Row(
        "PerSAM",
        "ICLR 2024",
        False,
        MASK,
        (23.1, 23.6, 22.0, 23.4, 23.0, 81.6, 89.5),
        "persam",
        "the weights `sam_vit_h` (Apache-2.0)",
    ),
    Row(
        "Matcher",
        "ICLR 2024",
        False,
        MASK,
        (52.7, 53.5, 52.6, 52.1, 52.7, 87.0, 94.9),
        "matcher",
        "the weights `dinov2_large` and `sam_vit_h` (both Apache-2.0)",
    ),
    Row(
        "Matcher-Z",
        "ICLR 2024",
        False,
        IMAGE,
        (22.9, 23.2, 22.2, 22.8, 22.8, 81.2, 88.3),
        "matcher_z",
        "the weights `dinov2_large`, `sam_vit_h` and `tsdn`",
    ),
    Row(
        "IPSeg",
        "2024",
        False,
        IMAGE,
        (40.9, 44.9, 40.1, 46.2, 43.0, 82.7, 92.7),
        "ipseg",
        "the weights `dinov2_base`, `sd15`, `tsdn` and `sam_vit_h`",
    ),
)

ZERO_SHOT: tuple[Row, ...] = (
    Row(
        "SPNet",
        "CVPR 2019",
        True,
        TEXT,
        (8.7, 15.6, 4.0),
        takes="code (MIT) at subhc/SPNet; training on the seen classes of each dataset, with word vectors",
    ),
    Row(
        "ZS3",
        "NeurIPS 2019",
        True,
        TEXT,
        (9.5, 17.7, 7.7),
        takes="code (Apache-2.0) at valeoai/ZS3; training on the seen classes of each dataset, with word vectors",
    ),
    Row(
        "CaGNet",
        "MM 2020",
        True,
        TEXT,
        (13.9, 29.9, 15.0),
        takes="code and one checkpoint for each dataset at bcmi/CaGNet-Zero-Shot-Semantic-Segmentation, for "
        "non-commercial use; word vectors",
    ),
    Row(
        "SIGN",
        "ICCV 2021",
        True,
        TEXT,
        (15.5, 28.9, 14.9),
        takes="no code or weights that we could find; training on the seen classes, with word vectors",
    ),
    Row(
        "ViL-Seg",
        "ECCV 2022",
        True,
        TEXT,
        (16.4, 34.4, 16.3),
        takes="no code or weights that we could find; training on images with captions",
    ),
    Row(
        "GroupViT",
        "CVPR 2022",
        True,
        TEXT,
        (16.1, 79.0, 49.2),
        "groupvit",
        "the weights `groupvit` (see the model's page)",
    ),
    Row(
        "TCL",
        "CVPR 2023",
        True,
        TEXT,
        (27.6, 84.5, 62.0),
        takes="code and a checkpoint at kakaobrain/tcl (see its page for the licence), which want mmcv-full 1.6 and "
        "mmsegmentation 0.27, older than the torch that is used here",
    ),
    Row(
        "IPSeg",
        "2024",
        False,
        IMAGE,
        (32.7, 57.9, 67.7),
        "ipseg",
        "the weights `dinov2_base`, `sd15`, `tsdn` and `sam_vit_h`",
    ),
)

TABLES: Mapping[str, tuple[tuple[str, ...], tuple[Row, ...]]] = {
    "Table 1, few-shot": (TABLE_1, FEW_SHOT),
    "Table 2, zero-shot": (TABLE_2, ZERO_SHOT),
}
CAVEAT = (
    "The paper's own figures (mIoU in per cent), copied from it; none of them was measured here. Its text gives IPSeg "
    "231 % more than ViL-Seg on PASCAL-Context, but 67.7 against 16.3 is 315 % more; both stand as printed."
)


def markdown() -> str:
    """Every method of both tables, its figures, and what it takes to run it here: one table, for ``docs/rivals.md``.

    Of the four folds of COCO-20i the mean is shown; :data:`FEW_SHOT` has them all.
    """
    shots = {row.method: dict(zip(TABLE_1, row.figures, strict=True)) for row in FEW_SHOT}
    zeros = {row.method: dict(zip(TABLE_2, row.figures, strict=True)) for row in ZERO_SHOT}
    rows = {row.method: row for row in (*ZERO_SHOT, *FEW_SHOT)}
    columns = ("Mean", "FSS", "PerSeg", *TABLE_2)
    head = ("method", "published", "trained", "is shown", "COCO-20i", *columns[1:], "here", "takes")
    lines = [
        [
            row.method,
            row.published,
            "yes" if row.trained else "no",
            row.prompt,
            *(_figure({**shots.get(name, {}), **zeros.get(name, {})}.get(column)) for column in columns),
            f"`{row.plugin}`" if row.plugin else "not run",
            row.takes,
        ]
        for name, row in sorted(rows.items(), key=lambda item: item[0] not in shots)
    ]
    return f"{CAVEAT}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines]) + "\n"


def _figure(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.1f}"
