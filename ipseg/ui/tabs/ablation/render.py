"""What the tab "Ablation" shows: one message, one table and its images for each section."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipseg.core.status import Status
from ipseg.core.types import Mask
from ipseg.evaluation.metrics import iou
from ipseg.studies import ablation
from ipseg.studies.ablation import Ablation, AblationResult, Pair
from ipseg.ui.server.redaction import without_folders
from ipseg.ui.tabs.ablation import figures as draw

NAMES = {  # feature layers and scorings
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
    "cosine": "Cosine alone",
    "backgrounds": "Against the backgrounds",
    "prior": "With saliency too",
}
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
    heads = ["object, object", "object, background", "variance in three colours"]
    table = draw.table(heads, rows) if len(seen) > 1 else ""
    tiles = [(view.pair.prompt, "The prompt"), (view.pair.image, "The searched image")]
    for one in seen:
        tiles += [(one.prompt, f"{_name(one.name)}, prompt"), (one.image, f"{_name(one.name)}, searched")]
    return draw.message(text) + draw.figures(tiles, "pairs") + table


def similarity(view: View, layers: Sequence[str]) -> str:
    """Fig. 5 and 8, Table 3: what each source, and all together, mark as similar."""
    found = view.results.similarities
    rows = {_name(name): [f"{view.separation(one):.1%}", f"{view.iou(one):.2f}"] for name, one in found.items()}
    table = draw.table(["pixel pairs in order", "IoU"], rows, own=_name(ablation.own_variant(found)))
    tiles = [
        (draw.heat(view.pair.image, one), f"{_name(name)}: IoU {view.iou(one):.2f}") for name, one in found.items()
    ]
    notes = ""
    if "with sd" not in found:
        has = ", ".join("colour and texture" if name == "texture" else _name(name) for name in layers)
        notes = f'<p class="aside">{html.escape(NO_SD.format(reason=f"the features of this engine are {has}"))}</p>'
    return draw.message(_of_similarity(view)) + draw.figures(tiles) + table + notes


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
    tiles = []
    for name, one in found.items():
        label = METHODS.get(name, name)
        if one.map is None:
            rows[label] = without_folders(one.error)
            continue
        fit = [] if view.pair.prompt_mask is None else [f"{iou(one.map > 0.5, view.pair.prompt_mask):.2f}"]
        rows[label] = [*fit, f"{view.iou(one):.2f}"]
        tiles.append((draw.spotlight(view.pair.prompt, one), f"{label}; answer's IoU {view.iou(one):.2f}"))
    heads = ([] if view.pair.prompt_mask is None else ["its mask, IoU"]) + ["the answer, IoU"]
    text = _of_saliency(view, {name: view.iou(one) for name, one in found.items() if one.map is not None})
    return draw.message(text) + draw.figures(tiles) + draw.table(heads, rows, own=METHODS["own"])


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
    return draw.message(text) + _cells(view, view.results.grid) + (WHOLE if view.whole else "")


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


def _cells(view: View, found: Mapping[tuple[int, int], AblationResult]) -> str:
    """A table of small images: K from row to row, c from column to column."""
    ks, clusters = sorted({k for k, _ in found}), sorted({c for _, c in found})
    head = "".join(f'<th scope="col">c {c}</th>' for c in clusters)
    body = "".join(
        f'<tr><th scope="row">K {k}</th>{"".join(_cell(view, found, (k, c)) for c in clusters)}</tr>' for k in ks
    )
    return f'<table class="grid"><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>'


def _cell(view: View, found: Mapping[tuple[int, int], AblationResult], numbers: tuple[int, int]) -> str:
    if numbers not in found:
        return '<td class="none" title="c may not be above K">–</td>'
    one, own = found[numbers], numbers == view.results.setting
    k, clusters = numbers
    image = draw.img(draw.overlay(view.pair.image, one), f"The mask of K {k}, c {clusters}", draw.SMALL)
    mark = ' class="own"' if own else ""
    note = "<span> preset</span>" if own else ""
    return f"<td{mark}>{image}<b>{view.iou(one):.2f}</b>{note}</td>"


def _name(name: str) -> str:
    return NAMES.get(name, name)
