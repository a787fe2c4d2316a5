"""Tables of runs: one row per run, or one of the paper's with its figures beside ours."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ipseg.evaluation import published
from ipseg.evaluation.results import NAMES
from ipseg.evaluation.runs import Run
from ipseg.evaluation.scoring import Score

NOT_MEASURED = "not measured"
FORMATS = ("markdown", "csv", "latex")
COLUMNS: Mapping[str, tuple[str, int | None, str]] = {  # of the paper's tables: dataset, fold, metric
    **{f"Fold{fold}": ("coco20i", fold, "miou") for fold in range(4)},
    "Mean": ("coco20i", None, "miou"),
    "FSS": ("fss1000", None, "miou"),
    "PerSeg": ("perseg", None, "miou"),
    "COCO-Stuff": ("coco_stuff", None, "miou"),
    "PASCAL-VOC": ("pascal_voc", None, "miou"),
    "PASCAL-Context": ("pascal_context", None, "miou"),
    "J": ("davis2017", None, "j"),
    "F": ("davis2017", None, "f"),
    "Pascal-Part": ("pascal_part", None, "miou"),
    "PACO-Part": ("paco_part", None, "miou"),
    "LVIS-92i": ("lvis92i", None, "miou"),
}
FOLDS = {"coco20i": 4, "lvis92i": 10, "paco_part": 4, "pascal_part": 4}
FILTERS = {"none": "w/o TSDN", "tsdn": "with TSDN", "a2s": "with A2S"}
EXTRACTORS = {"mae": "MAE", "clip": "CLIP", "dinov2": "DINOv2"}


@dataclass(frozen=True)
class Measured:
    """A run with its score."""

    run: Run
    score: Score

    @property
    def settings(self) -> Mapping[str, Any]:
        """What decided the predictions."""
        return self.run.settings

    @property
    def engine(self) -> str:
        """The preset, and what differs from it."""
        return str(self.settings["engine"]["name"])

    @property
    def method(self) -> str:
        """The plug-in that predicted."""
        return str(self.settings["method"]["name"])

    @property
    def complete(self) -> bool:
        """Whether every episode is predicted."""
        return self.score.episodes == self.score.notes["of"]


@dataclass(frozen=True)
class Table:
    """Texts in rows under columns, with a title and notes."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def render(self, form: str) -> str:
        """As one of :data:`FORMATS`."""
        return {"markdown": _markdown, "csv": _csv, "latex": _latex}[form](self)


def of_runs(measured: Sequence[Measured]) -> Table:
    """One row per run: its dataset, its prompts, how many episodes, and every metric with its interval."""
    names = [name for name in NAMES if any(name in each.score.metrics for each in measured)]
    rows = tuple(
        (
            each.run.record["title"],
            each.engine,
            _dataset(each),
            _prompts(each),
            _count(each),
            *(_with_interval(each.score, name) for name in names),
        )
        for each in measured
    )
    columns = ("method", "engine", "dataset", "prompt", "episodes", *(NAMES[name] for name in names))
    return Table("Runs", columns, rows, _protocols(measured))


def of_paper(number: str, measured: Sequence[Measured]) -> Table:
    """A table of the paper: under each of its rows ours, or that it was not measured; then rows that only we have.

    Anchors of 2026 follow where the table has their datasets. Raises KeyError for a table that the paper has not.
    """
    title, columns, lines = published.table(number)
    label = _labels(number)
    ours: dict[str, dict[str, list[Measured]]] = {}
    for each in measured:
        if any(COLUMNS[column][0] == each.settings["dataset"]["name"] for column in columns):
            ours.setdefault(label(each), {}).setdefault(_setting(each, number), []).append(each)
    rows: list[tuple[str, ...]] = []
    for line in lines:
        rows.append((line.label, line.source if number in ("1", "2") else "the paper", *map(_figure, line.figures)))
        found = ours.pop(line.label, {})
        rows += [(line.label, f"measured: {name}", *_cells(columns, runs)) for name, runs in sorted(found.items())]
        if not found:
            rows.append((line.label, NOT_MEASURED, *([NOT_MEASURED] * len(columns))))
    for name, settings in sorted(ours.items()):
        rows += [(name, f"measured: {each}", *_cells(columns, runs)) for each, runs in sorted(settings.items())]
    rows += [
        (f"{line.label} (given {line.prompt})", f"anchor of 2026, {line.source}", *map(_figure, line.figures))
        for line in (published.anchors(columns) if number in ("1", "8") else [])
    ]
    takes = [f"{line.label} takes {line.takes}." for line in lines if line.takes and not line.plugin]
    notes = ("Per cent. Rows of the paper and anchors are quoted, not measured here.", *_protocols(measured), *takes)
    return Table(title, ("method", "source", *columns), tuple(rows), notes)


def _labels(number: str) -> Callable[[Measured], str]:
    """How the rows of a table of the paper name a run."""

    def method(each: Measured) -> str:
        return str(each.run.record["title"])

    def sources(each: Measured) -> str:
        names = set(each.settings["engine"]["features"])
        if "stable_diffusion" not in names:
            return "w/o SD" if names == {"dinov2"} else f"features {'+'.join(sorted(names))}"
        return "DINOv2 + SD" if "dinov2" in names else "w/o DINOv2" if len(names) == 1 else f"features {sorted(names)}"

    def numbers(each: Measured) -> str:
        return f"K={each.settings['config']['k']}, c={each.settings['config']['clusters']}"

    def prompts(each: Measured) -> str:
        chosen = each.settings["dataset"].get("prompt_set")
        return f"Prompt set {chosen['name']}" if chosen else "the dataset's own prompts"

    def background(each: Measured) -> str:
        if each.settings["prompt_mask"] == "given":
            return "with GT"
        saliency = str(each.settings["engine"]["saliency"][0])
        return FILTERS.get(saliency, f"with {saliency}")

    def extractors(each: Measured) -> str:
        names = sorted(set(each.settings["engine"]["features"]) - {"stable_diffusion"})
        return EXTRACTORS.get("+".join(names), f"features {'+'.join(names)}")

    own = {"3": sources, "4": numbers, "5": prompts, "6": background, "7": extractors}.get(number)
    if own is None:
        return method
    return lambda each: own(each) if each.method == "ipseg" else method(each)


def _setting(each: Measured, number: str) -> str:
    """What tells ours from ours in one row: the preset, what else differs, and the scale."""
    name = each.engine
    if number in ("1", "2", "8") and each.settings["dataset"].get("prompt_set"):
        name += f", prompt set {each.settings['dataset']['prompt_set']['name']}"
    if each.score.notes["scale"] != "the image's own size":
        name += f", scored at {each.score.notes['scale']}"
    return name


def _cells(columns: Sequence[str], measured: Sequence[Measured]) -> list[str]:
    return [_cell(COLUMNS[column], measured) for column in columns]


def _cell(column: tuple[str, int | None, str], measured: Sequence[Measured]) -> str:
    """The figure of a column; of a dataset with folds that were run apart the mean, where all of them are there."""
    name, fold, metric = column
    runs = [each for each in measured if each.settings["dataset"]["name"] == name]
    if fold is not None:
        of_fold = [each for each in runs if fold in each.score.folds]
        return _marked(of_fold[0].score.folds[fold], of_fold[:1]) if of_fold else NOT_MEASURED
    folds = FOLDS.get(name, 1)
    whole = [each for each in runs if folds == 1 or len(each.score.folds) == folds]
    if whole:
        return _marked(whole[0].score.metrics[metric].value, whole[:1])
    by_fold = {at: each for each in runs for at in each.score.folds}
    if folds > 1 and len(by_fold) == folds:
        mean = sum(each.score.folds[at] for at, each in by_fold.items()) / folds
        return _marked(mean, list(by_fold.values()))
    return NOT_MEASURED


def _marked(value: float, measured: Sequence[Measured]) -> str:
    """A figure in per cent, and what is missing of the dataset and of its episodes."""
    marks = [each.score.notes.get("lacks", "") for each in measured]
    if not all(each.complete for each in measured):
        done = sum(each.score.episodes for each in measured)
        marks.append(f"{done} of {sum(each.score.notes['of'] for each in measured)} episodes")
    marks = list(dict.fromkeys(filter(None, marks)))
    return f"{100 * value:.1f}" + (f" ({', '.join(marks)})" if marks else "")


def _figure(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.1f}"


def _with_interval(score: Score, name: str) -> str:
    metric = score.metrics.get(name)
    if metric is None:
        return ""
    return f"{100 * metric.value:.1f} [{100 * metric.low:.1f}, {100 * metric.high:.1f}]"


def _count(each: Measured) -> str:
    return f"{each.score.episodes}" if each.complete else f"{each.score.episodes} of {each.score.notes['of']}"


def _dataset(each: Measured) -> str:
    name, lacks = str(each.settings["dataset"]["name"]), each.score.notes.get("lacks", "")
    return f"{name} ({lacks})" if lacks else name


def _prompts(each: Measured) -> str:
    shown = "image and mask" if each.settings["prompt_mask"] == "given" else "image"
    chosen = each.settings["dataset"].get("prompt_set")
    return f"{shown}, set {chosen['name']}" if chosen else shown


def _protocols(measured: Sequence[Measured]) -> tuple[str, ...]:
    """One message for each protocol and scale."""
    found = {
        f"{each.settings['dataset']['name']}: {each.score.protocol.text}; scored at {each.score.notes['scale']}; "
        f"intervals of 95 % from a bootstrap over {each.score.protocol.unit}."
        for each in measured
    }
    return tuple(sorted(found))


def _markdown(table: Table) -> str:
    head, rule = list(table.columns), ["---"] * len(table.columns)
    lines = [f"**{table.title}**", "", *(_line(row) for row in (head, rule, *table.rows))]
    return "\n".join([*lines, *(part for note in table.notes for part in ("", note))]) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _csv(table: Table) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.columns, *table.rows])
    return text.getvalue()


def _latex(table: Table) -> str:
    lines = [
        "\\begin{table}",
        f"\\caption{{{_escaped(' '.join((table.title + '.', *table.notes)))}}}",
        f"\\begin{{tabular}}{{{'l' * min(2, len(table.columns))}{'r' * max(0, len(table.columns) - 2)}}}",
        "\\toprule",
        *(f"{' & '.join(map(_escaped, row))} \\\\" for row in (table.columns,)),
        "\\midrule",
        *(f"{' & '.join(map(_escaped, row))} \\\\" for row in table.rows),
        "\\bottomrule",
        "\\end{tabular}",
        "\\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(each, f"\\{each}" if each in "&%$#_{}" else each) for each in text)
