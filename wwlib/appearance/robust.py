"""Robust disentangling: pose and appearance of figures taken apart, from pairs of pictures and nothing else.

Source: the public code of *Unsupervised Robust Disentangling of Latent Characteristics for Image Synthesis* (ICCV
2019), written anew from its formulas; networks and settings are our own, for pictures of 32 pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.appearance.blocks import WIDTHS, Modulation, Normal, Pyramid, block, doubled, kl, normal_of
from wwlib.appearance.information_critic import (
    STRONG,
    Constraint,
    CriticSize,
    Distrust,
    InformationCritic,
    critic_optimiser,
    frozen_scores,
    information,
    standardised,
    step_critic,
)
from wwlib.appearance.vunet import picture_loss
from wwlib.base.checks import check_numbers
from wwlib.base.descent import falling_rate
from wwlib.base.device import Compute
from wwlib.base.seeds import drawn_from

POSE, APPEARANCE, SIDE = 4, 32, 4  # channels of the pose code, length of the appearance code, side of the pose code
LEAST_NOISE = 1e-5  # weight of the divergence that is always there, so that codes do not drift away
CPU = Compute(torch.device("cpu"), torch.bfloat16)


class AppearanceEncoder(nn.Module):
    """Reads a vector `[B, 32]` from images: the features at 4 px and the pooled colours of every place, dense."""

    def __init__(self):
        super().__init__()
        self.pyramid = Pyramid(3)
        self.dense = nn.Linear((WIDTHS[3] + 3) * SIDE**2, APPEARANCE)

    def forward(self, images: Tensor) -> Tensor:
        """Return the appearance codes of images `[B, 3, 32, 32]` in [-1, 1]."""
        seen = torch.cat([self.pyramid(images)[-1], F.avg_pool2d(images, images.shape[-1] // SIDE)], dim=1)
        return self.dense(seen.flatten(1)).float()


class Decoder(nn.Module):
    """Draws a picture: the pose code enters at 4 px, the appearance code modulates at 4, 8, 16 and 32 px."""

    def __init__(self):
        super().__init__()
        widths = WIDTHS[::-1]
        self.blocks = nn.ModuleList(block(a, b) for a, b in pairwise((POSE, *widths)))
        self.modulate = nn.ModuleList(Modulation(APPEARANCE, width) for width in widths)
        self.draw = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, pose: Tensor, appearance: Tensor) -> Tensor:
        """Return images `[B, 3, 32, 32]` of codes `[B, 4, 4, 4]` and `[B, 32]`."""
        h = pose
        for k, (up, modulate) in enumerate(zip(self.blocks, self.modulate, strict=True)):
            h = modulate(up(doubled(h) if k else h), appearance)
        return self.draw(h).float()


class RobustModel(nn.Module):
    """Two encoders and a decoder: a pose code of one picture, an appearance code of another, drawn together.

    Args:
        seed: of the weights.
    """

    def __init__(self, seed: int = 0):
        super().__init__()
        with drawn_from(seed):
            self.pose_pyramid, self.pose_head = Pyramid(3), nn.Conv2d(WIDTHS[3], 2 * POSE, 1)
            self.encode_appearance, self.decode = AppearanceEncoder(), Decoder()

    def encode_pose(self, images: Tensor) -> Normal:
        """Return the distributions of the pose codes `[B, 4, 4, 4]` of images `[B, 3, 32, 32]` in [-1, 1]."""
        return normal_of(self.pose_head(self.pose_pyramid(images)[-1]))


@dataclass(frozen=True)
class RobustSchedule:
    """How a model is trained.

    Args:
        critic: size of T; its rival T' is always a strong one.
        constrained: whether the encoder must keep T's estimate below the bound; if not, T and T' only watch.
        adaptive: whether gamma grows with what T overlooks.
        gamma: weight of the noise at the start.
        tolerance: nats that T may overlook before gamma grows.
        gamma_rate: growth of gamma for each nat that T overlooks, at every step.
        bound: nats that T may see.
        watcher_steps: of T' for each step of the model, all on its present codes, with noise drawn anew.
        other_figures: whether T' sees codes of other figures in every step but the first.
        start: share of the steps before constraint and gamma begin to act.
        steps, batch, rate, clip: of Adam; the rate falls to 0 over the last 40 % of the steps.
        seed: of weights, batches and noise.
    """

    critic: CriticSize = STRONG
    constrained: bool = True
    adaptive: bool = True
    gamma: float = 0.0
    tolerance: float = 0.0
    gamma_rate: float = 0.003
    bound: float = 0.1
    watcher_steps: int = 4
    other_figures: bool = False
    start: float = 0.1
    steps: int = 600
    batch: int = 32
    rate: float = 2e-3
    clip: float = 20.0
    seed: int = 0

    def __post_init__(self):
        positive = ("gamma_rate", "watcher_steps", "steps", "batch", "rate", "clip")
        check_numbers(self, positive, ("gamma", "tolerance", "bound", "start"))
        if self.batch < 2:
            raise ValueError(f"batch must be 2 or more, or no pair can be mixed, got {self.batch}")


@dataclass(frozen=True)
class Pairs:
    """Two pictures of each figure, in two poses: `first` and `second`, both `[n, 3, 32, 32]` in [-1, 1]."""

    first: Tensor
    second: Tensor

    def __post_init__(self):
        if self.first.shape != self.second.shape or self.first.shape[1:] != (3, 32, 32):
            raise ValueError(
                f"first and second must both be [n, 3, 32, 32], got {tuple(self.first.shape)} and "
                f"{tuple(self.second.shape)}"
            )

    def __len__(self) -> int:
        return len(self.first)

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return n pictures and the other picture of the same n figures; either of a pair may come first."""
        rows, turned = torch.randint(len(self), (n,), generator=generator), torch.rand(n, generator=generator) < 0.5
        turned = turned.view(-1, 1, 1, 1)
        one, other = self.first[rows], self.second[rows]
        return torch.where(turned, other, one), torch.where(turned, one, other)


class RobustTraining:
    """A model in training, its two critics, and what constraint and noise have come to."""

    def __init__(self, pairs: Pairs, schedule: RobustSchedule):
        self.pairs, self.schedule = pairs, schedule
        self.model = RobustModel(schedule.seed).to(memory_format=torch.channels_last)
        codes = POSE * SIDE**2, APPEARANCE
        self.reporting = InformationCritic(*codes, schedule.critic, seed=schedule.seed + 1)
        self.watching = InformationCritic(*codes, STRONG, seed=schedule.seed + 2)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=schedule.rate, betas=(0.9, 0.99))
        self.falling = falling_rate(self.optimiser, schedule.steps, falls_from=0.6)
        self.critic_optimisers = critic_optimiser(self.reporting), critic_optimiser(self.watching)
        self.constraint, self.multiplier = Constraint(schedule.bound), 0.0
        self.distrust = Distrust(schedule.gamma, rate=schedule.gamma_rate, tolerance=schedule.tolerance)
        self.generator = torch.Generator().manual_seed(schedule.seed)
        self.taken = 0

    def step(self) -> dict[str, float]:
        """Train model and critics for one step; return what was measured on the way."""
        images, others = self.pairs.draw(self.schedule.batch, self.generator)
        images, others = (x.contiguous(memory_format=torch.channels_last) for x in (images, others))
        with CPU.autocast():
            poses, appearance = self.model.encode_pose(images), self.model.encode_appearance(others)
            pose = poses.sample(self.generator)
            drawn = self.model.decode(pose, appearance)
        error = picture_loss(drawn, images)
        codes = pose.flatten(1), standardised(appearance.detach())
        reported = information(frozen_scores(self.reporting, *codes))
        acts = self.taken >= self.schedule.start * self.schedule.steps
        loss = error + (LEAST_NOISE + self.distrust.gamma) * kl(poses).mean()
        if acts and self.schedule.constrained:
            loss = loss + self.constraint.penalty(reported, self.multiplier)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.schedule.clip)
        self.optimiser.step()
        self.falling.step()
        # only now: the backward pass above still needed the critics' weights as they were
        first = step_critic(self.reporting, self.critic_optimisers[0], *codes)
        second = step_critic(self.watching, self.critic_optimisers[1], *codes)
        for _ in range(self.schedule.watcher_steps - 1):
            again = self._other_codes() if self.schedule.other_figures else (poses.sample(self.generator), codes[1])
            step_critic(self.watching, self.critic_optimisers[1], again[0].flatten(1), again[1])
        if acts:
            self._follow(first, second)
        self.taken += 1
        state = dict(error=float(error.detach()), reported=first, watched=second)
        if not math.isfinite(state["error"]):
            raise FloatingPointError(f"the error is not finite at step {self.taken}")
        return state | dict(gamma=self.distrust.gamma, multiplier=self.multiplier)

    @torch.no_grad()
    def _other_codes(self) -> tuple[Tensor, Tensor]:
        """Pose and appearance codes of a further batch of figures, by the model as it is now."""
        images, others = self.pairs.draw(self.schedule.batch, self.generator)
        with CPU.autocast():
            poses, appearance = self.model.encode_pose(images), self.model.encode_appearance(others)
        return poses.sample(self.generator), standardised(appearance)

    def _follow(self, reported: float, watched: float) -> None:
        """Let multiplier and gamma follow the two estimates."""
        if self.schedule.constrained:
            self.multiplier = self.constraint.raised(self.multiplier, reported)
        if self.schedule.adaptive:
            self.distrust = self.distrust.after(reported, watched)


def train_robust(pairs: Pairs, schedule: RobustSchedule) -> tuple[RobustModel, list[dict[str, float]]]:
    """Train a model on pairs; return it frozen, and what every step measured.

    Args:
        pairs: two pictures of each figure.
        schedule: variant, steps and seed.

    Raises:
        FloatingPointError: if an error is not finite.
    """
    training = RobustTraining(pairs, schedule)
    history = [training.step() for _ in range(schedule.steps)]
    return training.model.eval().requires_grad_(False), history


@torch.no_grad()
def codes_of(model: RobustModel, images: Tensor, others: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return the drawn pose codes `[n, 64]` of images, and the appearance codes `[n, 32]` of other pictures."""
    poses = [model.encode_pose(part).sample(generator).flatten(1) for part in images.split(256)]
    return torch.cat(poses), torch.cat([model.encode_appearance(part) for part in others.split(256)])


@torch.no_grad()
def transfer(
    model: RobustModel, poses: Tensor, appearances: Tensor, generator: torch.Generator | None = None
) -> Tensor:
    """Return pictures `[n, 3, 32, 32]` with the pose of one picture and the appearance of another.

    Args:
        model: trained.
        poses, appearances: pictures `[n, 3, 32, 32]` in [-1, 1] that give the one and the other.
        generator: of the noise on pose codes; without one, the code is its mean.
    """
    drawn = []
    for pose, appearance in zip(poses.split(256), appearances.split(256), strict=True):
        poses_of = model.encode_pose(pose)
        code = poses_of.mean if generator is None else poses_of.sample(generator)
        drawn.append(model.decode(code, model.encode_appearance(appearance)))
    return torch.cat(drawn).clamp(-1, 1)
