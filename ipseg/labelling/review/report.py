"""One HTML file about a label folder: per class the lowest scores first, counts, histograms, look-alikes, errors.

The file holds everything and loads nothing. Its size is bounded: at most ``CASES`` images of a class and ``MOST`` in
all, each reduced to ``SIDE`` pixels; the text says how many are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from ipseg.annotations.labels import LabelFolder, LabelledImage
from ipseg.core.status import Status
from ipseg.labelling.review import draw
from ipseg.labelling.review.draw import Opener
from ipseg.labelling.review.overview import Overview, Row, rows_of
from ipseg.studies import document
from ipseg.studies.document import paragraph, section

CASES, MOST, PAIRS, ERRORS = 8, 400, 6, 200  # images of a class, images in all, pairs of classes, messages
SIDE, BINS = 360, 20  # pixels of an image on its longer side, bars of a histogram
STYLE = """
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; align-items: start; }
.cases figure { margin: 0; } .cases img { border-radius: 6px; width: 100%; } .wide { overflow-x: auto; }
figcaption { overflow-wrap: anywhere; line-height: 1.35; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .45em; }
.matrix td, .matrix th { padding: .3rem .6rem; border: 1px solid light-dark(#ddd, #444); } td svg { display: block; }
"""


def html(labels: LabelFolder, opened: Opener, *, cases: int = CASES) -> str:
    """The report. ``opened`` gives the pixels of an image; ``cases``: images of each class, at least 1.

    Labels are read one image after another, twice. Raises :class:`~ipseg.annotations.labels.LabelsError`.
    """
    overview = Overview.of(labels)
    shown = _Shown(labels, opened)
    each = max(1, min(cases, MOST // max(1, len(labels.classes) + 2)))
    title = f"Labels of {overview.images} images"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _summary(overview),
        section("Classes", _classes(overview)),
        section("Look-alike classes", _confusion(overview, shown)),
        *(section(name, _of_class(overview, shown, name, each)) for name in labels.classes),
        section("Images without an instance", _without(overview, shown, each)),
        section("Errors", _errors(overview)),
        section("Settings", _settings(labels)),
    ]
    return document.page(title, parts, STYLE)


class _Shown:
    """Images of a label folder as figures."""

    def __init__(self, labels: LabelFolder, opened: Opener) -> None:
        self._labels, self._opened = labels, opened

    def figures(self, names: Sequence[str], label: str = "", second: str = "") -> str:
        """One figure for each name; its text lists the instances of ``label``, or of ``label`` beside ``second``."""
        return f'<div class="cases">{"".join(self._figure(name, label, second) for name in names)}</div>'

    def _figure(self, name: str, label: str, second: str) -> str:
        image = self._labels.read(name)
        pixels = self._opened(image)
        absent = "" if pixels is not None else " (the image is not found: masks on grey)"
        text = f"{name}{absent}{'; corrected' if image.corrected else ''}{_listed(image, label, second)}"
        return document.figure(draw.drawn(pixels, image, self._labels.classes, SIDE), text)


def _listed(image: LabelledImage, label: str, second: str) -> str:
    rows = [row for row in rows_of(image) if row.label == label and (not second or row.second == second)]
    return "".join(f"; {_text(row)}" for row in sorted(rows, key=lambda row: row.score))


def _text(row: Row) -> str:
    """An instance in a line: its number, class, score, and what else it may be."""
    doubt = " uncertain" if row.status is Status.UNCERTAIN else ""
    other = f", {row.second} {row.second_score:.2f}" if row.second else ""
    return f"{row.number}: {row.label} {row.score:.2f}{doubt}{other}"


def _summary(overview: Overview) -> str:
    uncertain = sum(row.status is Status.UNCERTAIN for row in overview.rows)
    return paragraph(
        f"{len(overview.rows)} instances of {len(overview.classes)} classes, {uncertain} of them uncertain. "
        f"{overview.corrected} images are corrected, {len(overview.without)} have no instance, "
        f"{len(overview.errors)} could not be labelled."
    )


def _classes(overview: Overview) -> str:
    """A table with the colour, the counts and the scores of each class."""
    head = "".join(
        f"<th{kind}>{text}</th>"
        for kind, text in (
            ("", "class"), (" class='n'", "images"), (" class='n'", "instances"), (" class='n'", "uncertain"),
            (" class='n'", "lowest"), (" class='n'", "median"), ("", "scores, 0 to 1"),
        )
    )  # fmt: skip
    rows = "".join(_class_row(overview, name) for name in overview.classes)
    return f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'


def _class_row(overview: Overview, name: str) -> str:
    rows = overview.of_class(name)
    scores = [row.score for row in rows]
    counts, edges = np.histogram(scores, bins=BINS, range=(0, 1))
    drawing = document.histogram(
        counts, lambda at: f"{edges[at]:.2f} to {edges[at + 1]:.2f}", f"scores of {name}", 200, 28, marks=False
    )
    numbers = [
        len({row.image for row in rows}), len(rows), sum(row.status is Status.UNCERTAIN for row in rows),
        f"{scores[0]:.2f}" if scores else "", f"{np.median(scores):.2f}" if scores else "",
    ]  # fmt: skip
    cells = "".join(f"<td class='n'>{number}</td>" for number in numbers)
    return f"<tr><td>{_swatch(name, overview.classes)}{escape(name)}</td>{cells}<td>{drawing}</td></tr>"


def _swatch(name: str, classes: Sequence[str]) -> str:
    red, green, blue = draw.class_colour(name, classes)
    return f'<span class="swatch" style="background: rgb({red} {green} {blue})"></span>'


def _confusion(overview: Overview, shown: _Shown) -> str:
    """How often each class was the next best of another one, and the pairs for which that is most frequent."""
    found = overview.confusion()
    used = [place for place in range(len(found)) if found[place].any() or found[:, place].any()]
    if not used:
        return paragraph("No instance of a class was claimed by another class.")
    names = overview.classes
    head = "".join(f"<th class='n'>{escape(names[place])}</th>" for place in used)
    rows = "".join(
        f"<tr><th>{escape(names[row])}</th>"
        + "".join(_cell(int(found[row, column]), int(found.max())) for column in used)
        + "</tr>"
        for row in used
    )
    note = paragraph(
        "Rows: the class that an instance got. Columns: the class with the next best score for the same pixels."
    )
    order = np.argsort(-found, axis=None, kind="stable")[:PAIRS]
    pairs = [(names[place // len(found)], names[place % len(found)]) for place in order if found.flat[place]]
    cases = "".join(
        f"<h3>{escape(label)} or {escape(second)}</h3>"
        + shown.figures(list(dict.fromkeys(row.image for row in overview.closest(label, second)))[:2], label, second)
        for label, second in pairs
    )
    return f'{note}<div class="wide"><table class="matrix"><tr><th></th>{head}</tr>{rows}</table></div>{cases}'


def _cell(count: int, most: int) -> str:
    """A cell with a stronger amber for a higher count."""
    shade = f' style="background: rgb(255 176 0 / {0.1 + 0.6 * count / most:.2f})"' if count else ""
    return f"<td class='n'{shade}>{count or ''}</td>"


def _of_class(overview: Overview, shown: _Shown, name: str, cases: int) -> str:
    names = overview.lowest_images(name)
    if not names:
        return paragraph("No instance of this class was found.")
    return paragraph(f"{_some(names, cases)}, the lowest score first.") + shown.figures(names[:cases], name)


def _without(overview: Overview, shown: _Shown, cases: int) -> str:
    if not overview.without:
        return paragraph("There is none.")
    return paragraph(f"{_some(overview.without, cases)}.") + shown.figures(overview.without[:cases])


def _some(names: Sequence[str], cases: int) -> str:
    count = len(names)
    return f"{cases} of {count} images" if count > cases else f"{count} image{'s' * (count != 1)}"


def _errors(overview: Overview) -> str:
    if not overview.errors:
        return paragraph("There is none.")
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(error)}</td></tr>" for name, error in overview.errors[:ERRORS]
    )
    rest = len(overview.errors) - ERRORS
    return f"<table>{rows}</table>" + (paragraph(f"And {rest} more.") if rest > 0 else "")


def _settings(labels: LabelFolder) -> str:
    rows = "".join(
        f"<tr><td>{escape(str(key))}</td><td>{escape(str(value)[:300])}</td></tr>"
        for key, value in labels.settings.items()
    )
    return f"<table>{rows}</table>" if rows else paragraph("None are saved.")
