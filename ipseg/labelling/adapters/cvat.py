"""An auto-annotation function of CVAT: masks of every instance of the classes that example images show.

::

    cvat-cli task auto-annotate 7 --function-module ipseg.labelling.adapters.cvat \\
        -p examples=str:examples -p threshold=float:0.6

Needs ``pip install "ipseg[cvat]"``. The labels of the task have the names of the classes and the type ``mask`` or
``any``; :mod:`ipseg.annotations.formats.cvat` writes a ``labels.json`` to make them of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipseg.annotations import polygons
from ipseg.annotations.labels import LabelledInstance
from ipseg.core.packages import needed
from ipseg.core.types import ImageError
from ipseg.engine.build import load
from ipseg.engine.protocol import Engine
from ipseg.labelling.run import Labeller

with needed("The function for CVAT", extra="cvat"):
    import cvat_sdk.auto_annotation as cvataa
    from cvat_sdk.masks import encode_mask


class Function:
    """A detection function: ``spec`` states its labels, ``detect`` finds them in an image."""

    def __init__(self, labeller: Labeller) -> None:
        self._labeller = labeller
        self._numbers = {name: number for number, name in enumerate(labeller.classes)}
        labels = [cvataa.label_spec(name, number, type="mask") for name, number in self._numbers.items()]
        self.spec = cvataa.DetectionFunctionSpec(labels=labels)

    def detect(self, context: cvataa.DetectionFunctionContext, image: Any) -> list[Any]:
        """The shapes in a PIL image: masks, or polygons where CVAT asks for them, each with its score.

        Where CVAT states a confidence threshold, instances of a lower score are left out. Raises
        :class:`~ipseg.core.types.ImageError` for an image that cannot be used.
        """
        labelled = self._labeller.label(image, context.frame_name)
        if labelled.error:
            raise ImageError(labelled.error)
        shapes: list[Any] = []
        for group, one in enumerate(labelled.above(context.conf_threshold or 0.0).instances, 1):
            shapes += self._shapes(one, group, context.conv_mask_to_poly)
        return shapes

    def _shapes(self, one: LabelledInstance, group: int, as_polygons: bool) -> list[Any]:
        number, score = self._numbers[one.label], float(one.score)
        if not as_polygons:
            return [cvataa.mask(number, encode_mask(one.mask, one.box), score=score)]
        parts = polygons.corners(one.mask)
        more = {"group": group} if len(parts) > 1 else {}
        return [cvataa.polygon(number, part.ravel().astype(float).tolist(), score=score, **more) for part in parts]


def create(
    examples: str | Mapping[str, Any],
    engine: str | Engine = "",
    threshold: float | None = None,
    reject_threshold: float | None = None,
) -> Function:
    """The function for some examples, as cvat-cli makes it of its parameters.

    ``examples``: a folder with one folder of images per class, or what else
    :func:`ipseg.labelling.examples.read` takes. ``engine``: the name of a preset, by default that of
    :func:`ipseg.load`. ``threshold``, ``reject_threshold``: as of :meth:`ipseg.method.pipeline.IPSeg.segment`. Raises
    what they raise for examples, a preset or numbers that cannot be.
    """
    made = load(engine or None) if isinstance(engine, str) else engine
    return Function(Labeller(examples, made, threshold=threshold, reject_threshold=reject_threshold))
