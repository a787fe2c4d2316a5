"""Masks for many groups of points: predicted batch by batch, filtered, and stored in little memory.

A mask is stored as bits on the segmenter's own low resolution, cut to the part of it that the image covers; whoever
needs one in the pixels of the image asks the segmenter for its group once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ipseg.core.types import Points

FEW = 8  # with no more points than this, every group is taken instead of a draw
BATCH = 32  # groups that go through a network together
Box = tuple[float, float, float, float]
Answers = Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]
"""For each group its number, its logits (l, h, w) over the image, and the segmenter's scores (l,)."""

Decode = Callable[..., tuple[NDArray[np.float32], NDArray[np.float32]]]
"""One batch of groups (b, k, 2) to logits (b, l, h, w) over the image and scores (b, l)."""


@dataclass(frozen=True)
class Pool:
    """Candidate masks. ``group`` and ``layer`` (n,) say which answer to which group each of them is."""

    shape: tuple[int, int]  # (h, w) of every mask
    bits: NDArray[np.uint8]  # (n, bytes): masks, read row by row, eight pixels a byte
    scores: NDArray[np.float32]  # (n,): the segmenter's own
    group: NDArray[np.intp]
    layer: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.scores)

    def mask(self, number: int) -> NDArray[np.bool_]:
        """One mask, (h, w) bool."""
        return np.unpackbits(self.bits[number], count=self.shape[0] * self.shape[1]).reshape(self.shape).view(bool)

    def take(self, chosen: NDArray) -> Pool:
        """Those of the given numbers."""
        return Pool(self.shape, self.bits[chosen], self.scores[chosen], self.group[chosen], self.layer[chosen])


def draw(points: NDArray[np.float32], sizes: tuple[int, int], draws: int, seed: int) -> list[NDArray[np.float32]]:
    """Groups of points: for each size a (b, size, 2) array, of ``draws`` draws, or of all groups when there are few."""
    rng, n = np.random.default_rng(seed), len(points)
    found = []
    for size in range(min(sizes[0], n), min(sizes[1], n) + 1):
        if n > FEW:
            numbers = np.stack([rng.choice(n, size, replace=False) for _ in range(draws)])
        else:
            numbers = np.array(list(combinations(range(n), size)))
        found.append(points[numbers])
    return found


def spread(size: tuple[int, int], side: int) -> NDArray[np.float32]:
    """A grid of ``side`` x ``side`` points over an image of ``size`` (height, width), each a group: (n, 1, 2)."""
    places = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(places * size[1], places * size[0])
    return np.stack([x.ravel(), y.ravel()], axis=1)[:, None].astype(np.float32)


def ask_one_by_one(
    segmenter: Any, encoding: Any, groups: NDArray[np.float32], box: Box | None, several: bool
) -> Answers:
    """Any segmenter, asked for one group at a time."""
    for number, group in enumerate(groups):
        answer = segmenter.predict(encoding, only(group), box=box, several=several)
        yield number, answer.logits, answer.scores


def ask_sam(
    segmenter: Any, encoding: Any, groups: NDArray[np.float32], box: Box | None, several: bool, run: Callable[..., Any]
) -> Answers:
    """A segment-anything SAM, whose prompt encoder and mask decoder take many groups at once. ``run`` runs it."""
    for start in range(0, len(groups), BATCH):
        logits, scores = run(_decode, segmenter, encoding, groups[start : start + BATCH], box, several)
        for number, answer in enumerate(zip(logits, scores, strict=True), start=start):
            yield number, *answer


def collect(answers: Answers, *, first: int = 0, iou: float = 0.0, stability: float = 0.0) -> Pool | None:
    """The answers that are not empty and pass both filters; None without any. Groups are counted from ``first``.

    Stability is the intersection over union of the mask at logits above 1 and above -1.
    """
    bits, scores, group, layer, shape = [], [], [], [], (0, 0)
    for number, logits, layer_scores in answers:
        shape = logits.shape[1:]
        for which, (values, score) in enumerate(zip(logits, layer_scores, strict=True)):
            steady = stability <= 0 or (values > 1).sum() >= stability * max(1, (values > -1).sum())
            if (iou > 0 and score <= iou) or not steady or not (values > 0).any():
                continue
            bits.append(np.packbits(values > 0))
            scores.append(score)
            group.append(first + number)
            layer.append(which)
    if not bits:
        return None
    return Pool(shape, np.stack(bits), np.array(scores, np.float32), np.array(group), np.array(layer))


def together(pools: Sequence[Pool | None]) -> Pool | None:
    """All of them in one."""
    found = [pool for pool in pools if pool is not None]
    if not found:
        return None
    parts = (np.concatenate([getattr(pool, name) for pool in found]) for name in ("bits", "scores", "group", "layer"))
    return Pool(found[0].shape, *parts)


def suppress(pool: Pool, limit: float) -> Pool:
    """Non-maximum suppression: of masks whose boxes overlap more than ``limit``, that with the higher score stays."""
    if limit >= 1:
        return pool
    boxes = [cv2.boundingRect(pool.mask(number).astype(np.uint8)) for number in range(len(pool))]
    positive = pool.scores - pool.scores.min() + 1  # OpenCV drops scores of 0 and below
    selected = cv2.dnn.NMSBoxes(boxes, positive.tolist(), 0.0, limit)
    return pool.take(np.asarray(selected, dtype=np.intp).ravel())


def only(positive: NDArray[np.float32]) -> Points:
    """Positive points alone."""
    return Points(np.asarray(positive, dtype=np.float32), np.empty((0, 2), dtype=np.float32))


def _decode(segmenter: Any, encoding: Any, groups: NDArray[np.float32], box: Box | None, several: bool) -> tuple:
    """Logits (b, l, h, w) on the part of SAM's low resolution that the image covers, and scores (b, l)."""
    import torch

    sam, side = segmenter.sam, segmenter.sam.image_encoder.img_size
    (height, width), inner = encoding.original_size, encoding.input_size
    scale = (inner[1] / width, inner[0] / height)

    def place(values: NDArray) -> Any:
        return torch.as_tensor(values, dtype=torch.float32, device=encoding.embedding.device)

    with torch.inference_mode():
        labels = place(np.ones(groups.shape[:2]))
        corners = None if box is None else place(np.reshape(box, (2, 2)) * scale).view(1, 4).expand(len(groups), 4)
        sparse, dense = sam.prompt_encoder(points=(place(groups * scale), labels), boxes=corners, masks=None)
        logits, scores = sam.mask_decoder(
            image_embeddings=encoding.embedding,
            image_pe=sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=several,
        )
        rows, columns = (-(-inner[axis] * logits.shape[2 + axis] // side) for axis in (0, 1))
        return logits[..., :rows, :columns].cpu().numpy(), scores.cpu().numpy()
