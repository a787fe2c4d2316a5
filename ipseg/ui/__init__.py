"""The page: one package per tab in ``tabs``, found by its name; no method code lives here.

``server`` has what stands between a request and an engine, ``widgets`` what tabs share, ``serving`` the launch. Imports
inside run from ``server`` to ``widgets`` to ``tabs`` to this module to ``serving``.
"""

from __future__ import annotations

import gradio as gr

from ipseg.core import plugins
from ipseg.engine.spec import EngineSpec
from ipseg.ui.server import queue, uploads
from ipseg.ui.server.errors import name_shortages
from ipseg.ui.server.pool import JOBS, EnginePool
from ipseg.ui.widgets import arguments, download, link
from ipseg.ui.widgets import controls as sidebar
from ipseg.ui.widgets.inputs import left_out_by_default

HEADING = """# ipseg
Show it **one image of an object**; get masks of that object in **other images**. No training, no text."""


def build(pool: EnginePool | None = None, *, max_queue: int = 32) -> gr.Blocks:
    """The whole page over one engine pool. An engine loads at the first request, not now.

    ``max_queue``: requests that may wait; later ones get an error message.
    """
    pool = pool or EnginePool(EngineSpec())
    tabs = {name: plugins.module("tabs", name) for name in plugins.names("tabs")}
    names = sorted(tabs, key=lambda name: tabs[name].ORDER)
    with gr.Blocks(title="ipseg", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        page.queue(max_size=max_queue)  # here, as it has Gradio describe all components and make a server for them
        queue.poll_less(page)
        gr.Markdown(HEADING, elem_id="title")
        controls = sidebar.build(pool)
        download.wire(pool, controls)
        linked = {}
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as row:
            for name in names:
                with gr.Tab(tabs[name].TITLE, id=name, elem_id=f"tab-{name}"):
                    linked[name] = tabs[name].build(pool, controls)
        link.build(page, pool, controls, row, names, {name: one for name, one in linked.items() if one is not None})
    for event in page.fns.values():
        if event.concurrency_id == JOBS["concurrency_id"]:
            event.concurrency_limit = pool.at_once
    name_shortages(page)
    left_out_by_default(page, arguments.NUMBERS)
    uploads.guard(page)
    return page
