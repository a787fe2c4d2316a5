"""A base model of autodistill whose ontology is example images in place of words.

::

    from ipseg.labelling.adapters.autodistill import ExampleImages, IPSegModel

    model = IPSegModel(ExampleImages("examples"))  # one folder of example images for each class
    model.label("images", extension=".jpg", output_folder="dataset")

Needs ``pip install "ipseg[autodistill]"``. ``label`` is autodistill's own: it holds the masks of all images in memory,
and its YOLO files lose the parts of an instance that are smaller than 1 % of the image; ``ipseg label`` does neither.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ipseg.core import images
from ipseg.core.packages import needed
from ipseg.core.types import ImageError
from ipseg.engine.protocol import Engine
from ipseg.labelling import examples
from ipseg.labelling.run import Labeller

with needed("The base model for autodistill", extra="autodistill"):
    from autodistill.detection import DetectionBaseModel, DetectionOntology


class ExampleImages(DetectionOntology):
    """Classes, each shown by example images; ``promptMap`` pairs the examples of a class with its name.

    ``source``: a folder with one folder of images per class, a zip or YAML file, or a mapping from the name of a class
    to its images, as :func:`ipseg.labelling.examples.read` takes them. Raises
    :class:`~ipseg.labelling.examples.ExamplesError` for what shows no class.
    """

    def __init__(self, source: str | os.PathLike[str] | Mapping[str, Any]) -> None:
        self.promptMap = [(each, each.name) for each in examples.read(source)]


class IPSegModel(DetectionBaseModel):
    """Every instance of the classes of an ontology, as autodistill's models return them.

    ``engine``: by default :func:`ipseg.load`. ``threshold``, ``reject_threshold``: as of
    :meth:`ipseg.method.pipeline.IPSeg.segment`; uncertain instances are returned, with ``data["status"]``.
    """

    def __init__(
        self,
        ontology: ExampleImages,
        engine: Engine | None = None,
        *,
        threshold: float | None = None,
        reject_threshold: float | None = None,
    ) -> None:
        self._thresholds, self._engine = (threshold, reject_threshold), engine
        self.set_ontology(ontology)

    def set_ontology(self, ontology: ExampleImages) -> None:
        """Show other classes from now on."""
        self.ontology = ontology
        threshold, reject = self._thresholds
        shown = [each for each, _ in ontology.promptMap]
        self._labeller = Labeller(shown, self._engine, threshold=threshold, reject_threshold=reject)
        self._engine = self._labeller.engine

    def predict(self, input: Any) -> Any:  # noqa: A002 - autodistill's name
        """The ``supervision.Detections`` of one image, with ``mask``, ``confidence`` and ``class_id``.

        ``input``: a path, a PIL image, or an array (H, W, 3) uint8 whose channels are blue, green, red, as autodistill
        reads files with OpenCV. Raises :class:`~ipseg.core.types.ImageError` for an image that cannot be used.
        """
        if isinstance(input, np.ndarray) and input.ndim == 3:
            input = np.ascontiguousarray(input[..., [2, 1, 0, 3][: input.shape[2]]])  # noqa: A001
        labelled = self._labeller.label(input, images.label_of(input))
        if labelled.error:
            raise ImageError(labelled.error)
        return labelled.to_supervision(self._labeller.classes)
