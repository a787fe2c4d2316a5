"""The rivals of IPSeg behind the same call, one file per method, found by file name.

A method is a module with ``TITLE`` (its name in a table), ``PAPER`` (who published it, where), a frozen dataclass
``Settings`` and ``build(settings, engine)``, which returns what :class:`ipseg.baselines._rival.Rival` is: something
with ``prompt(image, mask)`` and ``segment(prompt, image)``. It takes the engine's parts and what they have kept
already.
"""
