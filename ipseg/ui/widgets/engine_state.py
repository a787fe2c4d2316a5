"""What the page shows about the chosen engine: its parts, what it lacks, and the button that fetches that."""

from __future__ import annotations

import html
from collections.abc import Sequence

import gradio as gr

from ipseg import weights
from ipseg.core.types import InputError
from ipseg.engine.presets import Preset
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.server.redaction import without_folders


def target(pool: EnginePool, now: EngineSpec) -> EngineSpec | None:
    """What the button would fetch: what the chosen engine lacks, else the better models that this machine could run."""
    try:
        if pool.lacks(now):
            return now if pool.absent(now) else None
    except InputError:
        return None
    offered = pool.offer(now)
    return EngineSpec(offered) if offered else None


def button(pool: EnginePool, now: EngineSpec) -> gr.Button:
    """The button for the chosen engine; hidden where nothing is to be fetched."""
    wanted = target(pool, now)
    absent = pool.absent(wanted) if wanted else []
    size = weights.readable_size(sum(weight.bytes for weight in absent))
    label = f"Fetch {', '.join(weight.title for weight in absent)} ({size})"
    return gr.Button(label, size="md", visible=wanted is not None, elem_id="fetch")


def describe(pool: EnginePool, now: EngineSpec) -> str:
    """Which engine is used, or what it lacks; and which better engine could run here. HTML."""
    try:
        preset, lacking = now.resolve(), pool.lacks(now)
    except InputError as error:
        return _state("missing", f"<b>{html.escape(now.preset)}</b>: {html.escape(without_folders(str(error)))}")
    name, summary = html.escape(now.name), html.escape(preset.summary)
    line = f'<span class="aside">{html.escape(_parts(preset))}</span>'
    if lacking and not pool.absent(now):
        return _state("missing", f"<b>{name}</b> cannot run here: {html.escape(lacking)}.<br>{line}")
    if lacking:
        return _state(
            "missing", f"<b>{name}</b> is not downloaded yet. It needs {_listed(pool.absent(now))}.<br>{line}"
        )
    why = f" {html.escape(pool.reason)}" if pool.reason and now == pool.first else ""
    better = target(pool, now)
    offer = f"<br>{_offer(pool, better)}" if better else ""
    first, _, more = summary.partition(". ")
    lead = f"Engine: <b>{name}</b>. {first.rstrip('.')}."
    rest = f"{more}<br>" if more else ""
    return _state("ready", f"<details><summary>{lead}</summary>{rest}{line}{why and '<br>'}{why}{offer}</details>")


def refreshed(pool: EnginePool, now: EngineSpec) -> tuple[str, gr.Button]:
    """The line about the engine and the button for what is chosen now."""
    return describe(pool, now), button(pool, now)


def _listed(absent: Sequence[weights.Weight]) -> str:
    """Each with its size and licence, shown before the button is pressed."""
    return "; ".join(html.escape(f"{weight.title} ({_terms(weight)})") for weight in absent)


def _terms(weight: weights.Weight) -> str:
    return ", ".join(filter(None, (weights.readable_size(weight.bytes), weight.licence, weight.note)))


def _offer(pool: EnginePool, better: EngineSpec) -> str:
    needs = _listed(pool.absent(better))
    return f"This machine could run the learnt features of <b>{html.escape(better.name)}</b>: {needs}."


def _parts(preset: Preset) -> str:
    named = [f"{name}/{settings['model']}" if "model" in settings else name for _, (name, settings) in preset.parts]
    return " · ".join((" + ".join(named[:-2]), *named[-2:], preset.config.refinement))


def _state(kind: str, text: str) -> str:
    return f'<div class="state {kind}" role="status">{text}</div>'


def bar(done: int, total: int, title: str) -> str:
    """The progress of a download, in bytes, as HTML."""
    share = min(1.0, done / total) if total else 0.0
    amount = f"{weights.readable_size(done)} of about {weights.readable_size(total)}"
    label = html.escape(f"Fetching {title}: {amount}")
    return _state("fetching", f'<progress max="1" value="{share:.4f}" aria-label="{label}"></progress><br>{label}')
