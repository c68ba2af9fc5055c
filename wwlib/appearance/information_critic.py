"""How much two codes tell of each other, estimated by a critic; and what an encoder is made to do about it.

Source: the public code of *Unsupervised Robust Disentangling of Latent Characteristics for Image Synthesis* (ICCV
2019), written anew from its formulas.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from wwlib.base.checks import check_numbers
from wwlib.base.seeds import drawn_from


@dataclass(frozen=True)
class CriticSize:
    """How much a critic can see.

    Args:
        width: units of each hidden layer.
        rank: length of the two vectors whose inner product is the score.
    """

    width: int = 128
    rank: int = 32

    def __post_init__(self):
        check_numbers(self, ("width", "rank"))


STRONG, WEAK = CriticSize(), CriticSize(4, 2)


class InformationCritic(nn.Module):
    """T(pi, alpha) = <f(pi), h(alpha)>: at its best the logarithm of p(pi, alpha) / (p(pi) p(alpha)).

    Args:
        pose: length of a pose code pi.
        appearance: length of an appearance code alpha.
        size: width and rank.
        seed: of the weights.
    """

    def __init__(self, pose: int, appearance: int, size: CriticSize = STRONG, seed: int = 0):
        super().__init__()
        with drawn_from(seed):
            self.f, self.h = perceptron(pose, size), perceptron(appearance, size)

    def forward(self, pose: Tensor, appearance: Tensor) -> Tensor:
        """Return the score of every pose code `[B, d]` with every appearance code `[B, e]`, `[B, B]`."""
        return self.f(pose) @ self.h(appearance).t()


def perceptron(inputs: int, size: CriticSize) -> nn.Sequential:
    """Return a network from vectors `[B, inputs]` to vectors `[B, rank]`, with two hidden layers."""
    return nn.Sequential(
        nn.Linear(inputs, size.width),
        nn.SiLU(),
        nn.Linear(size.width, size.width),
        nn.SiLU(),
        nn.Linear(size.width, size.rank),
    )


def density_ratio_loss(scores: Tensor) -> Tensor:
    """Return the loss of a critic that tells true pairs from mixed ones; nats, log 2 if it cannot.

    Args:
        scores: `[B, B]`; row i and column i belong together, all other pairs are mixed.

    Raises:
        ValueError: unless scores are `[B, B]` with B of 2 or more: one pair alone has nothing to be mixed with.
    """
    if scores.dim() != 2 or scores.shape[0] != scores.shape[1] or len(scores) < 2:
        raise ValueError(f"scores must be [B, B] with B of 2 or more, got {tuple(scores.shape)}")
    true = scores.diagonal()
    mixed = scores[~torch.eye(len(scores), dtype=torch.bool, device=scores.device)]
    return 0.5 * (F.softplus(-true).mean() + F.softplus(mixed).mean())


def information(scores: Tensor) -> Tensor:
    """Return the critic's estimate of the mutual information in nats: the mean score `[B, B]` of true pairs."""
    return scores.diagonal().mean()


def frozen_scores(critic: InformationCritic, pose: Tensor, appearance: Tensor) -> Tensor:
    """Return a critic's scores `[B, B]` through which gradients reach the pose codes, and nothing else."""
    weights = {name: weight.detach() for name, weight in critic.named_parameters()}
    return functional_call(critic, weights, (pose, appearance.detach()))


def standardised(codes: Tensor) -> Tensor:
    """Return codes `[B, e]` with mean 0 and spread 1 in every dimension over the batch; one that is flat becomes 0."""
    return (codes - codes.mean(dim=0)) / (codes.std(dim=0, correction=0) + 1e-4)


@dataclass(frozen=True)
class Constraint:
    """What the encoder is asked for: no more than `bound` nats; an augmented Lagrangian says what a breach costs.

    Args:
        bound: nats that may remain.
        mu: weight of the squared breach.
        step: how fast the multiplier follows a breach.
    """

    bound: float = 0.1
    mu: float = 0.5
    step: float = 0.1

    def __post_init__(self):
        check_numbers(self, ("mu", "step"), ("bound",))

    def penalty(self, nats: Tensor, multiplier: float) -> Tensor:
        """Return what these nats cost, with the multiplier as it stands; 0 far enough below the bound."""
        breach = nats - self.bound
        active = self.mu * breach + multiplier >= 0
        return torch.where(active, multiplier * breach + 0.5 * self.mu * breach.square(), 0 * breach)

    def raised(self, multiplier: float, nats: float) -> float:
        """Return the multiplier after a step: larger after a breach, smaller below the bound, never below 0."""
        return max(0.0, multiplier + self.step * (nats - self.bound))


@dataclass(frozen=True)
class Distrust:
    """The weight gamma of the noise on pose codes; it grows as long as a second critic sees more than the first.

    The first critic T trains the encoder, so the encoder learns to deceive it. The second, T', only watches.

    Args:
        gamma: weight of the KL divergence now.
        reported: running mean of T's estimate, nats; None before the first.
        watched: running mean of T''s estimate, nats; None before the first.
        rate: how much gamma grows for each nat that T overlooks, at every step.
        tolerance: nats that T may overlook.
        decay: of the running means.
    """

    gamma: float = 0.0
    reported: float | None = None
    watched: float | None = None
    rate: float = 0.002
    tolerance: float = 0.0
    decay: float = 0.98

    def __post_init__(self):
        check_numbers(self, ("rate",), ("gamma", "tolerance"))
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay must be in [0, 1), got {self.decay!r}")

    def after(self, reported: float, watched: float) -> Self:
        """Return the state after one more pair of estimates."""
        first, second = (
            new if old is None else self.decay * old + (1 - self.decay) * new
            for old, new in ((self.reported, reported), (self.watched, watched))
        )
        gamma = max(0.0, self.gamma + self.rate * (second - first - self.tolerance))
        return replace(self, gamma=gamma, reported=first, watched=second)


def train_critic(
    pose: Tensor,
    appearance: Tensor,
    size: CriticSize = STRONG,
    steps: int = 500,
    batch: int = 128,
    seed: int = 0,
    held_out: int = 0,
) -> InformationCritic:
    """Train a critic on pairs of codes that stay as they are, and return it frozen.

    Args:
        pose, appearance: `[n, d]` and `[n, e]`, row by row of one picture.
        size: of the critic.
        steps, batch: of its training.
        seed: of weights and batches.
        held_out: rows at the end that are not learned from. The critic with the lowest loss on them is returned, looked
            at every 25 steps: one that knows its pairs by heart reports nonsense about others. 0 for the last critic.

    Raises:
        ValueError: if the numbers of rows differ, or not even two rows are left to learn from.
    """
    learned = len(pose) - held_out
    if len(pose) != len(appearance):
        raise ValueError(f"pose and appearance must have as many rows, got {len(pose)} and {len(appearance)}")
    if learned < 2 or held_out < 0:
        raise ValueError(f"held_out must leave 2 rows or more of {len(pose)}, got {held_out}")
    critic, generator = InformationCritic(pose.shape[1], appearance.shape[1], size, seed), torch.Generator()
    generator.manual_seed(seed)
    optimiser, best, lowest = critic_optimiser(critic), critic.state_dict(), float("inf")
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, steps)
    for step in range(1, steps + 1):
        rows = torch.randint(learned, (batch,), generator=generator)
        step_critic(critic, optimiser, pose[rows], appearance[rows])
        falling.step()
        if held_out and (step % 25 == 0 or step == steps):
            with torch.no_grad():
                loss = float(density_ratio_loss(critic(pose[learned:], appearance[learned:])))
            if loss < lowest:
                best, lowest = {name: weight.clone() for name, weight in critic.state_dict().items()}, loss
    if held_out:
        critic.load_state_dict(best)
    return critic.eval().requires_grad_(False)


def critic_optimiser(critic: InformationCritic, rate: float = 2e-3) -> torch.optim.Adam:
    """Return the optimiser of a critic, whose betas (.5, .9) let it follow codes that move."""
    return torch.optim.Adam(critic.parameters(), lr=rate, betas=(0.5, 0.9))


def step_critic(critic: InformationCritic, optimiser: torch.optim.Adam, pose: Tensor, appearance: Tensor) -> float:
    """Train a critic for one step on detached codes; return its estimate before the step, nats."""
    scores = critic(pose.detach(), appearance.detach())
    loss = density_ratio_loss(scores)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    return float(information(scores.detach()))
