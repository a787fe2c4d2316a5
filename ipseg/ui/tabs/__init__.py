"""The tabs of the page, each a package of its own that is found by its name.

A tab has ``TITLE``, ``ORDER`` (tabs stand in this order) and ``build(pool, controls)``, which lays out its components
inside the tab that is open and wires them; ``controls`` are those of the sidebar, which all tabs share. ``layout`` has
its components, ``handlers`` what its events run, ``render`` how results become images, tables and files. Tabs never
import each other.
"""
