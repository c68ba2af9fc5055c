"""Gradient descent for the small networks of Part II: Adam whose rate falls linearly to 0 at the end."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from wwlib.base.device import own_modes


@own_modes()
def descend(
    network: nn.Module,
    loss_at: Callable[[int], Tensor],
    steps: int,
    rate: float,
    betas: tuple[float, float] = (0.9, 0.999),
    clip: float | None = None,
    every: int = 25,
    falls_from: float = 0.0,
) -> list[float]:
    """Train a network in place, leave it frozen, and return the loss of every few steps.

    Args:
        network: whose parameters move.
        loss_at: gives the loss of step 0, 1, ... on a batch that it draws itself.
        steps: number of steps.
        rate, betas: of Adam.
        clip: largest norm of all gradients together; None for no limit.
        every: steps between two losses that are returned; the last step's is one of them.
        falls_from: share of the steps after which the rate falls, linearly to 0.

    Raises:
        FloatingPointError: if a loss that is returned is not finite.
    """
    optimiser = torch.optim.Adam(network.parameters(), lr=rate, betas=betas, fused=True)
    falling = falling_rate(optimiser, steps, falls_from)
    losses = []
    for step in range(steps):
        loss = loss_at(step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
        optimiser.step()
        falling.step()
        if step % every == 0 or step == steps - 1:
            losses.append(loss.item())
            if not math.isfinite(losses[-1]):
                raise FloatingPointError(f"the loss is not finite at step {step}")
    network.eval().requires_grad_(False)
    return losses


def falling_rate(
    optimiser: torch.optim.Optimizer, steps: int, falls_from: float = 0.0
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return the schedule that holds an optimiser's rate until a share of the steps, then lets it fall to 0 on a line.

    Args:
        optimiser: whose rate it is.
        steps: of the whole training.
        falls_from: share of the steps after which the rate falls.
    """
    start = falls_from * steps
    return torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: min(1.0, (steps - step) / (steps - start)))


def count(network: nn.Module) -> int:
    """Return the number of a network's parameters."""
    return sum(parameter.numel() for parameter in network.parameters())
