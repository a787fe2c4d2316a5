"""Training-free ideas that came after the paper, one file each, found by file name; all are off by default.

An extension is a module with a frozen dataclass ``Settings`` and ``build(settings)``, which returns a function from an
engine to an engine with one part exchanged: ``plugins.build("extensions", "farthest_points")(engine)``. Several apply
one after the other. The record of the engine names them.
"""
