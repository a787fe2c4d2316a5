"""The two learnt numbers of PerSAM-F: how SAM's three masks are mixed."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ipseg.core.types import Mask, Progress

ALPHA, GAMMA = 0.25, 2.0  # of the focal loss
REPORTS = 50  # times that progress is reported


def learn(
    logits: NDArray[np.float32], truth: Mask, *, epochs: int, lr: float, progress: Progress | None = None
) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """Weights (3,) for ``logits`` (3, H, W) whose weighted sum comes close to ``truth`` (H, W) bool, and every loss.

    The first weight is what the other two leave of 1; they begin at a third. AdamW with eps 1e-4 and a cosine's
    annealing, dice plus focal loss, as released.
    """
    masks, wanted = torch.from_numpy(logits).flatten(1), torch.from_numpy(truth.astype(np.float32)).flatten()
    with torch.enable_grad():
        free = torch.nn.Parameter(torch.ones(2, 1) / 3)
        optimizer = torch.optim.AdamW([free], lr=lr, eps=1e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        losses = []
        for epoch in range(epochs):
            if progress and epoch % max(1, epochs // REPORTS) == 0:
                progress(0.3 + 0.7 * epoch / epochs, "weights")
            loss = _loss((masks * _three(free)).sum(0), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
    return _three(free).detach().flatten().numpy(), tuple(losses)


def _three(free: Tensor) -> Tensor:
    return torch.cat((1 - free.sum(0, keepdim=True), free))


def _loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Dice plus focal loss of (n,) logits against (n,) zeros and ones."""
    shown = logits.sigmoid()
    dice = 1 - (2 * (shown * wanted).sum() + 1) / (shown.sum() + wanted.sum() + 1)
    surprise = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    missed = shown + wanted - 2 * shown * wanted  # 1 - p of the right side
    balance = ALPHA * wanted + (1 - ALPHA) * (1 - wanted)
    return dice + (balance * missed**GAMMA * surprise).mean()
