"""The parts of an HTML file that holds everything: styles, drawings as SVG, images as JPEG. It loads nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from html import escape

from numpy.typing import NDArray
from PIL import Image

from ipseg.core.types import ImageArray

QUALITY = 82  # of JPEG
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: light-dark(#1c1c1c, #ececec); background: light-dark(#fff, #171717); }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; } table { border-collapse: collapse; }
td, th { padding: .2rem .8rem .2rem 0; text-align: left; } td.n, th.n { text-align: right; }
figure { margin: 0 0 1.2rem; } figcaption { font-size: .9rem; } figure img { max-width: 100%; height: auto; }
svg { max-width: 100%; fill: currentColor; } .note { color: light-dark(#555, #b0b0b0); }
"""
BAR = "#3b6ea5"  # colour of the bars of a histogram


def page(title: str, parts: Sequence[str], style: str = "") -> str:
    """The whole file. ``parts``: HTML in its order; ``style``: CSS after the common one."""
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style>"
    )
    body = "\n".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}</head><body><main>\n{body}\n</main></body></html>\n'


def section(title: str, body: str) -> str:
    """A part with a title; ``body`` is HTML."""
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def paragraph(text: str) -> str:
    """A text."""
    return f'<p class="note">{escape(text)}</p>'


def figure(image: ImageArray, text: str) -> str:
    """An (H, W, 3) uint8 RGB image, with a text below it that also describes it."""
    tag = f'<img loading="lazy" alt="{escape(text)}" src="{jpeg(image)}">'
    return f"<figure>{tag}<figcaption>{escape(text)}</figcaption></figure>"


def jpeg(image: ImageArray, quality: int = QUALITY) -> str:
    """An (H, W, 3) uint8 RGB image as a ``data:`` URL."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def histogram(
    counts: NDArray, label: Callable[[int], str], what: str, width: int = 600, height: int = 140, marks: bool = True
) -> str:
    """Bars over [0, 1] as SVG, each with its ``label`` and count as a tooltip.

    ``counts`` (n,) of the bars; ``what`` describes them to a reader without the drawing; ``marks``: numbers below it.
    """
    top, total = max(1, int(counts.max())), int(counts.sum())
    step = width / len(counts)
    bars = "".join(
        f'<rect x="{at * step + 1:.1f}" y="{height - height * count / top:.1f}" width="{step - 2:.1f}" '
        f'height="{height * count / top:.1f}" fill="{BAR}"><title>{escape(label(at))}: {count}</title></rect>'
        for at, count in enumerate(counts.tolist())
    )
    below = [0, 0.25, 0.5, 0.75] if marks else []
    numbers = "".join(f'<text x="{x * width:.0f}" y="{height + 16}" font-size="12">{x:g}</text>' for x in below)
    line = f'<path d="M0 {height}H{width}" stroke="currentColor" opacity=".5"/>'
    text = escape(f"Histogram of {what}, {total} in all, at most {top} in a bar")
    box = f'width="{width}" viewBox="0 0 {width} {height + (20 if marks else 0)}"'
    return f'<svg role="img" aria-label="{text}" {box}>{bars}{line}{numbers}</svg>'
