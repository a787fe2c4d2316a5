"""One HTML file about a run, or about two runs of one dataset: cases as images, histograms, classes, a paired test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from ipseg.core import viz
from ipseg.core.types import InputError
from ipseg.datasets import Dataset
from ipseg.evaluation import results
from ipseg.evaluation.results import NAMES
from ipseg.evaluation.runs import Run
from ipseg.evaluation.scoring import LEVEL, SAMPLES, Score, Scored, score
from ipseg.studies import document
from ipseg.studies.document import paragraph, section

CASES, HEIGHT, BINS = 6, 180, 20  # cases of each kind, pixels of an image, bars of a histogram
TRUE, PREDICTED = (64, 196, 99), (245, 176, 65)  # colours of the two masks


@dataclass(frozen=True)
class Examined:
    """A run with its score and the IoU of each of its episodes, by their numbers."""

    run: Run
    dataset: Dataset
    score: Score
    ious: dict[int, float]

    @property
    def title(self) -> str:
        """Method and engine."""
        return f"{self.run.record['title']}, {self.run.settings['engine']['name']}"


@dataclass(frozen=True)
class Paired:
    """Two runs on the episodes that both have."""

    episodes: int
    difference: float  # mean IoU of the second less that of the first
    low: float  # of its bootstrap interval over episodes
    high: float
    p: float  # of Wilcoxon's signed-rank test, two-sided; 1 where no episode differs


def examine(run: Run, *, data: Path | None = None, scale: int | None = None) -> Examined:
    """Score a run and note the IoU of each episode. Raises :class:`InputError` as :func:`results.score_run` does."""
    results.check_scale(scale)
    dataset = run.dataset(data)
    rows: list[Scored] = []
    ious: dict[int, float] = {}
    for number, _, each in results.scored(run, dataset, scale):
        rows.append(each)
        ious[number] = each.pixels.iou
    if not rows:
        raise InputError(f"{run.folder} has no prediction yet; run ipseg predict again.")
    scored_at = f"{scale} x {scale}" if scale else "the image's own size"
    notes = {
        "dataset": dataset.name,
        "of": len(dataset.episodes),
        "scale": scored_at,
        "failed": 0,
        "lacks": dataset.lacks(),
    }
    return Examined(run, dataset, score(rows, dataset.protocol, notes=notes), ious)


def paired(first: dict[int, float], second: dict[int, float], *, seed: int = 0) -> Paired:
    """The paired test of two runs; episodes that only one has are left out. Raises InputError without a common one."""
    from scipy.stats import wilcoxon

    common = sorted(set(first) & set(second))
    if not common:
        raise InputError("The two runs have no episode in common; give two runs of one dataset.")
    differences = np.array([second[number] - first[number] for number in common])
    random = np.random.default_rng(seed)
    drawn = differences[random.integers(0, len(differences), (SAMPLES, len(differences)))].mean(1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    p = float(wilcoxon(differences).pvalue) if differences.any() else 1.0
    return Paired(len(common), float(differences.mean()), float(low), float(high), p)


def html(first: Examined, second: Examined | None = None, *, cases: int = CASES, seed: int = 0) -> str:
    """The report of one run, or of two. Raises :class:`InputError` for runs of different episodes."""
    runs = [first] if second is None else [first, second]
    if second is not None and first.dataset.digest() != second.dataset.digest():
        raise InputError("The two runs have different episodes; give two runs of one dataset with the same prompts.")
    title = " against ".join(each.title for each in runs) + f" on {first.dataset.name}"
    parts = [f"<h1>{escape(title)}</h1>", paragraph(first.score.protocol.text), _metrics(runs)]
    parts += [section("IoU of the episodes", "".join(_histogram(each) for each in runs))]
    if second is None:
        parts += _cases(first, _kinds(first, cases, seed))
    else:
        parts += [section("Paired test", _paired_text(first, second))]
        parts += _cases_of_two(first, second, cases)
    parts += [section("Classes", "".join(_bars(each) for each in runs)), section("Settings", _settings(runs))]
    return document.page(title, parts)


def _kinds(run: Examined, cases: int, seed: int) -> list[tuple[str, list[int]]]:
    ordered = sorted(run.ious, key=lambda number: (run.ious[number], number))
    random = np.random.default_rng(seed).permutation(len(ordered))[:cases]
    return [
        ("Worst", ordered[:cases]),
        ("Best", ordered[::-1][:cases]),
        ("Random", sorted(ordered[at] for at in random)),
    ]


def _cases(run: Examined, kinds: Sequence[tuple[str, list[int]]]) -> list[str]:
    return [section(f"{kind} cases", "".join(_case(number, [run]) for number in numbers)) for kind, numbers in kinds]


def _cases_of_two(first: Examined, second: Examined, cases: int) -> list[str]:
    gain = {number: second.ious[number] - first.ious[number] for number in first.ious if number in second.ious}
    ordered = sorted(gain, key=lambda number: (gain[number], number))
    worse = [number for number in ordered[:cases] if gain[number] < 0]
    better = [number for number in ordered[::-1][:cases] if gain[number] > 0]
    nothing = paragraph("There is none.")
    return [
        section(f"{title} in the second run", "".join(_case(each, [first, second]) for each in numbers) or nothing)
        for title, numbers in (("Much better", better), ("Much worse", worse))
    ]


def _case(number: int, runs: Sequence[Examined]) -> str:
    """Prompt, truth, and the mask of each run."""
    episode = runs[0].dataset.episodes[number]
    image, truth = episode.input.pixels(), episode.input.mask().mask
    tiles = [(episode.prompt.pixels(), "prompt"), (viz.overlay(image, truth, colour=TRUE), "truth")]
    texts = []
    for each in runs:
        prediction = each.run.load(number)
        if prediction is not None:
            tiles.append((viz.overlay(image, prediction.mask, colour=PREDICTED), each.title))
            texts.append(f"IoU {each.ious[number]:.2f}" + (f": {prediction.error}" if prediction.error else ""))
    text = f"{episode.name}, {episode.category}: {'; '.join(texts)}"
    return document.figure(viz.strip(tiles, height=HEIGHT), text)


def _metrics(runs: Sequence[Examined]) -> str:
    names = [name for name in NAMES if any(name in each.score.metrics for each in runs)]
    head = "<th></th>" + "".join(f'<th class="n">{escape(NAMES[name])}</th>' for name in names)
    rows = []
    for each in runs:
        cells = (each.score.metrics.get(name) for name in names)
        texts = (
            "" if cell is None else f"{100 * cell.value:.1f} [{100 * cell.low:.1f}, {100 * cell.high:.1f}]"
            for cell in cells
        )
        rows.append(
            f"<tr><th>{escape(each.title)}</th>" + "".join(f'<td class="n">{text}</td>' for text in texts) + "</tr>"
        )
    notes = [
        f"{each.title}: {each.score.episodes} of {notes['of']} episodes, scored at {notes['scale']}."
        for each in runs
        for notes in [each.score.notes]
    ]
    note = f"Per cent, with the 95 % interval of a bootstrap over {runs[0].score.protocol.unit}. {' '.join(notes)}"
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>{paragraph(note)}"


def _paired_text(first: Examined, second: Examined) -> str:
    found = paired(first.ious, second.ious)
    low, high = 100 * found.low, 100 * found.high
    return paragraph(
        f"On {found.episodes} common episodes the IoU of {second.title} less that of {first.title} is "
        f"{100 * found.difference:+.2f} points on average, 95 % interval [{low:+.2f}, {high:+.2f}] "
        f"(bootstrap over episodes); Wilcoxon's signed-rank test, two-sided: p = {found.p:.3g}."
    )


def _histogram(run: Examined) -> str:
    counts, edges = np.histogram(list(run.ious.values()), bins=BINS, range=(0, 1))
    drawing = document.histogram(counts, lambda at: f"{edges[at]:.2f} to {edges[at + 1]:.2f}", "IoU of the episodes")
    return f"<h3>{escape(run.title)}</h3>{drawing}"


def _bars(run: Examined) -> str:
    """One bar for each class, the lowest first."""
    classes = sorted(run.score.classes, key=lambda each: (each.iou, each.category))
    rows = "".join(
        f"<tr><td>{escape(each.category)}</td><td class='n'>{each.episodes}</td>"
        f"<td class='n'>{100 * each.iou:.1f}</td><td>"
        f'<svg aria-hidden="true" width="220" height="12"><rect width="{220 * max(0.0, each.iou):.1f}" height="12" '
        f'fill="{document.BAR}"/></svg></td></tr>'
        for each in classes
    )
    head = "<tr><th>class</th><th class='n'>episodes</th><th class='n'>IoU</th><th></th></tr>"
    return f"<h3>{escape(run.title)}</h3><table>{head}{rows}</table>"


def _settings(runs: Sequence[Examined]) -> str:
    return "".join(
        f"<h3>{escape(each.title)}</h3><table>"
        + "".join(
            f"<tr><td>{escape(key)}</td><td>{escape(str(value)[:300])}</td></tr>"
            for key, value in each.run.settings.items()
        )
        + "</table>"
        for each in runs
    )
