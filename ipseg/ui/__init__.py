"""The page: one file per tab, found by its name. No method code lives here.

A tab is a module with ``TITLE``, ``ORDER`` (tabs stand in this order) and ``build(pool, controls)``, which lays out
its components inside the tab that is open and wires them; ``controls`` are those of the sidebar, which all tabs share.
"""

from __future__ import annotations

import gradio as gr

from ipseg.core import plugins
from ipseg.engine.spec import EngineSpec
from ipseg.ui import _controls, _link, _signature, _uploads
from ipseg.ui._inputs import left_out_by_default
from ipseg.ui._pool import JOBS, EnginePool, name_shortages

HEADING = """# ipseg
Show it **one image of an object**; get masks of that object in **other images**. No training, no text, no mask."""


def build(pool: EnginePool | None = None, *, max_queue: int = 32) -> gr.Blocks:
    """The whole page over one engine pool. An engine loads at the first request, not now.

    ``max_queue``: requests that may wait; later ones get an error message.
    """
    pool = pool or EnginePool(EngineSpec())
    tabs = {name: plugins.module("ui", name) for name in plugins.names("ui")}
    names = sorted(tabs, key=lambda name: tabs[name].ORDER)
    with gr.Blocks(title="ipseg", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(HEADING, elem_id="title")
        controls = _controls.build(pool)
        with gr.Tabs(elem_id="tabs") as row:
            for name in names:
                with gr.Tab(tabs[name].TITLE, id=name, elem_id=f"tab-{name}"):
                    tabs[name].build(pool, controls)
        _link.build(page, pool, controls, row, names)
    for event in page.fns.values():
        if event.concurrency_id == JOBS["concurrency_id"]:
            event.concurrency_limit = pool.at_once
    name_shortages(page)
    left_out_by_default(page, _signature.NUMBERS)
    page.queue(max_size=max_queue)
    _uploads.guard(page)
    return page
