"""The methods that IPSeg is compared with, behind the same protocol, one file per method, found by file name.

A baseline is a module with ``TITLE`` (its name in a table), ``PAPER`` (authors, title, venue), a frozen dataclass
``Settings`` and ``build(settings, engine)``, which returns a :class:`ipseg.baselines.Baseline`: an object
with ``prompt(image, mask)`` and ``segment(prompt, image)``. It uses the engine's parts and its cache of encodings.
"""

from ipseg.baselines._baseline import ON_PARTS, Baseline
from ipseg.baselines._protocols import PROTOCOLS

__all__ = ["ON_PARTS", "PROTOCOLS", "Baseline"]
