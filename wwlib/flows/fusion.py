"""Network fusion: several experts steer one frozen image model, each through a conditional flow of its own.

After Rombach, Esser and Ommer, *Network Fusion for Content Creation with Conditional INNs* (AI for Content Creation
workshop, CVPR 2020). The flow is that of `wwlib.flows.translation`; this module adds a variant of it and two measures.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.base.descent import descend
from wwlib.base.seeds import drawn_from
from wwlib.flows.flow import Flow
from wwlib.flows.translation import Translation, TranslationSchedule


class ShortTranslation(Translation):
    """A translation in which only the blocks next to z get the condition; the blocks after them are unconditional.

    Two conditions can then differ in little, so a code that is carried from one to the other keeps the rest of its
    content. The unconditional blocks fit the density.

    Args:
        schedule: of the whole; `blocks` counts both kinds.
        heard: number of blocks that get the condition.

    Raises:
        ValueError: unless 1 <= heard < blocks.
    """

    def __init__(self, schedule: TranslationSchedule, heard: int):
        if not 1 <= heard < schedule.blocks:
            raise ValueError(f"heard must lie in 1..{schedule.blocks - 1}, got {heard}")
        super().__init__(replace(schedule, blocks=heard))
        self.common = Flow(schedule.dim, 0, schedule.blocks - heard, schedule.hidden, seed=schedule.seed + 1)

    def initialise(self, z: Tensor, x: Tensor | None = None) -> ShortTranslation:
        """Set embedder and both flows from data, once, before training; return the translation."""
        super().initialise(z, x)
        with torch.no_grad():
            self.common.initialise(super().forward(z, x)[0])
        return self

    def forward(self, z: Tensor, x: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the residual v `[B, d]` and log|det dv/dz| `[B]`."""
        near, near_logdet = super().forward(z, x)
        v, logdet = self.common(near)
        return v, near_logdet + logdet

    def inverse(self, v: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the code z `[B, d]` with residual v under condition x."""
        return super().inverse(self.common.inverse(v), x)


def within_variance(features: Tensor) -> float:
    """Return how much features vary under one condition: the variance, summed over features, averaged over conditions.

    Args:
        features: `[conditions, draws, F]`.

    Raises:
        ValueError: for fewer than two draws.
    """
    if features.dim() != 3 or features.shape[1] < 2:
        raise ValueError(f"features must be [conditions, 2 or more draws, F], got {tuple(features.shape)}")
    return float(features.var(dim=1).sum(dim=1).mean())


def guessing(v: Tensor, labels: Tensor, seed: int = 0, steps: int = 300, hidden: int = 64) -> float:
    """Return how often a small network predicts the label of unseen codes; chance if v is independent of the label.

    It is trained on the first half of the codes and scored on the second.

    Args:
        v: codes `[n, d]`.
        labels: whole numbers `[n]`.
        seed: of the classifier.
        steps, hidden: of its training and its layer.
    """
    random, half = torch.Generator().manual_seed(seed), len(v) // 2
    with drawn_from(seed):
        classifier = nn.Sequential(nn.Linear(v.shape[1], hidden), nn.ReLU(), nn.Linear(hidden, int(labels.max()) + 1))

    def loss_at(_: int) -> Tensor:
        rows = torch.randint(half, (128,), generator=random)
        return F.cross_entropy(classifier(v[rows]), labels[rows])

    descend(classifier, loss_at, steps, 3e-3)
    return float((classifier(v[half:]).argmax(dim=1) == labels[half:]).float().mean())
