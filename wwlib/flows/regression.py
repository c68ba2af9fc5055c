"""Regression, to compare with a translation: a network that returns one code for each condition, the expected one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.base.descent import descend
from wwlib.base.seeds import drawn_from
from wwlib.flows.latents import Latents
from wwlib.flows.translation import Embedder, TranslationSchedule, paired_draws


class Regression(nn.Module):
    """A network from conditions `[B, ...]` to the one code `[B, d]` with the least squared error.

    Args:
        schedule: sizes and seed, as of a translation; both hidden layers have `hidden` units.
    """

    def __init__(self, schedule: TranslationSchedule):
        super().__init__()
        with drawn_from(schedule.seed):
            self.embedder = Embedder(schedule.shape, schedule.hidden, schedule.hidden)
            self.last = nn.Linear(schedule.hidden, schedule.dim)

    def forward(self, conditions: Tensor) -> Tensor:
        """Return the code `[B, d]` that is expected under each condition."""
        return self.last(self.embedder(conditions))


def train_regression(
    latents: Latents, conditions: Tensor, schedule: TranslationSchedule
) -> tuple[Regression, list[float]]:
    """Train a regression on pairs of code and condition; return it frozen, and the loss of every 25th step.

    Args:
        latents: codes of n pictures, with their noise.
        conditions: of the same pictures, `[n, ...]`.
        schedule: sizes, steps and seed.

    Raises:
        ValueError: if the numbers of codes and conditions differ.
    """
    draw = paired_draws(latents, conditions, torch.Generator().manual_seed(schedule.seed))
    network = Regression(schedule)
    network.embedder.initialise(conditions[:1024])

    def loss_at(_: int) -> Tensor:
        z, x = draw(schedule.batch)
        return F.mse_loss(network(x), z)

    return network, descend(network, loss_at, schedule.steps, schedule.rate, clip=5.0)
