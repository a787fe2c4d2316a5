"""What the tab "Ablation" says and shows of a look: one message, one table and its images for each section."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipseg.core.types import Mask
from ipseg.evaluation.metrics import iou
from ipseg.studies import ablation
from ipseg.studies.ablation import Ablation, Answer, Pair
from ipseg.ui import _figures as draw
from ipseg.ui._redaction import without_folders

NAMES = {  # layers and ways
    "texture": "Colour and texture",
    "dinov2": "DINOv2",
    "clip": "CLIP",
    "mae": "MAE",
    "s3": "SD s3, fine",
    "s4": "SD s4",
    "s5": "SD s5, coarse",
    "fused": "All fused",
    "with sd": "With SD",
    "without sd": "Without SD",
    "sd": "SD alone",
    "cosine": "Cosine alone, cut in two",
    "grounds": "Against the backgrounds",
    "prior": "With saliency too",
}
METHODS = {
    "own": "As the engine has it",
    "none": "Nothing hidden",
    "true": "The true mask",
    "boundary": "Boundary",
    "tokencut": "TokenCut",
    "tsdn": "TSDN",
    "u2net": "U2-Net-p, supervised",
}
NO_SD = (
    "There is no “with and without Stable Diffusion” here: {reason}. The presets paper and released compare with it; "
    "they want a GPU and weights (see Settings)."
)
WHOLE = (
    '<p class="aside">This engine hands its segmenter the whole similarity beside the points, so K and c move little '
    "here; they count for a segmenter that gets the points alone, as in the paper.</p>"
)


@dataclass(frozen=True)
class Told:
    """A look with what it is measured against: the truth, else the engine's own answer."""

    look: Ablation
    pair: Pair
    whole: bool = False  # whether the segmenter gets the whole similarity beside the points

    @property
    def reference(self) -> Mask:
        """(H, W) bool."""
        return self.look.own.mask if self.pair.truth is None else self.pair.truth

    @property
    def measured(self) -> str:
        """The same in words."""
        return "the engine's own answer" if self.pair.truth is None else "the true mask"

    def iou(self, answer: Answer) -> float:
        """With the reference."""
        return iou(answer.mask, self.reference)

    def told_apart(self, answer: Answer) -> float:
        """How often a pixel of the object is more similar than one of the ground."""
        return 0.5 if answer.map is None else ablation.separation(answer.map, self.reference)


def steps(told: Told) -> str:
    """From the prompt to the mask, in the order of Fig. 3."""
    look, pair = told.look, told.pair
    alike = look.similarities[ablation.own_way(look.similarities)]
    return draw.figures(
        [
            (pair.prompt, "1. The prompt"),
            (draw.spotlight(pair.prompt, look.own), "2. What of it counts: bright is the object"),
            (draw.heat(pair.image, alike), "3. Similarity: red is like the object"),
            (draw.overlay(pair.image, look.own), "4. Points and mask"),
        ]
    )


def verdict(told: Told, engine: str) -> str:
    """Found or not, and how well."""
    own, known = told.look.own, told.pair.truth is not None
    head = "<b>Found.</b>" if own.found else "<b>Not found</b>; the best guess is in grey."
    score = (
        f"IoU <b>{told.iou(own):.2f}</b> with the true mask."
        if known
        else "Without a true mask, every IoU below is with the engine's own answer."
    )
    return draw.said(f'{head} {score} <span class="aside">Engine {html.escape(engine)}.</span>')


def features(told: Told) -> str:
    """Fig. 4: every layer of both images as colours."""
    seen = told.look.colours
    best = max(seen, key=lambda one: one.same - one.ground)
    which = "of the object" if told.pair.truth is not None else "of the answer"
    apart = "apart" if best.same - best.ground > 0.1 else "hardly apart"
    text = (
        f"{_name(best.name)} holds the object and its background <b>{apart}</b>: the mean features {which} in the two "
        f"images have a cosine of <b>{best.same:.2f}</b>, those of the object and the searched image's ground "
        f"<b>{best.ground:.2f}</b>; the three colours hold {best.held:.0%} of what it says."
    )
    rows = {_name(one.name): [f"{one.same:.2f}", f"{one.ground:.2f}", f"{one.held:.0%}"] for one in seen}
    table = draw.table(["thing, thing", "thing, ground", "in three colours"], rows) if len(seen) > 1 else ""
    tiles = [(told.pair.prompt, "The prompt"), (told.pair.image, "The searched image")]
    for one in seen:
        tiles += [(one.prompt, f"{_name(one.name)}, prompt"), (one.image, f"{_name(one.name)}, searched")]
    return draw.said(text) + draw.figures(tiles, "pairs") + table


def similarity(told: Told, layers: Sequence[str]) -> str:
    """Fig. 5 and 8, Table 3: what each source, and all together, take for alike."""
    found = told.look.similarities
    rows = {_name(name): [f"{told.told_apart(one):.1%}", f"{told.iou(one):.2f}"] for name, one in found.items()}
    table = draw.table(["pixels told apart", "IoU"], rows, own=_name(ablation.own_way(found)))
    tiles = [
        (draw.heat(told.pair.image, one), f"{_name(name)}: IoU {told.iou(one):.2f}") for name, one in found.items()
    ]
    notes = ""
    if "with sd" not in found:
        has = ", ".join("colour and texture" if name == "texture" else _name(name) for name in layers)
        notes = f'<p class="aside">{html.escape(NO_SD.format(reason=f"the features of this engine are {has}"))}</p>'
    return draw.said(_of_similarity(told)) + draw.figures(tiles) + table + notes


def _of_similarity(told: Told) -> str:
    found = told.look.similarities
    own = ablation.own_way(found)
    if len(found) == 1:
        share = told.told_apart(found[own])
        return f"A pixel of the object is more similar than one of the ground in <b>{share:.1%}</b> of all pairs."
    best = max((name for name in found if name != own), key=lambda name: told.iou(found[name]))
    other = "without sd" if own == "with sd" else best
    ranked, used = (told.told_apart(found[name]) for name in (other, own))
    gain = told.iou(found[own]) - told.iou(found[other])
    result = "better" if gain > 0.02 else ("about as well" if gain > -0.02 else "worse")
    return (
        f"“{_name(own)}”, which the engine uses, answers <b>{result}</b> here than “{_name(other)}”: IoU "
        f"<b>{told.iou(found[own]):.2f}</b> against {told.iou(found[other]):.2f}; it puts a pixel of the object above "
        f"one of the ground in <b>{used:.1%}</b> of all pairs, against {ranked:.1%}."
    ).replace("about as well</b> here than", "about as well</b> here as")


def saliency(told: Told) -> str:
    """Table 6: what hides the ground of the prompt, and what comes of it."""
    found = told.look.saliencies
    rows: dict[str, list[str] | str] = {}
    tiles = []
    for name, one in found.items():
        label = METHODS.get(name, name)
        if one.map is None:
            rows[label] = without_folders(one.error)
            continue
        fit = [] if told.pair.thing is None else [f"{iou(one.map > 0.5, told.pair.thing):.2f}"]
        rows[label] = [*fit, f"{told.iou(one):.2f}"]
        tiles.append((draw.spotlight(told.pair.prompt, one), f"{label}; answer's IoU {told.iou(one):.2f}"))
    heads = ([] if told.pair.thing is None else ["its mask, IoU"]) + ["the answer, IoU"]
    text = _of_saliency(told, {name: told.iou(one) for name, one in found.items() if one.map is not None})
    return draw.said(text) + draw.figures(tiles) + draw.table(heads, rows, own=METHODS["own"])


def _of_saliency(told: Told, scores: Mapping[str, float]) -> str:
    words = [f"With the engine's own ({html.escape(told.look.detector)}) the IoU is <b>{scores['own']:.2f}</b>"]
    if "none" in scores:
        words.append(f"with nothing hidden <b>{scores['none']:.2f}</b>")
    if "true" in scores:
        words.append(f"with the true mask of the prompt <b>{scores['true']:.2f}</b>")
    end = ""
    if "true" in scores and scores["true"] < scores["own"] - 0.02:
        end = " Here a perfect mask of the prompt does not help."
    return ", ".join(words) + "." + end


def grid(told: Told) -> str:
    """Table 4: the mask of every K and c."""
    scores = {numbers: told.iou(one) for numbers, one in told.look.grid.items()}
    own, low, high = scores[told.look.setting], min(scores.values()), max(scores.values())
    k, clusters = told.look.setting
    better = sum(score > own + 0.005 for score in scores.values())
    rank = f"{better} of {len(scores)} settings are better" if better else "no other setting is better"
    span = f"goes from <b>{low:.2f}</b> to <b>{high:.2f}</b>" if high - low >= 0.01 else f"stays at <b>{own:.2f}</b>"
    text = (
        f"Over the grid, the IoU with {told.measured} {span}; the preset's own K = {k}, c = {clusters} has "
        f"<b>{own:.2f}</b>, and {rank}."
    )
    return draw.said(text) + _cells(told, told.look.grid) + (WHOLE if told.whole else "")


def record(told: Told, engine: str) -> dict[str, Any]:
    """The numbers as plain data."""
    look = told.look

    def scored(found: Mapping[Any, Answer]) -> dict[str, Any]:
        return {str(name): without_folders(one.error) or round(told.iou(one), 4) for name, one in found.items()}

    return {
        "engine": engine,
        "iou_with": "answer" if told.pair.truth is None else "truth",
        "found": look.own.found,
        "iou": round(told.iou(look.own), 4),
        "features": {
            one.name: {"same": round(one.same, 4), "ground": round(one.ground, 4), "held": round(one.held, 4)}
            for one in look.colours
        },
        "similarity": scored(look.similarities),
        "told_apart": {name: round(told.told_apart(one), 4) for name, one in look.similarities.items()},
        "saliency": scored(look.saliencies),
        "setting": dict(zip(("k", "clusters"), look.setting, strict=True)),
        "grid": [{"k": k, "clusters": c, "iou": round(told.iou(one), 4)} for (k, c), one in look.grid.items()],
    }


def _cells(told: Told, found: Mapping[tuple[int, int], Answer]) -> str:
    """A table of small images: K from row to row, c from column to column."""
    ks, clusters = sorted({k for k, _ in found}), sorted({c for _, c in found})
    head = "".join(f'<th scope="col">c {c}</th>' for c in clusters)
    body = "".join(
        f'<tr><th scope="row">K {k}</th>{"".join(_cell(told, found, (k, c)) for c in clusters)}</tr>' for k in ks
    )
    return f'<table class="grid"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cell(told: Told, found: Mapping[tuple[int, int], Answer], numbers: tuple[int, int]) -> str:
    if numbers not in found:
        return '<td class="none" title="c may not be above K">–</td>'
    one, own = found[numbers], numbers == told.look.setting
    k, clusters = numbers
    picture = draw.image(draw.overlay(told.pair.image, one), f"The mask of K {k}, c {clusters}", draw.SMALL)
    mark = ' class="own"' if own else ""
    note = "<span> preset</span>" if own else ""
    return f"<td{mark}>{picture}<b>{told.iou(one):.2f}</b>{note}</td>"


def _name(name: str) -> str:
    return NAMES.get(name, name)
