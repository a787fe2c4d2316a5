"""The sidebar: the engine, its parts and the parameters of the method, for all tabs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from ipseg import MAX_CLUSTERS, MAX_K
from ipseg.engine.presets import PRESETS
from ipseg.engine.spec import FIELDS, EngineSpec, choices
from ipseg.method.refinement import REFINEMENTS
from ipseg.ui.server.pool import EnginePool
from ipseg.ui.widgets import engine_state
from ipseg.ui.widgets.inputs import may_be_left_out, optional_number, whole

# The button of the panel has the name that stands on it; Escape closes the panel, unless it closes a list in it, and
# the button has the focus then.
PANEL = """() => {
  if (window.ipsegPanel) return;
  window.ipsegPanel = true;
  const toggle = () => document.querySelector('#settings .toggle-button, #settings.toggle-button');
  const isOpen = () => document.querySelector('.sidebar.open') !== null;
  const name = () => {
    toggle()?.setAttribute('aria-label', 'Settings');
    toggle()?.setAttribute('aria-expanded', String(isOpen()));
  };
  const later = () => setTimeout(name, 0);
  document.addEventListener('click', later);
  document.addEventListener('keydown', event => {
    const list = document.querySelector('.sidebar.open [role=listbox], .sidebar.open ul.options');
    if (event.key === 'Escape' && isOpen() && !list) { toggle().click(); toggle().focus(); }
    later();
  }, true);
  new MutationObserver((_, observer) => { if (toggle()) { name(); observer.disconnect(); } })
    .observe(document.body, { childList: true, subtree: true });
  name();
}"""
AS_PRESET = "default of the preset"


@dataclass(frozen=True)
class Controls:
    """The components of the sidebar, in the order in which their values come: engine, then numbers."""

    engine: tuple[gr.components.Component, ...]  # one for each of ipseg.engine.spec.FIELDS
    k: gr.Slider
    clusters: gr.Slider
    threshold: gr.Slider
    reject_threshold: gr.Slider
    sidebar: gr.Sidebar  # shared by all tabs
    state: gr.HTML  # the text about the engine
    fetch: gr.Button  # fetches its weights
    stop: gr.Button  # stops that

    @property
    def inputs(self) -> list[gr.components.Component]:
        """What every request takes beside its images."""
        return [*self.numbers, *self.engine]

    @property
    def engine_state(self) -> list[gr.components.Component]:
        """What depends on the chosen engine: the text about it, and the button that fetches its weights."""
        return [self.state, self.fetch]

    @property
    def engine_by_name(self) -> dict[str, gr.components.Component]:
        """The components of the engine by the names of the arguments of a handler."""
        return dict(zip(FIELDS, self.engine, strict=True))

    @property
    def numbers_by_name(self) -> dict[str, gr.components.Component]:
        """Those of the numbers."""
        return dict(zip(("k", "clusters", "threshold", "reject_threshold"), self.numbers, strict=True))

    @property
    def by_name(self) -> dict[str, gr.components.Component]:
        """What every request takes beside its images."""
        return {**self.numbers_by_name, **self.engine_by_name}

    @property
    def numbers(self) -> list[gr.components.Component]:
        """K, c, the threshold and the reject threshold."""
        return [self.k, self.clusters, self.threshold, self.reject_threshold]


def chosen(values: Sequence[Any]) -> EngineSpec:
    """The values of ``Controls.engine`` as a specification; what is empty is the default of the preset."""
    named = dict(zip(FIELDS, values, strict=True))
    features = named["features"] or []
    timestep = named["timestep"]
    return EngineSpec(
        preset=named["preset"],
        features="+".join(features) if isinstance(features, list) else features,
        sd_weight=named["sd_weight"],
        timestep=whole(timestep),
        **{name: named[name] or "" for name in ("saliency", "segmenter", "refinement")},
    )


def build(pool: EnginePool) -> Controls:
    """Lay out the text about the engine and the sidebar, and wire their own events."""
    with gr.Row(elem_id="engine", equal_height=True):
        state = gr.HTML(engine_state.describe(pool, pool.first), elem_id="engine-state", container=False, scale=5)
        with gr.Column(scale=1, min_width=150):
            fetch = engine_state.button(pool, pool.first)
            stop = gr.Button("Stop", size="sm", visible=False, elem_id="stop-fetch")
    with gr.Sidebar(label="Settings", open=False, position="right", width=340, elem_id="settings") as sidebar:
        gr.Markdown("## Settings")
        gr.Markdown("### Engine")
        preset = gr.Dropdown(list(PRESETS), value=pool.first.preset, label="Preset", elem_id="preset")
        with gr.Accordion("Parts", open=False, elem_id="parts"):
            parts = _parts(pool.first)
        gr.Markdown("### Parameters")
        controls = Controls((preset, *parts), *_numbers(pool), sidebar, state, fetch, stop)
        reset = gr.Button("Reset", size="sm", elem_id="reset")
    numbers = controls.numbers
    quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    page = gr.context.Context.root_block
    if page is not None:
        page.load(None, js=PANEL, **quiet)

    def refreshed(request: gr.Request, *values: Any) -> tuple[Any, ...]:
        return engine_state.refreshed(pool.for_request(request), chosen(values))

    # Code that sets these returns the new text in the same response; two responses might arrive in the other order.
    gr.on(
        [component.input for component in controls.engine],
        refreshed,
        list(controls.engine),
        controls.engine_state,
        trigger_mode="always_last",
        **quiet,
    )
    preset.input(own_numbers, preset, numbers, **quiet)  # not when a link sets both
    limits = [controls.threshold, controls.reject_threshold]  # one moves along where the other passes it
    controls.threshold.input(None, limits, limits[1], js="(high, low) => Math.min(high, low)", **quiet)
    controls.reject_threshold.input(None, limits, limits[0], js="(high, low) => Math.max(high, low)", **quiet)

    def defaults(name: str, request: gr.Request) -> tuple[Any, ...]:
        refreshed_state = engine_state.refreshed(pool.for_request(request), EngineSpec(name))
        return ([], None, None, "", "", "", *own_numbers(name), *refreshed_state)

    reset.click(defaults, preset, [*parts, *numbers, *controls.engine_state], **quiet)
    return controls


def own_numbers(preset: str) -> tuple[Any, ...]:
    """K, c, the threshold and the reject threshold of a preset."""
    config = PRESETS[preset].config
    return config.k, config.clusters, config.threshold, config.reject_threshold


def _parts(first: EngineSpec) -> tuple[gr.components.Component, ...]:
    features = gr.Dropdown(
        choices("features"),
        value=values_of(first)[1],
        multiselect=True,
        label="Features",
        info=f"Empty: {AS_PRESET}",
        elem_id="features",
    )
    sd_weight = optional_number(
        first.sd_weight, label="Weight of Stable Diffusion", info=f"Empty: {AS_PRESET}; released: 0.1", minimum=0
    )
    timestep = optional_number(
        first.timestep,
        label="Timestep of Stable Diffusion",
        info=f"Empty: {AS_PRESET}; paper 50, released 100",
        minimum=0,
        maximum=999,
    )
    saliency, segmenter, refinement = (
        gr.Dropdown([(AS_PRESET, ""), *known], value=value, label=label, elem_id=label.lower())
        for label, known, value in (
            ("Saliency", choices("saliency"), first.saliency),
            ("Segmenter", choices("segmenters"), first.segmenter),
            ("Refinement", list(REFINEMENTS), first.refinement),
        )
    )
    return features, sd_weight, timestep, saliency, segmenter, refinement


def _numbers(pool: EnginePool) -> tuple[gr.Slider, gr.Slider, gr.Slider, gr.Slider]:
    k, clusters, threshold, reject_threshold = own_numbers(pool.first.preset)
    sliders = (
        gr.Slider(1, MAX_K, k, step=1, label="K: number of most and least similar cells", elem_id="k"),
        gr.Slider(1, MAX_CLUSTERS, clusters, step=1, label="c: positive and negative points, each", elem_id="c"),
        gr.Slider(
            0, 1, threshold, step=0.01, label="Detection threshold", info="Detected from this score on", elem_id="score"
        ),
        gr.Slider(
            0,
            1,
            reject_threshold,
            step=0.01,
            label="Reject threshold",
            info="Not detected below this score; uncertain between the two",
            elem_id="reject-score",
        ),
    )
    for slider in sliders:
        may_be_left_out(slider)
    return sliders


def values_of(now: EngineSpec) -> tuple[Any, ...]:
    """A specification as the values of ``Controls.engine``."""
    features = now.features.split("+") if now.features else []
    return now.preset, features, now.sd_weight, now.timestep, now.saliency, now.segmenter, now.refinement


def taken_over(now: EngineSpec, wanted: EngineSpec) -> tuple[Any, ...]:
    """The values of the sidebar when ``wanted`` replaces ``now``: engine, then numbers."""
    numbers = own_numbers(wanted.preset)
    return *values_of(wanted), *(numbers if wanted.preset != now.preset else [gr.skip()] * len(numbers))
