"""The method (Fig. 3): an image prompt in, points and a mask out.

    prompt image --> features --\\
                 --> saliency ---> prototype --\\
                                                similarity --> points --> refinement --> mask
    input image  --> features -----------------/                          |
                 --> segmenter encoding ----------------------------------/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ipseg.core import geometry, plugins
from ipseg.core.images import Source
from ipseg.core.result import Instance, Result, SegmentationMethod
from ipseg.core.types import (
    Candidates,
    FeatureExtractor,
    ImageArray,
    InputFeatures,
    Mask,
    ObjectVectors,
    Points,
    Progress,
    PromptFeatures,
    SaliencyMethod,
    Scorer,
    Segmenter,
    Similarity,
    View,
)
from ipseg.method import instances, points, presence, prototype, refinement, stages, strips
from ipseg.method.config import EngineInfo, IPSegConfig, Parameters
from ipseg.method.encodings import Encodings, Named, named
from ipseg.method.prompt import Compared, Prompt, PromptSource, fit, fitted, model_of, models_with, open_given
from ipseg.method.saved_prompt import MadeBy
from ipseg.method.steps import Steps


@dataclass(frozen=True)
class _Call:
    """What one call of :meth:`IPSeg.segment` works on, opened and checked, with its numbers."""

    prompt: Prompt  # with a model, as the next
    negative: Prompt | None
    image: Named
    clicks: Points | None  # (x, y) in pixels of the image
    k: int
    clusters: int
    limits: tuple[float, float]  # the threshold and the reject threshold

    @classmethod
    def of(
        cls,
        engine: IPSeg,
        prompt: Prompt,
        negative: Prompt | None,
        image: Source,
        clicks: Points | None,
        numbers: tuple[int, int, tuple[float, float]],
    ) -> _Call:
        """Open the image and fit the prompts to the engine; raises as :meth:`IPSeg.segment`."""
        prompt, negative = fitted(engine, prompt, negative)
        opened = named(image)
        points.check_inside(clicks, opened.pixels.shape[:2])
        return cls(prompt, negative, opened, clicks, *numbers)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image in pixels."""
        return self.image.pixels.shape[:2]

    def result(self, mask: Mask, score: float, chosen: Points, similarity: Similarity, step: Steps) -> Result:
        """The result with the single mask of the paper, and its status."""
        clicked = self.clicks is not None and len(self.clicks.positive) > 0
        status = presence.status(score, mask, *self.limits, clicked=clicked)
        return Result(self.image.pixels, mask, status, score, *self.limits, chosen, similarity, step.seconds)


@dataclass(frozen=True, eq=False, repr=False)
class IPSeg:
    """Segments what a prompt shows. Its parts come in through the constructor; :func:`ipseg.load` builds presets.

    An engine is frozen, and may be shared between threads: it caches what it computed from an image under the name of
    the image's content. ``dataclasses.replace`` makes another one, which shares that cache where the parts that fill
    it are the same.
    """

    features: FeatureExtractor
    saliency: SaliencyMethod
    segmenter: Segmenter
    scorer: Scorer
    config: IPSegConfig = field(default_factory=IPSegConfig)
    _: KW_ONLY
    info: EngineInfo = field(default_factory=EngineInfo)
    encodings: Encodings = None  # type: ignore[assignment]  # by default made of the parts
    cache_bytes: InitVar[int] = 128 * 2**20  # of the cache that is made then
    choose_points: Callable[..., Points] = points.choose  # of the similarity; see :mod:`ipseg.method.extensions`
    refine: Callable[..., Candidates] | None = None  # in place of the config's refinement

    label = "IPSeg"

    @property
    def about(self) -> str:
        """Which networks stand in for the paper's, in a message; "" when none does."""
        return self.info.about

    def __post_init__(self, cache_bytes: int) -> None:
        made = Encodings(
            self.features,
            self.saliency,
            self.segmenter,
            consensus=self.config.consensus,
            cache_bytes=cache_bytes,
            device=self.info.placement,
        )
        if self.encodings is None or self.encodings.parts != made.parts:
            object.__setattr__(self, "encodings", made)

    def __repr__(self) -> str:
        parts = {name: getattr(self, name) for name in ("features", "saliency", "segmenter", "scorer")}
        named = ", ".join(f"{name}={type(part).__name__}" for name, part in parts.items())
        return f"IPSeg({self.info.name!r}, {named})"

    def prompt(
        self,
        prompt_images: PromptSource | Sequence[PromptSource],
        masks: Any = None,
        *,
        mask_value: int | None = None,
        boxes: Any = None,
        points: Any = None,
        progress: Progress | None = None,
    ) -> Prompt:
        """Make a prompt of one image of the object, or of several; each may have a mask.

        ``prompt_images``: what :func:`ipseg.core.images.open_image` opens, a saved prompt (the path of a ``.npz``, or a
        :class:`~ipseg.method.prompt.Prompt`), or a list of such. A saved prompt alone is taken with the model that this
        engine made of it, where it holds one, else with a new one and a notice; among others its images are taken, with
        their masks, its name, and what it has as not meant. ``masks``: what
        :func:`ipseg.core.masks.read_mask` opens, or a list as long as the images with None where the saliency method
        decides. ``mask_value`` chooses one of several values of the masks. ``boxes`` and ``points`` say what is meant
        in place of a mask, through the segmenter (:func:`ipseg.method.marks.mask_of`): a box (left, top, right,
        bottom) or a list of boxes, and :class:`~ipseg.core.types.Points`, in pixels of the upright image; or lists as
        long as the images of such or None. ``progress`` is called before each image is
        opened, and before its saliency map and its features are computed; what it raises ends the work. Raises
        :class:`~ipseg.core.types.ImageError`, :class:`~ipseg.core.types.MaskError`, and
        :class:`~ipseg.method.saved_prompt.PromptFileError` for a file that is no saved prompt.
        """
        make = partial(self.prompt, progress=progress)
        given = open_given(prompt_images, masks, boxes, points)
        if given.alone:
            return fit(self, given.prompts[0], make)
        report = partial(progress, 0.0, "prompt") if progress else lambda: None
        # MS, given or from the saliency method: section 3.3.2
        views, notices = stages.open_views(
            self.encodings, self.config, given.sources, given.masks, mask_value, report, given.marks
        )
        prompt = self.prompt_of(views, progress=progress)
        return replace(prompt, notices=(*notices, *prompt.notices), **given.about(make))

    def prompt_of(self, views: Sequence[View], *, progress: Progress | None = None) -> Prompt:
        """Make a prompt of views, each an image with its saliency map; at least one."""
        features = []
        for view in views:
            if progress:
                progress(0.0, "prompt")
            features.append(self.encodings.prompt_features(named(view.image)))  # F of the prompt image, section 3.3.1
        cells = [partial(prototype.view_cells, view, self.config) for view in views]
        pixels = [view.image for view in views]
        whole = [partial(self._shown, view) for view in views]
        model = self.scorer.model(
            tuple(map(PromptFeatures, features, cells, pixels, whole))
        )  # F_IP = Avgpool(F_IP * MS), Eq. 5
        notices = tuple(notice for view in views for notice in prototype.notices(view))
        return Prompt(tuple(views), model, notices, made_by=MadeBy.of(self))

    def segment(
        self,
        prompt: Prompt,
        image: Source,
        *,
        k: int | None = None,
        clusters: int | None = None,
        threshold: float | None = None,
        reject_threshold: float | None = None,
        negative_prompt: Prompt | None = None,
        clicks: Points | None = None,
        all_instances: bool = False,
        progress: Progress | None = None,
    ) -> Result:
        """Segment what ``prompt`` shows in ``image``. Masks, points and clicks are in pixels of the upright image.

        ``k``, ``clusters``, ``threshold``, ``reject_threshold``: in place of the prompt's parameters, which count in
        place of the config's; see :meth:`IPSegConfig.numbers` and :func:`ipseg.method.presence.status`.
        ``negative_prompt``: shows what is not meant, in place of the prompt's own. ``clicks``: points (x, y) that
        correct the mask; a positive one makes the object detected. ``all_instances``: fill ``Result.instances`` beside
        the single mask of the paper. ``progress``: called before each step; what it raises ends the work. Raises
        :class:`ImageError`, and :class:`SettingError` for numbers out of range and for clicks beside the image.
        """
        numbers = self.config.numbers(*prompt.parameters.unless(k, clusters, threshold, reject_threshold))
        call = _Call.of(self, prompt, negative_prompt, image, clicks, numbers)
        if geometry.is_thin(call.size, self.config.thin):
            return self._of_windows(call, all_instances, progress)
        cached, step = self.encodings, Steps(progress)
        with step("features", 0.05, cached.has("features", call.image)):  # F_I, section 3.3.1
            cached.prepare(call.image)
            features = self.input_features(call.image, step)
        with step("encoding", 0.2, cached.has("encoding", call.image)):  # Enc_I(I), Eq. 1
            encoding = cached.encoding(call.image)
        compared = models_with(self.scorer, call.prompt, features, call.negative)
        similarity = self.scorer.similarity(*compared)  # S = F_IP (x) F_I, Eq. 6
        choose = partial(self.choose_points, k=call.k, clusters=call.clusters, seed=self.config.seed)
        with step("points", 0.8):  # P_coord = TopK(S), then k-means: section 3.4
            chosen = choose(similarity)
        refine = self._refinement(compared, encoding)
        with step("mask", 0.85):  # M = Dec_M(F_I, Concat(T_M, T_P)), Eq. 2
            refined = refine(chosen, similarity.values)
            mask = refinement.corrected(self.segmenter, encoding, refined, chosen, clicks).masks[0]
        score_of = partial(self._presence, compared, call.image, step)
        result = call.result(mask, score_of(mask), chosen, similarity, step)  # not in the paper, nor are the instances
        if not all_instances:
            return result
        with step("instances", 0.9):
            whole = None if clicks else Instance(mask, chosen, result.score, result.status)
            find = partial(instances.find, similarity, call.k, choose, refine, score_of, *call.limits)
            return replace(result, instances=find(self._proposed(call.prompt, encoding), whole))

    def _of_windows(self, call: _Call, all_instances: bool, progress: Progress | None) -> Result:
        """The result for a thin image, from those of its windows."""
        numbers = Parameters(call.k, call.clusters, *call.limits).arguments()
        one = partial(self.segment, call.prompt, negative_prompt=call.negative, all_instances=all_instances, **numbers)
        likely = partial(self._likely, call.prompt)
        return strips.segment(
            call.image.pixels, one, likely, call.clicks, all_instances=all_instances, progress=progress
        )

    def _refinement(self, compared: Compared, encoding: Any) -> Callable[[Points, NDArray[np.float32]], Candidates]:
        """Step 4 for one image: from points and the similarity's values to one mask."""
        run = self.refine or refinement.named(self.config.refinement).run
        return partial(run, self.segmenter, encoding, mask_scores=partial(self.scorer.mask_scores, *compared))

    def input_features(self, image: Named, step: Steps | None = None) -> InputFeatures:
        """What a scorer gets of an input image; its features are computed, its foreground only when asked for."""
        foreground = partial(self._foreground, image, step or Steps(None))
        whole = partial(self.encodings.whole, image)
        return InputFeatures(self.encodings.features(image), foreground, image.pixels, whole)

    def mask_score(self, prompt: Prompt, image: Named, mask: Mask, *, negative_prompt: Prompt | None = None) -> float:
        """The presence score of a mask (H, W) bool, whatever it comes from, in the pixels of ``image``: in [0, 1]."""
        step = Steps(None)
        prompt, negative = fitted(self, prompt, negative_prompt)
        compared = models_with(self.scorer, prompt, self.input_features(image, step), negative)
        return self._presence(compared, image, step, mask)

    def apply(
        self, images: Sequence[Named], step: Callable[..., Any], *arguments: Any, progress: Progress | None = None
    ) -> Any:
        """``step(engine, *arguments, progress)``: the networks are in this process, so it is called directly."""
        return step(self, *arguments, progress)

    def baseline(self, name: str, settings: Any) -> SegmentationMethod:
        """The method of that name from :mod:`ipseg.baselines`, on the parts of this engine."""
        return plugins.module("baselines", name).build(settings, self)

    def _likely(self, prompt: Prompt, image: ImageArray) -> float:
        """How much the best cells of an image are like the prompt's object, by the scores of cells alone."""
        features = self.input_features(named(image))
        model = model_of(prompt, self.scorer, features.features)
        cells, frame = self.scorer.cell_scores([model], features)
        values = np.sort(cells[0][geometry.cells_inside(frame)])
        return float(values[-strips.BEST :].mean())

    def _proposed(self, prompt: Prompt, encoding: Any) -> instances.Proposed:
        """What the segmenter proposes in an image without a prompt; nothing from one that cannot."""
        proposals = getattr(self.segmenter, "proposals", lambda _: ())(encoding)
        if not proposals:
            return instances.Proposed()

        def draw(logits: NDArray[np.float32]) -> Mask:
            return self.segmenter.predict(encoding, instances.NO_POINTS, mask_logits=logits).masks[0]

        return instances.Proposed(proposals, instances.outlines_of(prompt), draw)

    def _presence(self, compared: Compared, image: Named, step: Steps, mask: Mask) -> float:
        """The scorer's presence score of a mask; of a small one by the features of a crop around it."""
        scorer = self.scorer.of_small_masks
        place = presence.crop_of_small(mask) if scorer else None
        if scorer is None or place is None:
            return self.scorer.presence(*compared, mask)
        crop, (model, _, negative) = named(np.ascontiguousarray(image.pixels[place])), compared
        return scorer.presence(model, self.input_features(crop, step), negative, np.ascontiguousarray(mask[place]))

    def _shown(self, view: View) -> ObjectVectors:
        """The vectors of a prompt image's object; of the whole image where nothing stands out."""
        mask = np.asarray(view.saliency) > self.config.cell_threshold
        return self.encodings.whole(named(view.image), mask if mask.any() else np.ones_like(mask))

    def _foreground(self, image: Named, step: Steps) -> NDArray[np.float32]:
        with step("saliency", 0.5, self.encodings.has("foreground", image)):
            return self.encodings.foreground(image)
