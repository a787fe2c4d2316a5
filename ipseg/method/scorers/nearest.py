"""The comparison by nearest neighbours, for features of a network that was trained with labels.

A cell of the input scores the mean of its best cosines with the object's cells of the prompt, less a share of its best
cosine with a few centres of the prompt's background; averaged over the layers and over the scales of the prompt image.
Features are centred first: the mean feature of an image, which is much the same in all its cells, is subtracted.

Those features hardly tell a red object from a green one of its kind. So a hill of the similarity that has other colours
than the prompt's object is lowered, as far as another hill, about as similar, has the object's. In another light, or
where only another individual is there, none has, and colours take no part.

Layers are named ``layer`` or ``layer@scale``. Those without a scale are compared; with a scale, they are the same layer
of the image seen at another size, and serve the prompt alone.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ipseg.classical import crops, palette
from ipseg.classical.crops import normalised
from ipseg.core import geometry
from ipseg.core.types import (
    Brief,
    FeatureMap,
    Frame,
    ImageArray,
    InputFeatures,
    Mask,
    ObjectVectors,
    PromptFeatures,
    Similarity,
    require_rows,
)
from ipseg.core.vectors import spread, to_numpy, unit
from ipseg.method import presence
from ipseg.method.similarity import best_of_groups, log_ratio, lowered

Rows = NDArray[np.float32]
"""(n, C) float32, each row of unit length."""

Value = TypeVar("Value", float, NDArray[np.float32])

HILL, DIP = 0.5, 0.12  # similarity (median 0, peak 1) of the cells of a hill, and the dip between two hills
HIGH = 0.8  # peak of a hill that can show that the object's colours are in the image
FINER = 4  # cells of the mask along each side of a feature cell, from which the object's share of it is counted
FEW = 64  # object cells of each model, where many models are compared at once
FEWEST = 4  # cells of the prompt's object that are taken in any case
LEAST = 1e-7  # score that log odds are taken of, and its distance from 1
FEW_BACKGROUND = 8  # with no more cells of pure background than this, all cells beside the object count


@dataclass(frozen=True)
class SmallMasks:
    """The numbers of the presence for a small mask, which is scored on a crop around it."""

    shared: float = 0.8  # share of colours that mask and prompt have in common, below which the cosine is lowered
    colour: float = 1.0  # by this times what is missing


@dataclass(frozen=True)
class WholeObjects:
    """The log odds of the presence where the prompt's object and the mask's are compared as wholes, too."""

    cells: float = 20.0  # for one unit of the cosine of the cells, less what the colours lack
    vectors: tuple[float, ...] = (6.0, 5.0)  # for one unit of each similarity of the objects
    powers: tuple[float, ...] = (1.0, 0.5)  # of the products of their vectors, which give those similarities
    offset: float = -11.5


@dataclass(frozen=True)
class Settings:
    """What can be chosen."""

    layers: tuple[str, ...] = ()  # that are compared, with equal weights; (): all without a scale
    neighbours: int = 5  # object cells whose cosines are averaged
    background: float = 0.5  # weight of the best cosine with the background's centres, which is subtracted
    centres: int = 6  # of the background's cells
    most: int = 300  # object cells of one layer, scale and prompt image, evenly spread
    most_background: int = 800  # background cells likewise
    background_share: float = 0.2  # a prompt cell of which less than this is object is background
    middle: float = 0.45  # similarity (median 0, peak 1) at which object and background are equally likely
    gain: float = 8.0  # log odds for one unit of it
    presence_neighbours: int = 3  # object cells whose cosines are averaged for the presence
    presence_middle: float = 0.42  # cosine at which same and different objects are equally likely
    presence_slope: float = 25.0  # of the logistic function around it
    presence_shared: float = (
        0.5  # share of colours that mask and prompt have in common, below which the cosine is lowered
    )
    presence_colour: float = 0.5  # by this times what is missing
    small: SmallMasks = SmallMasks()
    whole: WholeObjects = WholeObjects()
    colour: float = 0.8  # share of its similarity that a hill of other colours loses; 0: colours take no part
    colour_prompt: float = 0.5  # share of the prompt's background in the mixture that its colours are compared with
    colour_input: float = 0.3  # share of the input image; what is left goes to colours that were not seen
    colour_blur: float = 1.0  # standard deviation of the blur of their log ratio, in cells of the palette
    colour_range: float = 1.0  # log ratio from which on colours are wholly the object's; its negative: wholly others'
    negative: float = 4.0  # weight of the excess by which a negative prompt explains a cell better


@dataclass(frozen=True, repr=False)
class Cells(Brief):
    """What a prompt shows: unit rows for each compared layer, and of the last of them uncentred ones.

    ``foreground`` {layer: one (n, C) array per scale}; ``background`` {layer: (centres, C)}, perhaps without a row;
    ``semantic`` (n, C): the object's uncentred cells of the last layer at all scales, which decide the presence;
    ``colours``: histograms of the object and of its background, where the images were given. ``whole``: what the
    features say of the object as a whole, for each kind of vector one unit row per prompt image: (images, C).
    """

    foreground: Mapping[str, tuple[Rows, ...]]
    background: Mapping[str, Rows]
    semantic: Rows
    colours: tuple[palette.Histogram, palette.Histogram] | None = None
    whole: tuple[Rows, ...] = ()

    def __post_init__(self) -> None:
        if not self.foreground or self.background.keys() != self.foreground.keys():
            raise ValueError(f"expected the same layers, got {[*self.foreground]} and {[*self.background]}")
        for name, scales in self.foreground.items():
            if not scales:
                raise ValueError(f"expected a scale of {name}, got none")
            channels = require_rows(scales[0], None, f"cells of {name}")
            for cells in scales:
                require_rows(cells, channels, f"cells of {name}")
            require_rows(self.background[name], channels, f"centres of {name}", least=0)
        require_rows(self.semantic, channels, "uncentred cells of the last layer")
        for histogram in self.colours or ():
            require_rows(histogram[None], palette.BINS, "bins of a histogram")
        for vectors in self.whole:
            require_rows(vectors, None, "vectors of whole objects")


MODEL_TYPES = (Cells,)  # of which a saved prompt may consist


@dataclass(frozen=True)
class Nearest:
    """Nearest cells as an :class:`ipseg.core.types.Scorer`."""

    settings: Settings = field(default_factory=Settings)
    log_odds = True
    needs_density = False

    @property
    def of_small_masks(self) -> Nearest:
        """The same with the numbers for small masks: enlarged, what is small and smooth looks like much else."""
        settings, small = self.settings, self.settings.small
        return Nearest(replace(settings, presence_shared=small.shared, presence_colour=small.colour))

    @property
    def presence_without(self) -> Mapping[str, Nearest]:
        """Without what the colours of a mask lack of the object's."""
        small = replace(self.settings.small, colour=0.0)
        return {"colour": Nearest(replace(self.settings, presence_colour=0.0, small=small))}

    def model(self, images: Sequence[PromptFeatures]) -> Cells:
        """The object's cells and the background's centres of each layer and scale, of all prompt images together."""
        share = _shares(images)
        foreground, background = {}, {}
        for name in self._compared([layer.name for layer in images[0].features]):
            scales = _scales(images, name, share)
            cells = [[object_cells(layer, part, self.settings) for layer, part in views] for views in scales]
            foreground[name] = tuple(np.concatenate([inside for inside, _ in views]) for views in cells)
            rest = np.concatenate([outside for _, outside in cells[0]])
            background[name] = unit(centres(rest, self.settings.centres))
        semantic = [self._semantic(layer, part) for views in scales for layer, part in views]
        whole = tuple(np.stack(each) for each in zip(*(image.whole() for image in images), strict=True))
        return Cells(foreground, background, np.concatenate(semantic), colours(images), whole)

    def similarity(self, model: Cells, image: InputFeatures, negative: Cells | None) -> Similarity:
        """Log odds of the object on the cells of the first compared layer: (rows, columns) float32.

        The similarity with its median at 0 and its peak at 1 is taken as linear in them.
        """
        layers = [layer for layer in image.features if layer.name in model.foreground]
        frame = layers[0].frame
        inside = geometry.cells_inside(frame)
        values = self._scores(model, layers, frame)
        if negative is not None:
            values = lowered(values, self._scores(negative, layers, frame) - values, self.settings.negative)
        near = normalised(values)
        if self.settings.colour and model.colours is not None and image.image is not None:
            near = of_its_colours(near, colour_ratio(model.colours, image.image, frame, self.settings), self.settings)
        odds = self.settings.gain * (near - self.settings.middle)
        return Similarity(odds.astype(np.float32), inside, frame)

    def mask_scores(self, model: Cells, image: InputFeatures, negative: Cells | None, masks: NDArray[np.bool_]) -> None:
        """None: the segmenter's own scores decide, which depend on the similarity."""

    def presence(self, model: Cells, image: InputFeatures, negative: Cells | None, mask: Mask) -> float:
        """Logistic function of how much the mask's object is like the prompt's, by its cells and as a whole.

        Of cells the mean over the mask of the best uncentred cosines of the last layer, less what the mask's colours
        lack of the prompt's; of the whole object the products of its vectors with the nearest of the prompt images',
        where the features have such. 0.5 where a pair of the same and a pair of different objects are equally likely.
        What a negative prompt explains better is subtracted first. An empty mask scores 0.
        """
        layer = [each for each in image.features if each.name in model.foreground][-1]
        share = geometry.to_cells(mask.astype(np.float32), layer.frame)
        if not share.any():
            return 0.0
        cells = unit(to_numpy(layer.values))[share >= min(0.5, 0.9 * float(share.max()))]
        values = top(cells, model.semantic, self.settings.presence_neighbours)
        if negative is not None:
            other = top(cells, negative.semantic, self.settings.presence_neighbours)
            values = lowered(values, other - values, self.settings.negative)
        value = float(values.mean())
        if model.colours is not None and image.image is not None:
            missing = self.settings.presence_shared - shared_colours(model.colours[0], image.image, mask)
            value -= self.settings.presence_colour * max(missing, 0)
        vectors, numbers = image.whole(mask) if model.whole else (), self.settings.whole
        if len(vectors) == len(model.whole) == len(numbers.vectors):
            alike = object_similarity(vectors, model.whole, numbers.powers)
            if negative is not None and negative.whole:
                other = object_similarity(vectors, negative.whole, numbers.powers)
                alike = lowered(alike, other - alike, self.settings.negative)
            return float(logistic(numbers.offset + numbers.cells * value + float(alike @ numbers.vectors), 0.0, 1.0))
        return float(logistic(value, self.settings.presence_middle, self.settings.presence_slope))

    def cell_scores(self, models: Sequence[Cells], image: InputFeatures) -> tuple[NDArray[np.float32], Frame]:
        """Logistic function of the best uncentred cosines of the last layer, of ``FEW`` object cells of each model."""
        layer = [each for each in image.features if each.name in models[0].foreground][-1]
        rows = unit(to_numpy(layer.values)).reshape(-1, layer.values.shape[-1])
        samples = [spread(model.semantic, FEW) for model in models]
        values = best_of_groups(rows, samples, self.settings.presence_neighbours)
        scores = logistic(values, self.settings.presence_middle, self.settings.presence_slope)
        return scores.reshape(len(models), *layer.frame.grid), layer.frame

    def region_scores(
        self,
        models: Sequence[Cells],
        image: InputFeatures,
        cells: NDArray[np.float32],
        regions: NDArray[np.bool_],
        frame: Frame,
    ) -> NDArray[np.float32]:
        """Logistic function of the mean cosine of the cells, less what the region's colours lack of the models'."""
        middle, slope = self.settings.presence_middle, self.settings.presence_slope
        values = presence.of_regions(middle + log_odds(cells) / slope, regions)
        if image.image is not None and len(regions):
            small, settings = presence.small_regions(regions, frame), self.settings
            shared = np.where(small, settings.small.shared, settings.presence_shared)
            weight = np.where(small, settings.small.colour, settings.presence_colour)
            known = [model.colours is not None for model in models]
            colours_of = [model.colours[0] for model in models if model.colours is not None]
            common = shared_by_regions(colours_of, image.image, regions, frame)
            values[known] -= weight * np.maximum(shared - common, 0)
        return logistic(values, middle, slope).astype(np.float32)

    def layer_weights(self, layers: Sequence[str]) -> Mapping[str, float]:
        """Equal weights of the compared layers, together 1."""
        names = self._compared(layers)
        return dict.fromkeys(names, 1 / len(names))

    def variants(self, layers: Sequence[str]) -> Mapping[str, Nearest]:
        """All layers, without the background, with one neighbour, without colour, and each layer alone."""
        names = self._compared(layers)
        found = {
            "fused": self,
            "without background": Nearest(replace(self.settings, background=0.0)),
            "one neighbour": Nearest(replace(self.settings, neighbours=1)),
            "without colour": Nearest(replace(self.settings, colour=0.0)),
        }
        alone = names if len(names) > 1 else ()
        return found | {name: Nearest(replace(self.settings, layers=(name,))) for name in alone}

    def _compared(self, layers: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in layers if "@" not in name and name in (self.settings.layers or layers))

    def _semantic(self, layer: FeatureMap, share: NDArray[np.float32]) -> Rows:
        return spread(unit(to_numpy(layer.values))[inside_cells(share)], self.settings.most)

    def _scores(self, model: Cells, layers: Sequence[FeatureMap], frame: Frame) -> NDArray[np.float32]:
        maps = [
            geometry.resample(
                similarity_map(layer, model.foreground[layer.name], model.background[layer.name], self.settings),
                layer.frame,
                frame,
            )
            for layer in layers
        ]
        return np.mean(maps, axis=0)[..., 0]


def object_similarity(vectors: ObjectVectors, models: Sequence[Rows], powers: Sequence[float]) -> NDArray[np.float32]:
    """The product of each of n vectors (C,) with the nearest of the rows (images, C) of its kind, to a power: (n,).

    A product below 0 counts as 0.
    """
    products = [(rows @ vector).max() for vector, rows in zip(vectors, models, strict=True)]
    return (np.maximum(products, 0) ** np.asarray(powers)).astype(np.float32)


def similarity_map(
    layer: FeatureMap, foreground: Sequence[Rows], background: Rows, settings: Settings
) -> NDArray[np.float32]:
    """(rows, columns, 1): the mean over scales of the best cosines, less the weighted best one with the background."""
    rows = centred(layer).reshape(-1, layer.values.shape[-1])
    values = np.mean([top(rows, cells, settings.neighbours) for cells in foreground], axis=0)
    if settings.background and len(background):
        values = values - settings.background * top(rows, background, 1)
    return values.reshape(*layer.frame.grid, 1).astype(np.float32)


def colours(images: Sequence[PromptFeatures]) -> tuple[palette.Histogram, palette.Histogram] | None:
    """The colours of the object and of its background, of all prompt images together; None where one has no image."""
    objects, backgrounds = [], []
    for each in images:
        if each.image is None:
            return None
        lab, frame = palette.of_image(each.image)
        inside, beyond = palette.inside_and_beyond(lab, each.cells(frame))
        objects.append(inside)
        backgrounds.append(beyond)
    return palette.together(objects), palette.together(backgrounds)


def colour_ratio(
    model: tuple[palette.Histogram, palette.Histogram], image: ImageArray, frame: Frame, settings: Settings
) -> NDArray[np.float32]:
    """Log ratio of the object's colours to those of both images around each cell of ``frame``: (rows, columns)."""
    lab, fine = palette.of_image(image)
    shares = (settings.colour_prompt, model[1]), (settings.colour_input, palette.histogram(lab))
    ratio = log_ratio(model[0], shares, float((model[0] ** 2).sum()))[palette.bins(lab)]
    around = cv2.GaussianBlur(ratio, (0, 0), settings.colour_blur)
    return geometry.resample(around[..., None], fine, frame)[..., 0]


def shared_colours(colours: palette.Histogram, image: ImageArray, mask: Mask) -> float:
    """Bhattacharyya coefficient of a histogram and that of the colours inside a mask that is not empty: in [0, 1]."""
    lab, frame = palette.of_image(image)
    share = geometry.to_cells(mask, frame)
    inside = lab[share >= min(0.5, 0.9 * float(share.max()))]
    return float(np.sqrt(colours * palette.histogram(inside)).sum())


def shared_by_regions(
    colours: Sequence[palette.Histogram], image: ImageArray, regions: NDArray[np.bool_], frame: Frame
) -> NDArray[np.float32]:
    """:func:`shared_colours` of n histograms with m regions (m, rows, columns) of the cells of ``frame``: (n, m)."""
    if not colours:
        return np.zeros((0, len(regions)), np.float32)
    lab, fine = palette.of_image(image)
    shares = geometry.resample(np.moveaxis(regions, 0, -1).astype(np.float32), frame, fine)
    inside = shares >= np.minimum(0.5, 0.9 * shares.max(axis=(0, 1)))
    seen = np.array([palette.histogram(lab[inside[..., number]]) for number in range(len(regions))])
    return np.sqrt(np.array(colours)) @ np.sqrt(seen).T


def of_its_colours(near: NDArray[np.float32], ratio: NDArray[np.float32], settings: Settings) -> NDArray[np.float32]:
    """A similarity (median 0, peak 1) less what hills of other colours lose, as far as a high one has the object's.

    ``ratio`` (rows, columns), like ``near``: log ratios of the colours, of which the median over a hill counts.
    """
    smooth = crops.smoothed(near)
    hills = crops.hills(smooth, HILL, HILL, DIP)
    numbers = np.arange(1, hills.max() + 1)
    medians = np.array(ndimage.median(ratio, hills, numbers))
    high = np.array(ndimage.maximum(smooth, hills, numbers)) >= HIGH
    if not high.any():
        return near
    agreed = np.clip(medians[high].max() / settings.colour_range, 0, 1)
    losses = np.concatenate([[0], np.clip(-medians / settings.colour_range, 0, 1)])
    return (near - settings.colour * agreed * losses[hills] * np.maximum(near, 0)).astype(np.float32)


def object_cells(layer: FeatureMap, share: NDArray[np.float32], settings: Settings) -> tuple[Rows, Rows]:
    """Centred unit rows of the object's and of the background's cells, evenly spread over the image.

    ``share`` (rows, columns) in [0, 1]: how much of each cell is the object.
    """
    inside = inside_cells(share)
    outside = share < settings.background_share
    if outside.sum() <= FEW_BACKGROUND:
        outside = ~inside
    values = centred(layer)
    return spread(values[inside], settings.most), spread(values[outside], settings.most_background)


def inside_cells(share: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Cells of which more than half is the object, or the ``FEWEST`` with the largest share: (rows, columns) bool."""
    inside = share > 0.5
    if inside.sum() >= min(FEWEST, share.size):
        return inside
    return share >= np.sort(share, axis=None)[-min(FEWEST, share.size)]


def object_share(image: PromptFeatures, frame: Frame) -> NDArray[np.float32]:
    """How much of each cell of ``frame`` is the object, counted on cells ``FINER`` times as fine: (rows, columns)."""
    rows, columns = frame.grid
    fine = image.cells(replace(frame, grid=(FINER * rows, FINER * columns)))
    return fine.reshape(rows, FINER, columns, FINER).mean(axis=(1, 3), dtype=np.float32)


def logistic(value: Value, middle: float, slope: float) -> Value:
    """0.5 at ``middle``, and rising with a quarter of ``slope`` there; of a number, or of each of an array."""
    return 1 / (1 + np.exp(-slope * (value - middle)))


def log_odds(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """The inverse of the logistic function of slope 1 around 0, of scores up to float32's last one below 1."""
    clipped = np.clip(scores.astype(np.float64), LEAST, 1 - LEAST)
    return np.log(clipped / (1 - clipped))


def top(rows: Rows, others: Rows, k: int) -> NDArray[np.float32]:
    """The mean of the ``k`` best products of each of (n, C) rows with (m, C) ``others``, of all where m < k: (n,)."""
    cosines = rows @ others.T
    k = min(k, cosines.shape[1])
    if k == 1:
        return cosines.max(axis=1)
    return np.partition(cosines, -k, axis=1)[:, -k:].mean(axis=1)


def centred(layer: FeatureMap) -> NDArray[np.float32]:
    """Unit vectors after the mean over the image's cells is subtracted: (rows, columns, C)."""
    values = to_numpy(layer.values)
    return unit(values - values.mean(axis=(0, 1)))


def centres(rows: Rows, count: int) -> Rows:
    """Centres of k-means clusters of (n, C) rows, or the rows where there are no more than ``count``.

    OpenCV's k-means, whose sums have one order however many threads compute them: scikit-learn's have not, beyond 256
    rows. The random numbers of OpenCV belong to the thread and are seeded here: the same rows, the same centres.
    """
    if len(rows) <= count:
        return rows
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1e-3)
    return cv2.kmeans(np.ascontiguousarray(rows), count, None, criteria, 1, cv2.KMEANS_PP_CENTERS)[2]


def _shares(images: Sequence[PromptFeatures]) -> Callable[[int, Frame], NDArray[np.float32]]:
    """:func:`object_share` of the image of a number, once for each frame: several layers have the same one."""
    return functools.cache(lambda number, frame: object_share(images[number], frame))


def _scales(
    images: Sequence[PromptFeatures], name: str, share: Callable[[int, Frame], NDArray[np.float32]]
) -> list[list[tuple[FeatureMap, NDArray[np.float32]]]]:
    """For each scale of a layer, the unscaled one first: (layer, the object's share of its cells) of each image."""
    names = [layer.name for layer in images[0].features if layer.name.split("@")[0] == name]
    return [
        [
            (layer, share(number, layer.frame))
            for number, image in enumerate(images)
            for layer in image.features
            if layer.name == each
        ]
        for each in names
    ]


def build(settings: Settings) -> Nearest:
    """The plug-in."""
    return Nearest(settings)
