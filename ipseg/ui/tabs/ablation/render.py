"""What the tab "Ablation" shows: one message, one table and its images for each section."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipseg.core.masks import iou
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, Mask
from ipseg.studies import ablation
from ipseg.studies.ablation import Ablation, AblationResult, Colours, Pair, PatchSimilarity
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.tabs.ablation import figures as draw
from ipseg.ui.widgets import legend

NAMES = {  # feature layers and scorings: plain words, with the technical name in brackets
    "texture": "Colour and texture",
    "efficientnet": "Joined layers (EfficientNet)",
    "dinov2": "Features of DINOv2",
    "clip": "Features of CLIP",
    "mae": "Features of MAE",
    "s3": "Stable Diffusion, fine (s3)",
    "s4": "Stable Diffusion, middle (s4)",
    "s5": "Stable Diffusion, coarse (s5)",
    "fused": "All features together",
    "with sd": "With Stable Diffusion",
    "without sd": "Without Stable Diffusion",
    "sd": "Stable Diffusion alone",
    "cosine": "Object alone (cosine)",
    "backgrounds": "Object against backgrounds (log odds)",
    "prior": "Backgrounds and saliency too (prior)",
    "without background": "Object alone, without the background",
    "one neighbour": "The nearest cell alone",
    "without colour": "Without colour",
}
BLOCK = re.compile(r"block(\d+)(?:@(\d+))?")  # a layer of EfficientNet, at another size of the image
METHODS = {
    "own": "As the engine has it",
    "none": "No saliency mask",
    "true": "The true mask",
    "boundary": "Boundary",
    "tokencut": "TokenCut",
    "tsdn": "TSDN",
    "u2net": "U2-Net-p, supervised",
}
NO_SD = (
    "There is no “with and without Stable Diffusion” here: {reason}. The presets paper and released compare with it; "
    "they need a GPU and weights (see Settings)."
)
LACKING = "c points need at least as many cells, K"
SAME_MASKS = "The mask is the same, to an IoU of 0.98, for every K and c."
WHOLE = (
    '<p class="aside">This engine gives its segmenter the similarity map beside the points, so K and c change little '
    "here; they matter for a segmenter that gets the points alone, as in the paper.</p>"
)


@dataclass(frozen=True)
class View:
    """The results with what it is measured against: the truth, else the engine's own answer."""

    results: Ablation
    pair: Pair
    whole: bool = False  # whether the segmenter gets the whole similarity beside the points
    notices: tuple[str, ...] = ()  # what was assumed about the masks, one message each

    @property
    def reference(self) -> Mask:
        """(H, W) bool."""
        return self.results.own.mask if self.pair.truth is None else self.pair.truth

    @property
    def measured(self) -> str:
        """The reference, in words."""
        return "the engine's own answer" if self.pair.truth is None else "the true mask"

    def iou(self, answer: AblationResult) -> float:
        """With the reference."""
        return iou(answer.mask, self.reference)

    def separation(self, answer: AblationResult) -> float:
        """How often a pixel of the object is more similar than one of the background."""
        return 0.5 if answer.map is None else ablation.separation(answer.map, self.reference)


def steps(view: View) -> str:
    """From the prompt to the mask, in the order of Fig. 3."""
    results, pair = view.results, view.pair
    alike = results.similarities[ablation.own_variant(results.similarities)]
    return draw.figures(
        [
            (pair.prompt, "1. The prompt"),
            (draw.spotlight(pair.prompt, results.own), "2. Saliency: bright is the object"),
            (draw.heat(pair.image, alike), "3. Similarity: red is similar"),
            (draw.overlay(pair.image, results.own), "4. Points and mask"),
        ]
    )


def verdict(view: View, engine: str) -> str:
    """The status of the answer, and the IoU of its mask."""
    own, known = view.results.own, view.pair.truth is not None
    drawn = {Status.UNCERTAIN: "; the mask is in blue", Status.NOT_DETECTED: "; the best guess is in grey"}
    head = f"<b>{own.status.words.capitalize()}</b>{drawn.get(own.status, '')}."
    score = (
        f"IoU <b>{view.iou(own):.2f}</b> with the true mask."
        if known
        else "Without a true mask, every IoU below is with the engine's own answer."
    )
    more = "".join(f'<br><span class="aside">{html.escape(notice)}</span>' for notice in view.notices)
    return draw.message(f'{head} {score} <span class="aside">Engine {html.escape(engine)}.</span>{more}')


def features(view: View) -> str:
    """Fig. 4: every layer of both images as colours."""
    seen = view.results.colours
    best = max(seen, key=lambda one: one.same - one.background)
    which = "of the object" if view.pair.truth is not None else "of the answer"
    apart = "apart" if best.same - best.background > 0.1 else "hardly apart"
    text = (
        f"{_name(best.name)} sets the object <b>{apart}</b> from its background: the mean features {which} in the two "
        f"images have a cosine of <b>{best.same:.2f}</b>, those of the object and the searched image's background "
        f"<b>{best.background:.2f}</b>; the three colours hold {best.held:.0%} of their variance."
    )
    rows = {_name(one.name): [f"{one.same:.2f}", f"{one.background:.2f}", f"{one.held:.0%}"] for one in seen}
    heads = ["similarity of object and object", "of object and background", "variance in three colours"]
    table = draw.table(heads, rows) if len(seen) > 1 else ""
    first = [(view.pair.prompt, "The prompt"), (view.pair.image, "The searched image")]
    rest = [tile for one in seen if one is not best for tile in _layer(one)]
    more = draw.folded(f"The other layers ({len(seen) - 1})", draw.figures(rest, "pairs")) if rest else ""
    return draw.message(text) + draw.figures([*first, *_layer(best)], "pairs") + table + more


def _layer(one: Colours) -> list[tuple[ImageArray, str]]:
    return [(one.prompt, f"{_name(one.name)}, prompt"), (one.image, f"{_name(one.name)}, searched")]


def similarity(view: View, layers: Sequence[str]) -> str:
    """Fig. 5 and 8, Table 3: what each source, and all together, mark as similar."""
    found = view.results.similarities
    rows = {_name(name): [f"{view.separation(one):.1%}", f"{view.iou(one):.2f}"] for name, one in found.items()}
    table = draw.table(
        ["object pixels above background", f"IoU with {view.measured}"], rows, own=_name(ablation.own_variant(found))
    )
    tiles = {
        name: (draw.heat(view.pair.image, one), f"{_name(name)}: IoU {view.iou(one):.2f}{_range(one)}")
        for name, one in found.items()
    }
    shown = ablation.distinct(found, ablation.own_variant(found))
    notes = ""
    if "with sd" not in found:
        names = [_name(name) for name in layers if name != ablation.FUSED or len(layers) == 1]
        has = ", ".join(f"{name[0].lower()}{name[1:]}" for name in names)
        notes = f'<p class="aside">{html.escape(NO_SD.format(reason=f"the features of this engine are {has}"))}</p>'
    scale = legend.similarity_legend("Similarity, of each image over its own range", "lowest", "highest")
    return draw.message(_of_similarity(view)) + _where_it_changes(tiles, shown) + scale + table + notes


def _range(one: AblationResult) -> str:
    """What the two ends of the colour scale are."""
    return "" if one.map is None else f"; similarity from {one.map.min():.2f} to {one.map.max():.2f}"


def _of_similarity(view: View) -> str:
    found = view.results.similarities
    own = ablation.own_variant(found)
    if len(found) == 1:
        share = view.separation(found[own])
        return f"A pixel of the object is more similar than one of the background in <b>{share:.1%}</b> of all pairs."
    best = max((name for name in found if name != own), key=lambda name: view.iou(found[name]))
    other = "without sd" if own == "with sd" else best
    ranked, used = (view.separation(found[name]) for name in (other, own))
    gain = view.iou(found[own]) - view.iou(found[other])
    result = "better" if gain > 0.02 else ("about as well" if gain > -0.02 else "worse")
    return (
        f"“{_name(own)}”, which the engine uses, answers <b>{result}</b> here than “{_name(other)}”: IoU "
        f"<b>{view.iou(found[own]):.2f}</b> against {view.iou(found[other]):.2f}; it puts a pixel of the object above "
        f"one of the background in <b>{used:.1%}</b> of all pairs, against {ranked:.1%}."
    ).replace("about as well</b> here than", "about as well</b> here as")


def saliency(view: View) -> str:
    """Table 6: how the background of the prompt is masked out, and the resulting masks."""
    found = view.results.saliencies
    rows: dict[str, list[str] | str] = {}
    tiles = {}
    for name, one in found.items():
        label = METHODS.get(name, name)
        if one.map is None:
            rows[label] = without_folders(one.error)
            continue
        fit = [] if view.pair.prompt_mask is None else [f"{iou(one.map > 0.5, view.pair.prompt_mask):.2f}"]
        rows[label] = [*fit, f"{view.iou(one):.2f}"]
        tiles[name] = draw.spotlight(view.pair.prompt, one), f"{label}; answer's IoU {view.iou(one):.2f}"
    shown = ablation.distinct(found, ablation.OWN)
    heads = [] if view.pair.prompt_mask is None else ["IoU of the saliency with the object's true mask"]
    heads += [f"IoU of the answer with {view.measured}"]
    text = _of_saliency(view, {name: view.iou(one) for name, one in found.items() if one.map is not None})
    return draw.message(text) + _where_it_changes(tiles, shown) + draw.table(heads, rows, own=METHODS["own"])


def _where_it_changes(tiles: Mapping[Any, tuple[ImageArray, str]], shown: Sequence[Any]) -> str:
    """The images of the results that differ, and folded those whose mask is that of another one."""
    rest = [tile for name, tile in tiles.items() if name not in shown]
    title = f"Others with about the same mask as one of these ({len(rest)})"
    return draw.figures([tiles[name] for name in shown]) + (draw.folded(title, draw.figures(rest)) if rest else "")


def _of_saliency(view: View, scores: Mapping[str, float]) -> str:
    name = METHODS.get(view.results.detector, view.results.detector)
    parts = [f"With the engine's own ({html.escape(name)}) the IoU is <b>{scores['own']:.2f}</b>"]
    if "none" in scores:
        parts.append(f"without a saliency mask <b>{scores['none']:.2f}</b>")
    if "true" in scores:
        parts.append(f"with the true mask of the prompt <b>{scores['true']:.2f}</b>")
    end = ""
    if "true" in scores and scores["true"] < scores["own"] - 0.02:
        end = " Here a perfect mask of the prompt does not help."
    return ", ".join(parts) + "." + end


def grid(view: View) -> str:
    """Table 4: the mask of every K and c."""
    scores = {numbers: view.iou(one) for numbers, one in view.results.grid.items()}
    own, low, high = scores[view.results.setting], min(scores.values()), max(scores.values())
    k, clusters = view.results.setting
    better = sum(score > own + 0.005 for score in scores.values())
    rank = f"{better} of {len(scores)} settings are better" if better else "no other setting is better"
    span = f"goes from <b>{low:.2f}</b> to <b>{high:.2f}</b>" if high - low >= 0.01 else f"stays at <b>{own:.2f}</b>"
    text = (
        f"Over the grid, the IoU with {view.measured} {span}; the preset's own K = {k}, c = {clusters} has "
        f"<b>{own:.2f}</b>, and {rank}."
    )
    shown = ablation.distinct(view.results.grid, view.results.setting)
    tiles = [(draw.overlay(view.pair.image, view.results.grid[each]), _setting(view, each)) for each in shown]
    same = "" if len(shown) > 1 else f'<p class="aside">{SAME_MASKS}</p>'
    every = draw.folded(f"All {len(scores)} masks", _cells(view, view.results.grid, _mask_cell, "grid"))
    heat = f"{_heat_map(view, scores)}{same}"
    both = f'<div class="beside"><div>{heat}</div>{draw.figures(tiles)}</div>'
    return draw.message(text) + both + (WHOLE if view.whole else "") + every


def _setting(view: View, numbers: tuple[int, int]) -> str:
    """A setting of the grid in words, with its IoU."""
    own = " (the preset's)" if numbers == view.results.setting else ""
    return f"K {numbers[0]}, c {numbers[1]}{own}: IoU {view.iou(view.results.grid[numbers]):.2f}"


def _heat_map(view: View, scores: Mapping[tuple[int, int], float]) -> str:
    """The IoU of every K and c in its colour, and a legend. The scale spans a fifth or more: noise is one hue."""
    high = math.ceil(max(scores.values()) * 10 - 1e-9) / 10
    low = max(0.0, min(math.floor(min(scores.values()) * 10 + 1e-9) / 10, high - 0.2))

    def cell(view: View, numbers: tuple[int, int]) -> str:
        own, (fill, text) = numbers == view.results.setting, draw.colour_of(scores[numbers], low, max(high, low + 0.2))
        title = ' title="the setting of the preset"' if own else ""
        note = '<span class="note">preset</span>' if own else ""
        style = f"background: {fill} !important; color: {text} !important"
        return f'<td{_own(own)}{title} style="{style}">{scores[numbers]:.2f}{note}</td>'

    table = _cells(view, view.results.grid, cell, "heat")
    return table + legend.legend(f"IoU with {view.measured}", f"{low:.1f}", f"{max(high, low + 0.2):.1f}")


def record(view: View, engine: str) -> dict[str, Any]:
    """The numbers as plain data."""
    results = view.results

    def scored(found: Mapping[Any, AblationResult]) -> dict[str, Any]:
        return {str(name): without_folders(one.error) or round(view.iou(one), 4) for name, one in found.items()}

    return {
        "engine": engine,
        "notices": list(view.notices),
        "iou_with": "answer" if view.pair.truth is None else "truth",
        "status": results.own.status.value,
        "iou": round(view.iou(results.own), 4),
        "features": {
            one.name: {"same": round(one.same, 4), "background": round(one.background, 4), "held": round(one.held, 4)}
            for one in results.colours
        },
        "similarity": scored(results.similarities),
        "separation": {name: round(view.separation(one), 4) for name, one in results.similarities.items()},
        "saliency": scored(results.saliencies),
        "setting": dict(zip(("k", "clusters"), results.setting, strict=True)),
        "grid": [{"k": k, "clusters": c, "iou": round(view.iou(one), 4)} for (k, c), one in results.grid.items()],
    }


def _cells(
    view: View, found: Collection[tuple[int, int]], cell: Callable[[View, tuple[int, int]], str], kind: str
) -> str:
    """A table of the settings: K from row to row, c from column to column."""
    ks, clusters = sorted({k for k, _ in found}), sorted({c for _, c in found})
    head = "".join(f'<th scope="col">c {c}</th>' for c in clusters)
    none = f'<td class="none" title="{LACKING}">–</td>'
    body = "".join(
        f'<tr><th scope="row">K {k}</th>'
        f"{''.join(cell(view, (k, c)) if (k, c) in found else none for c in clusters)}</tr>"
        for k in ks
    )
    why = f'<p class="aside">–: {LACKING}.</p>' if len(found) < len(ks) * len(clusters) else ""
    return f'<table class="{kind}"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>{why}'


def _mask_cell(view: View, numbers: tuple[int, int]) -> str:
    one, own = view.results.grid[numbers], numbers == view.results.setting
    k, clusters = numbers
    image = draw.img(draw.overlay(view.pair.image, one), f"The mask of K {k}, c {clusters}", draw.SMALL)
    note = "<span> preset</span>" if own else ""
    return f"<td{_own(own)}>{image}<b>{view.iou(one):.2f}</b>{note}</td>"


def _own(own: bool) -> str:
    return ' class="own"' if own else ""


def patch(found: PatchSimilarity, where: str, other: str, limits: tuple[float, float]) -> str:
    """Where a patch was pressed, and the cosines of its matches. ``where``, ``other``: the two images in words.

    ``limits``: the lowest and the highest similarity on the map, for its colour scale.
    """
    scores = ", ".join(f"<b>{number}</b>: {score:.2f}" for number, score in enumerate(found.scores, 1))
    text = (
        f"The patch in the frame is of {where}. The most similar patches of {other}, numbered there, and their "
        f"similarity (cosine): {scores}."
    )
    low, high = (f"{each:.2f}" for each in limits)
    return draw.message(text) + legend.similarity_legend(f"Similarity (cosine) in {other}", low, high)


def _name(name: str) -> str:
    """A layer or scoring in plain words, with its technical name."""
    block = BLOCK.fullmatch(name)
    if block is None:
        return NAMES.get(name, name)
    depth = "Early" if int(block[1]) < 8 else "Middle" if int(block[1]) < 13 else "Late"
    return f"{depth} layer ({name})"
