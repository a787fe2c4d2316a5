"""The method (Fig. 3): an image prompt in, points and a mask out.

    prompt picture --> features --\\
                   --> saliency ---> prototype --\\
                                                  similarity --> points --> refine --> mask
    input picture  --> features -----------------/                          |
                   --> segmenter's own encoding ----------------------------/
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ipseg import images, points, prototype, refine, similarity
from ipseg.cache import Cache
from ipseg.geometry import cells_inside
from ipseg.images import Source
from ipseg.result import Result
from ipseg.types import FeatureExtractor, Picture, Prompt, Prototype, SaliencyMethod, Segmenter, Similarity, View

Progress = Callable[[float, str], None]
"""Called with the share of the work that is done, in [0, 1], and what is being done now."""


@dataclass(frozen=True)
class Method:
    """The numbers of the method. The defaults are the paper's; every preset says where it differs."""

    weights: Mapping[str, float] = field(default_factory=dict)  # of each feature layer's cosine; empty: all alike
    k: int = 32  # TopK of Eq. 6, most and least similar alike
    clusters: int = 4  # c of section 3.4, positive and negative alike
    cell_threshold: float = 0.5  # a cell belongs to the prompt's thing above this saliency
    erosion: int = 1  # rounds of 3x3 erosion of those cells
    smallest: int = 4  # erosion stops before fewer cells than this are left
    sampling: str = "area"  # how a cell gets its saliency: "area" or, as released, "nearest"
    refinement: str = "cascade"  # how points become a mask: a function of refine.py
    threshold: float = 0.0  # least score at which the thing counts as found
    seed: int = 0  # of k-means


class IPSeg:
    """Segments what a prompt shows. Its parts come in through the constructor; :func:`ipseg.load` builds presets.

    An engine holds no state that changes an answer: it keeps what it computed from a picture, named by the picture's
    content, so that the next question about the same picture is quick. It may be shared between threads.
    """

    reason: str = ""  # why this engine was taken, when :func:`ipseg.load` was not told which
    placement: Any = None  # where its models run; None without any

    def __init__(
        self,
        features: FeatureExtractor,
        saliency: SaliencyMethod,
        segmenter: Segmenter,
        method: Method | None = None,
        *,
        name: str = "custom",
        cache_bytes: int = 128 * 2**20,
    ) -> None:
        self.features, self.saliency, self.segmenter = features, saliency, segmenter
        self.method = method or Method()
        self.name = name
        self.cache = Cache(cache_bytes)

    def prompt(self, pictures: Source | Sequence[Source], masks: Any = None) -> Prompt:
        """Make a prompt of one picture of the thing, or of several; each may carry a mask of its own.

        ``pictures``: anything that :func:`ipseg.images.open_picture` opens, or a list of such. ``masks``: one mask, or
        a list as long as ``pictures`` with None where the saliency method shall decide.
        """
        sources = list(pictures) if isinstance(pictures, list | tuple) else [pictures]
        given = list(masks) if isinstance(masks, list | tuple) else [masks] * len(sources)
        if not sources or len(given) != len(sources):
            raise images.PictureError(f"Got {len(sources)} prompt pictures and {len(given)} masks; give one of each.")
        views = tuple(self._view(source, mask) for source, mask in zip(sources, given, strict=True))
        # F_IP = Avgpool(F_IP * MS), Eq. 5, the mean over the pictures of the prompt
        vectors = [prototype.average(self._features(view.picture), view.cells) for view in views]
        mean = {layer: sum(vector[layer] for vector in vectors) / len(vectors) for layer in vectors[0]}
        return Prompt(views, Prototype(mean), tuple(notice for view in views for notice in _notices(view)))

    def segment(
        self,
        prompt: Prompt,
        image: Source,
        *,
        k: int | None = None,
        clusters: int | None = None,
        threshold: float | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Cut what ``prompt`` shows out of ``image``. The answer is in the pixels of the original picture, upright."""
        method, step = self.method, _Steps(progress)
        k, clusters = k or method.k, clusters or method.clusters
        points.check(k, clusters)
        picture = images.open_picture(image)
        with step("features", 0.05):  # F_I, section 3.3
            features = self._features(picture)
        with step("similarity", 0.4):  # S = F_IP (x) F_I, Eq. 6
            weights = method.weights or {layer.name: 1.0 for layer in features}
            values = similarity.fuse(prompt.prototype.foreground, features, weights)
            frame = features[0].frame
            likeness = Similarity(values, cells_inside(frame), frame)
        with step("points", 0.5):  # P_coord = TopK(S), then k-means
            chosen = points.choose(likeness, k=k, clusters=clusters, seed=method.seed)
        with step("encoding", 0.55):  # Enc_I(I), Eq. 1
            encoding = self._encoding(picture)
        with step("mask", 0.9):  # M = Dec_M(F_I, Concat(T_M, T_P)), Eq. 2
            mask = getattr(refine, method.refinement)(self.segmenter, encoding, chosen)
        limit = method.threshold if threshold is None else threshold
        score = 1.0
        found = bool(mask.any()) and score >= limit
        answer = mask if found else np.zeros_like(mask)
        return Result(picture, answer, mask, found, score, limit, chosen, likeness, step.seconds)

    def _view(self, source: Source, mask: Any) -> View:
        picture = images.open_picture(source)
        if mask is None:
            shown = self._saliency(picture)
        else:
            shown = images.open_mask(mask, picture.shape[:2]).astype(np.float32)
        frame, method = self._features(picture)[0].frame, self.method
        cells = prototype.object_cells(
            shown,
            frame,
            threshold=method.cell_threshold,
            erosion=method.erosion,
            smallest=method.smallest,
            sampling=method.sampling,
        )
        if not cells.any():
            cells = cells_inside(frame)
        return View(picture, shown, mask is not None, cells, frame)

    def _features(self, picture: Picture):
        return self._kept("features", picture, self.features)

    def _saliency(self, picture: Picture):
        method: Any = self.saliency
        if "features" not in inspect.signature(method).parameters:
            return self._kept("saliency", picture, method)
        features = self._features(picture)  # a method that looks at them is handed those that are there
        return self._kept("saliency", picture, lambda shown: method(shown, features=features))

    def _encoding(self, picture: Picture):
        return self._kept("encoding", picture, self.segmenter.encode)

    def _kept(self, part: str, picture: Picture, compute: Callable[[Picture], Any]) -> Any:
        return self.cache.get((part, images.fingerprint(picture)), lambda: compute(picture))


def _notices(view: View) -> Iterator[str]:
    if view.cells.sum() == cells_inside(view.frame).sum():
        yield "Nothing stands out in the prompt picture, so all of it was used; crop it to the thing or paint a mask."


class _Steps:
    """Times the steps and reports their progress."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.seconds = progress, {}

    @contextmanager
    def __call__(self, name: str, share: float) -> Iterator[None]:
        if self.progress:
            self.progress(share, name)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
