"""Colour scales as HTML, with what stands at their ends."""

from __future__ import annotations

import html

import cv2
import numpy as np
from numpy.typing import NDArray


def legend(what: str, low: str, high: str, colours: int = cv2.COLORMAP_VIRIDIS) -> str:
    """A colour scale with what stands at its ends. ``colours``: of OpenCV; heat maps on images have Turbo."""
    stops = ", ".join("rgb({} {} {})".format(*colours_of(colours)[round(share / 8 * 255)]) for share in range(9))
    bar = f'<i style="background: linear-gradient(to right, {stops})"></i>'
    ends = (f"<b>{html.escape(each)}</b>" for each in (low, high))
    return f'<div class="legend"><span>{html.escape(what)}</span><span class="scale">{bar.join(ends)}</span></div>'


def similarity_legend(what: str, low: str, high: str) -> str:
    """The colour scale of :func:`ipseg.core.viz.heat_map`."""
    return legend(what, low, high, cv2.COLORMAP_TURBO)


def colours_of(name: int) -> NDArray[np.uint8]:
    """A colour map of OpenCV: (256, 3) uint8 RGB."""
    return cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], name)[:, 0, ::-1]
