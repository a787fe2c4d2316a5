"""From a result to what the page shows: messages, images, files."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ipseg.core import viz
from ipseg.core.result import Result
from ipseg.core.serialize import to_json
from ipseg.core.status import Status
from ipseg.core.types import ImageArray, InputError, Mask, SettingError
from ipseg.method.evidence import NEGATIVE
from ipseg.method.prompt import Prompt
from ipseg.ui.server.progress import STEPS
from ipseg.ui.tabs.segment.state import SavedResult, SavedResults
from ipseg.ui.widgets import legend
from ipseg.ui.widgets.clicks import Clicks, as_points
from ipseg.ui.widgets.images import as_jpeg, as_png, as_zip, shown

AUTOMATIC, SAVED = "found automatically (saliency)", "from the saved prompt"
GIVEN, PAINTED, BY_CLICK, BY_BOX = "from your mask", "painted by you", "from your click", "from your box"
WAITING = """<div class="waiting start"><b>How it works</b>
<ol><li>Drop an image of an <b>object</b>.</li><li>Drop the images to <b>search in</b>.</li>
<li>Press <b>Segment</b>: masks, cut-outs and the reasons for them appear here.</li></ol>
<p>Or choose an example.</p></div>"""
ANYWAY, NOT_ANYWAY = "Use this mask anyway", "Do not use this mask"
CORRECTED, ACCEPTED, BY_THRESHOLD = "corrected by hand", "accepted by you", "accepted by your threshold"
ABSENT = "The object does not seem to be in this image."
REASONS = {  # why an object is not detected, by the part of the score that decides it
    "colour": "The most similar region has other colours than the object",
    NEGATIVE: "The most similar region is rather what is excluded",
}
ALSO = {"colour": "Its colours differ, too.", NEGATIVE: "It is also like what is excluded."}
CHANGE = 0.05  # of the score: what changes it by less is not named
OTHER = "Prompt, files and other"  # steps of a request that are not those of the input image
LABEL_GAP = 0.1  # of the scale: the least distance between two of its labels
TRANSPARENT, WHITE, BLURRED, COLOUR = BACKGROUNDS = ("Transparent", "White", "Blurred", "Colour")
HEX = re.compile(r"#[0-9a-fA-F]{6}")
NUMBER = re.compile(r"\d+(?:\.\d+)?")


def words(result: Result, clicks: Clicks = (), usual: float = 0.0, accepted: bool = False) -> str:
    """The state of a result as the page says it: its status, or who decided it where the score did not.

    ``usual``: the engine's own threshold, where the visitor chose another one, else 0. ``accepted``: the visitor takes
    the best guess whatever its score.
    """
    if result.status is Status.DETECTED and clicks:
        return CORRECTED
    if result.status is Status.DETECTED and result.score < usual:
        return ACCEPTED if accepted else BY_THRESHOLD
    return result.status.words


def verdict(
    prompt: Prompt,
    result: Result,
    engine: str,
    seconds: float,
    saved: Sequence[SavedResult] = (),
    which: int = 0,
    usual: float = 0.0,
    none_found: bool = False,
    without: Mapping[str, float] | None = None,
) -> str:
    """The status in words and on a scale, and the engine, as HTML. ``saved``: the results for all images.

    ``usual``: as of :func:`words`. ``none_found``: all instances were asked for, and there is none. ``without``: as of
    :func:`reason`.
    """
    took = f"{seconds:.1f} s, engine {html.escape(engine)}"
    notices = [*prompt.notices, *(one.error for one in saved if one.error)]
    rest = "".join(f'<br><span class="aside">{html.escape(notice)}</span>' for notice in notices)
    lead = _of_several(saved, which)
    kind = result.status.value.replace("_", "-")
    one = saved[which] if which < len(saved) else SavedResult("")
    said = words(result, one.clicks, usual, one.accepted)
    by_visitor = said in (ACCEPTED, BY_THRESHOLD)
    lead += f"<b>{'No instance found' if none_found else said.capitalize()}"
    lead += f"</b> (score {result.score:.2f}; usual {usual:.2f})." if by_visitor else ".</b>"
    kind += " accepted" if by_visitor else ""
    thresholds = result.threshold, result.reject_threshold
    of_score = "" if by_visitor else f"Score {result.score:.2f}; {limits(*thresholds)}; "
    line = "" if by_visitor else scale([result.score], *thresholds)
    return (
        f'<div class="{kind}" role="status">{lead} {_meaning(result, without)} '
        f'<span class="aside">{of_score}{took}.</span>{line}{rest}</div>'
    )


def acceptance(one: SavedResult, any_mask: bool) -> gr.Button:
    """The button that accepts the best guess of an object that is not detected, or takes that back.

    ``any_mask``: whether the best guess is not empty. Hidden where a person's clicks decide.
    """
    if one.accepted:
        return gr.Button(NOT_ANYWAY, visible=not (one.clicks or one.edits))
    return gr.Button(ANYWAY, visible=one.status is Status.NOT_DETECTED and not one.instances and any_mask)


def notices(saved: SavedResults) -> list[str]:
    """What a person should know of the prompt and of images without an answer, one message each."""
    return [*saved.notices, *(one.error for one in saved.results if one.error)]


def reason(result: Result, without: Mapping[str, float] | None) -> str:
    """Why an object is not detected, as text; "" where that is not known.

    ``without``: as of :func:`ipseg.method.evidence.scores_without`. A part is the reason where the score without it
    would not be below the reject threshold; else the features are.
    """
    if without is None:
        return ""
    decisive = [name for name, score in without.items() if score >= result.reject_threshold]
    for name in decisive:
        if name in REASONS:
            return f"{REASONS[name]}; without that the score would be {without[name]:.2f}."
    more = [name for name in without if name in REASONS and without[name] - result.score >= CHANGE]
    also = f" {ALSO[more[0]]}" if more else ""
    return f"The most similar region has other features (shape, texture) than the object.{also}"


def _meaning(result: Result, without: Mapping[str, float] | None = None) -> str:
    """What the status means for the mask, as text. ``without``: as of :func:`reason`."""
    if not result.mask.any():
        return "The mask is empty."
    if result.status is Status.NOT_DETECTED:
        return (
            f"{reason(result, without) or ABSENT} The best guess is outlined in grey. If it is right, press "
            f'"{ANYWAY}"; if the object is elsewhere, click on it in the image below.'
        )
    doubt = "It may be another object; check its mask. " if result.status is Status.UNCERTAIN else ""
    return f"{doubt}It fills {percent(float(result.mask.mean()))} of the image."


def percent(share: float) -> str:
    """A share in [0, 1] in per cent, with a decimal below 10 %."""
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


def limits(threshold: float, reject_threshold: float) -> str:
    """The two thresholds in words."""
    below = f", not detected below {reject_threshold:.2f}" if reject_threshold < threshold else ""
    return f"detected from {threshold:.2f} on{below}"


def scale(scores: Sequence[float], threshold: float, reject_threshold: float) -> str:
    """Scores as marks on a line from 0 to 1, whose three parts are the states; ends and thresholds are labelled.

    Its text is that of the limits. A threshold at an end of the line has no label, and of two that are close the lower
    has none.
    """
    low, high = reject_threshold, threshold
    labels = [value for value in (low, high) if LABEL_GAP <= value <= 1 - LABEL_GAP]
    if len(labels) == 2 and high - low < LABEL_GAP:
        labels = [high]
    ticks = "".join(f'<span style="left: {100 * value:.1f}%">{value:.2f}</span>' for value in labels)
    places = f"--low: {100 * low:.1f}%; --high: {100 * high:.1f}%"
    marks = "".join(f'<i style="--at: {100 * score:.1f}%"></i>' for score in scores)
    return (
        '<div class="scale-row" aria-hidden="true"><span>0, not detected</span>'
        f'<div class="scale" style="{places}">{marks}{ticks}</div><span>1, detected</span></div>'
    )


def _of_several(saved: Sequence[SavedResult], which: int) -> str:
    if len(saved) < 2:
        return ""
    return f"{counted([one for one in saved if not one.error])} Shown, {html.escape(saved[which].name)}: "


def counted(saved: Sequence[SavedResult]) -> str:
    """In how many images the object is in each state, as HTML: "Detected in <b>2 of 3</b> images, uncertain in 1."

    What was accepted below the engine's own threshold is counted apart.
    """
    accepted = sum(one.words in (ACCEPTED, BY_THRESHOLD) for one in saved)
    uncertain = sum(one.status is Status.UNCERTAIN for one in saved)
    detected = sum(one.status is Status.DETECTED for one in saved) - accepted
    more = "".join(f", {name} in <b>{n}</b>" for name, n in (("uncertain", uncertain), ("accepted", accepted)) if n)
    return f"Detected in <b>{detected} of {len(saved)}</b> images{more}."


def marked(result: Result, clicks: Clicks = ()) -> ImageArray:
    """The result with the points of the method and, larger, the clicks."""
    own = as_points(clicks)
    overlay = result.overlay()
    return shown(overlay if own is None else viz.draw_points(overlay, own, size=1.5))


def similarity_limits(result: Result, log_odds: bool) -> tuple[float, float]:
    """The values at the two ends of the colour scale of :func:`similarity_view`."""
    if log_odds:
        return 0.0, 1.0
    values = result.similarity_map()
    return float(values.min()), float(values.max())


def similarity_view(result: Result, log_odds: bool) -> ImageArray:
    """The similarity as a heat map. ``log_odds``: whether it is that, and is shown as a probability from 0 to 1.

    Another similarity has no bounds of its own, and its scale is that of the image.
    """
    values, limits = result.similarity_map(), similarity_limits(result, log_odds)
    if log_odds:
        values = (1 / (1 + np.exp(-values))).astype(np.float32)
    return shown(viz.heat_map(result.image, values, limits=limits))


def similarity_scale(result: Result, log_odds: bool) -> str:
    """The colour scale of :func:`similarity_view`, as HTML."""
    low, high = (f"{value:.2f}" for value in similarity_limits(result, log_odds))
    what = "Probability of each place, if the object is in the image" if log_odds else "Similarity, in this image"
    return legend.similarity_legend(what, low, high)


def prompt_views(prompt: Prompt, source: str = GIVEN, saved: bool = False) -> list[tuple[ImageArray, str]]:
    """Each prompt image, bright where it was taken as the object, with where that comes from.

    ``source``: of the mask of the first image, where it has one. ``saved``: whether saved prompts are among the
    prompt images; the masks of the others come from them.
    """
    views = []
    for place, view in enumerate(prompt.views):
        given = SAVED if saved and (place or source == GIVEN) else source
        views.append((shown(viz.spotlight(view.image, view.saliency)), given if view.given else AUTOMATIC))
    return views


def views(
    image: ImageArray,
    mask: Mask,
    status: Status,
    background: tuple[str, str],
    stem: str,
    cache: gr.components.Component,
    clicks: Clicks = (),
) -> tuple[Any, ...]:
    """The overlay with the clicks, the cut-out and the mask, and the last two on the buttons of their files.

    ``background``: of the cut-out, one of ``BACKGROUNDS`` and the colour for the last of them. The best guess of an
    object that is not detected is outlined in the view of the cut-out, and not in its file.
    """
    cut_pixels = on_background(viz.cut_out(image, mask), *background)
    cut = as_png(cache, cut_pixels, f"{stem}_cut_out.png")
    cut_view = cut
    if status is Status.NOT_DETECTED:
        cut_view = as_png(cache, outlined(cut_pixels, mask, viz.colour_of(status)), f"{stem}_guess.png")
    drawn = as_png(cache, mask.astype(np.uint8) * 255, f"{stem}_mask.png")
    points, pixels = as_points(clicks), viz.overlay_of(image, mask, status)
    pixels = pixels if points is None else viz.draw_points(pixels, points, size=1.5)
    overlay = as_jpeg(cache, pixels, f"{stem}_overlay.jpg")
    return overlay, cut_view, drawn, *(gr.DownloadButton(value=file, interactive=True) for file in (drawn, cut))


def outlined(cut: NDArray[np.uint8], mask: Mask, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A cut-out, (H, W, 3) RGB or (H, W, 4) RGBA, with the dashed outline of its mask (H, W), which is opaque."""
    drawn = viz.outlined(cut[..., :3], mask, colour, dashed=True)
    if cut.shape[2] == 3:
        return drawn
    on_line = (drawn != cut[..., :3]).any(axis=-1)
    return np.dstack([drawn, np.where(on_line, np.uint8(255), cut[..., 3])])


def on_background(cut: NDArray[np.uint8], background: str, colour: str) -> NDArray[np.uint8]:
    """A cut-out, (H, W, 4) RGBA, on one of ``BACKGROUNDS``: itself, or (H, W, 3) RGB where that is opaque."""
    if background == TRANSPARENT:
        return cut
    colours = {WHITE: (255, 255, 255), BLURRED: None, COLOUR: rgb(colour)}
    return viz.on_background(cut, colours[background])


def rgb(colour: str) -> tuple[int, int, int]:
    """A colour as the page has it, "#2563eb" or "rgba(37.5, 99, 235, 1)". Raises SettingError for another form."""
    numbers = [int(colour[at : at + 2], 16) for at in (1, 3, 5)] if HEX.fullmatch(colour) else NUMBER.findall(colour)
    if len(numbers) < 3:
        raise SettingError(f"The colour {colour[:40]!r} is not readable; choose another one.")
    red, green, blue = (min(255, round(float(number))) for number in numbers[:3])
    return red, green, blue


def overlaid(result: Result, cache: gr.components.Component) -> str:
    """The file of the overlay that the page shows: of all instances where there are any, without points."""
    drawn = result.overlay_instances() if result.instances else result.overlay(points=False)
    return as_jpeg(cache, drawn, "overlay.jpg")


def reopened(one: SavedResult) -> tuple[ImageArray, Mask]:
    """An image and its mask, from the files of the session. Raises InputError where they are no longer there."""
    try:
        with Image.open(one.cut_out) as file:
            cut = np.asarray(file)
    except OSError:
        raise InputError("The result is no longer saved; press Segment to compute it again.") from None
    return cut[..., :3], cut[..., 3] > 0


def save(
    name: str,
    result: Result,
    clicks: Clicks,
    gallery: gr.Gallery,
    usual: float = 0.0,
    accepted: bool = False,
    none_found: bool = False,
) -> SavedResult:
    """What a session saves of a result with a single mask: its record, an overlay, and the files of the archive.

    ``usual`` and ``accepted``: as of :func:`words`; ``none_found``: as of :func:`verdict`.
    """
    mask = as_png(gallery, result.answer_mask.astype(np.uint8) * 255, f"{name}.png")
    said = words(result, clicks, usual, accepted)
    status = "no instance" if none_found else f"{said}, score {result.score:.2f}"
    overlay = as_jpeg(gallery, result.overlay(points=False), f"{name}.jpg")
    cut = as_png(gallery, viz.cut_out(result.image, result.mask), f"{name}_cut_out.png")
    return SavedResult(
        name, result.image.shape[:2], f"{name}: {status}", said, overlay, ((f"{name}.png", mask),), result.status,
        clicks=clicks, accepted=accepted, cut_out=cut, record=result.record(), area=float(result.mask.mean()),
    )  # fmt: skip


def together(saved: Sequence[SavedResult], which: int) -> gr.Gallery:
    """All results in a gallery, where there is more than one."""
    good, several = [one for one in saved if not one.error], len(saved) > 1
    place = sum(not one.error for one in saved[:which])
    shown = [(one.overlay, one.caption) for one in good]
    return gr.Gallery(value=shown, selected_index=place if several else None, visible=several)


def download(
    saved: Sequence[SavedResult], engine: str, notices: Sequence[str], button: gr.DownloadButton
) -> gr.DownloadButton:
    """Everything in one ZIP: masks, cut-outs and overlays of all images, and the numbers as results.json."""
    good = [one for one in saved if not one.error]
    images = [{"image": one.name, **(one.record or {"error": one.error})} for one in saved]
    facts = {"engine": engine, "notices": list(notices), "images": images}
    files: list[tuple[str, str | bytes]] = [("results.json", to_json(facts).encode())]
    for one in good:
        files += [
            *((f"masks/{name}", file) for name, file in one.files),
            (f"cut_outs/{one.name}.png", one.cut_out),
            (f"overlays/{one.name}.jpg", one.overlay),
        ]
    return gr.DownloadButton(value=as_zip(button, files, "results.zip"), interactive=True)


def packed(saved: Sequence[SavedResult], component: gr.components.Component) -> str:
    """The masks of all images in one ZIP."""
    return as_zip(component, (pair for one in saved for pair in one.files), "masks.zip")


def step_times(seconds: Mapping[str, float], total: float | None = None) -> str:
    """The seconds of each step in one line of Markdown; steps whose result was cached are not in it.

    ``total``: of the whole request, whose rest is named, so that the line adds up; None: it was about other images too.
    """
    shown = {STEPS.get(name, name): round(value, 2) for name, value in seconds.items()}
    rest = 0.0 if total is None else round(total, 2) - sum(shown.values())
    if rest >= 0.005:
        shown[OTHER] = rest
    line = " · ".join(f"{name} **{value:.2f} s**" for name, value in shown.items())
    return line if total is None else f"{line} · together **{sum(shown.values()):.2f} s**"
