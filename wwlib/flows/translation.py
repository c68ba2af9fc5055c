"""Translation between two frozen networks: a distribution of the codes of one, given the output of the other.

After Rombach, Esser and Ommer, *Network-to-Network Translation with Conditional Invertible Neural Networks* (NeurIPS
2020). A conditional flow v = tau^-1(z | x) learns p(z | x) by likelihood alone; neither network is trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wwlib.base.checks import check_numbers
from wwlib.base.descent import descend
from wwlib.base.seeds import drawn_from
from wwlib.flows.flow import Flow, log_density
from wwlib.flows.latents import Latents


class Embedder(nn.Module):
    """H: a network from conditions, vectors `[B, n]` or maps `[B, C, H, W]`, to vectors `[B, outputs]`.

    Conditions are first standardised (each number of a vector, each channel of maps) with the mean and standard
    deviation that `initialise` measured. It has no BatchNorm, which would make a result depend on the rest of a batch.

    Args:
        shape: of one condition, `(n,)` or `(C, H, W)` with H = W a power of 2.
        outputs: length of the embedding.
        hidden: units of the layer before it.
        width: channels of the convolutions that halve maps down to 4 x 4.

    Raises:
        ValueError: for another shape.
    """

    def __init__(self, shape: tuple[int, ...], outputs: int = 32, hidden: int = 128, width: int = 32):
        super().__init__()
        square = len(shape) == 3 and shape[1] == shape[2] and math.log2(shape[1]).is_integer()
        if len(shape) != 1 and not square:
            raise ValueError(f"shape must be (n,) or (C, side, side) with side a power of 2, got {tuple(shape)}")
        self.shape = tuple(shape)
        broadcast = (shape[0], *(1 for _ in shape[1:]))
        self.register_buffer("mean", torch.zeros(broadcast))
        self.register_buffer("scale", torch.ones(broadcast))
        layers: list[nn.Module] = []
        if square:
            channels, side = shape[0], shape[1]
            while side > 4:
                layers += [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.1)]
                channels, side = width, side // 2
            layers += [nn.Flatten()]
        inputs = math.prod(shape) if len(shape) == 1 else channels * side**2
        self.network = nn.Sequential(
            *layers, nn.Linear(inputs, hidden), nn.LeakyReLU(0.1), nn.Linear(hidden, outputs), nn.LeakyReLU(0.1)
        )

    def _check(self, conditions: Tensor) -> None:
        if conditions.shape[1:] != self.shape:
            expected = ", ".join(map(str, self.shape))
            raise ValueError(f"conditions must be [B, {expected}], got {tuple(conditions.shape)}")

    @torch.no_grad()
    def initialise(self, conditions: Tensor) -> None:
        """Measure mean and standard deviation of conditions `[n, ...]`; what never varies is only shifted."""
        self._check(conditions)
        across = [0, *range(2, conditions.dim())]
        spread = conditions.std(dim=across, correction=0).view_as(self.scale)
        self.mean.copy_(conditions.mean(dim=across).view_as(self.mean))
        varies = spread > 1e-6 * self.mean.abs().clamp(min=1)  # more than rounding makes
        self.scale.copy_(torch.where(varies, 1 / spread.clamp(min=1e-6), 1.0))

    def forward(self, conditions: Tensor) -> Tensor:
        """Return the embedding `[B, outputs]`.

        Raises:
            ValueError: for conditions of another shape.
        """
        self._check(conditions)
        return self.network((conditions - self.mean) * self.scale)


@dataclass(frozen=True)
class TranslationSchedule:
    """Sizes of a translation and settings of its training with Adam(0.5, 0.9), whose rate falls linearly to 0.

    `shape` is that of one condition; `()` means no condition, so that the flow learns p(z).
    """

    dim: int
    shape: tuple[int, ...] = ()
    blocks: int = 8
    hidden: int = 128
    embedding: int = 32
    steps: int = 800
    batch: int = 128
    rate: float = 2e-3
    seed: int = 0

    def __post_init__(self):
        check_numbers(self, positive=("blocks", "hidden", "embedding", "steps", "batch", "rate"))
        object.__setattr__(self, "shape", tuple(self.shape))  # JSON gives lists


class Translation(nn.Module):
    """A flow from codes z `[B, d]` to residuals v `[B, d]` (tau^-1) and back (tau), given a condition x `[B, ...]`.

    After successful training, v is N(0, I) for every x: v holds what x does not determine, and nothing else.

    Args:
        schedule: sizes and seed.
    """

    def __init__(self, schedule: TranslationSchedule):
        super().__init__()
        conditional = schedule.embedding if schedule.shape else 0
        with drawn_from(schedule.seed):
            self.embedder = Embedder(schedule.shape, conditional, schedule.hidden) if schedule.shape else None
        self.flow = Flow(schedule.dim, conditional, schedule.blocks, schedule.hidden, seed=schedule.seed)

    def _embedded(self, x: Tensor | None) -> Tensor | None:
        if (x is None) != (self.embedder is None):
            raise ValueError(f"x must be {'None' if self.embedder is None else 'given'}, as in training")
        return None if x is None else self.embedder(x)

    def initialise(self, z: Tensor, x: Tensor | None = None) -> Translation:
        """Set embedder and flow from data, once, before training; return the translation."""
        if x is not None and self.embedder is not None:
            self.embedder.initialise(x)
        self.flow.initialise(z, self._embedded(x))
        return self

    def forward(self, z: Tensor, x: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the residual v `[B, d]` and log|det dv/dz| `[B]`."""
        return self.flow(z, self._embedded(x))

    def inverse(self, v: Tensor, x: Tensor | None = None) -> Tensor:
        """Return the code z `[B, d]` with residual v under condition x."""
        return self.flow.inverse(v, self._embedded(x))

    def nll(self, z: Tensor, x: Tensor | None = None) -> Tensor:
        """Return -log p(z | x) `[B]` in nats."""
        return -log_density(*self(z, x))

    def sample(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Return one random code `[B, d]` for each condition `[B, ...]`."""
        return self.inverse(torch.randn(len(x), self.flow.dim, generator=generator).to(x.device), x)


@torch.no_grad()
def carry(translation: Translation, z: Tensor, condition: Tensor, new_condition: Tensor) -> Tensor:
    """Return codes `[B, d]` with the residual of z and another condition.

    They are tau(v | new condition) with v = tau^-1(z | condition). With one word changed this is an edit, with the
    condition of another picture a transfer. Carried back to its own condition, a code is z again.

    Args:
        translation: trained.
        z: codes `[B, d]`.
        condition: the condition that belongs to them `[B, ...]`.
        new_condition: the condition of the result `[B, ...]`.
    """
    v, _ = translation(z, condition)
    return translation.inverse(v, new_condition)


@torch.no_grad()
def draws_of(translation: Translation, conditions: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """Return `draws` random codes for each of n conditions, `[n, draws, d]`."""
    many = conditions.repeat_interleave(draws, dim=0)
    return translation.sample(many, generator).unflatten(0, (len(conditions), draws))


def paired_draws(
    latents: Latents, conditions: Tensor | None, generator: torch.Generator
) -> Callable[[int], tuple[Tensor, Tensor | None]]:
    """Return a function that draws n random codes, noise included, and the conditions that belong to them.

    Raises:
        ValueError: if the numbers of codes and conditions differ.
    """
    if conditions is not None and len(conditions) != len(latents.mean):
        raise ValueError(f"conditions must be as many as the codes, got {len(conditions)} and {len(latents.mean)}")

    def draw(n: int) -> tuple[Tensor, Tensor | None]:
        rows = torch.randint(len(latents.mean), (n,), generator=generator)
        return latents.draw(rows, generator), None if conditions is None else conditions[rows]

    return draw


def train_translation(
    latents: Latents,
    conditions: Tensor | None,
    schedule: TranslationSchedule,
    build: Callable[[TranslationSchedule], Translation] = Translation,
) -> tuple[Translation, list[float]]:
    """Train a translation on pairs of code and condition; return it frozen, and the loss of every 25th step.

    Only the outputs of the two networks are needed here, so neither network can change.

    Args:
        latents: codes of n pictures, with their noise.
        conditions: the other network's output for the same pictures, `[n, ...]`; None to learn p(z).
        schedule: sizes, steps and seed.
        build: makes the untrained translation.

    Raises:
        ValueError: if the numbers of codes and conditions differ.
        FloatingPointError: if the loss stops being finite.
    """
    draw = paired_draws(latents, conditions, torch.Generator().manual_seed(schedule.seed))
    translation = build(schedule).initialise(*draw(1024))
    losses = descend(
        translation,
        lambda step: translation.nll(*draw(schedule.batch)).mean(),
        schedule.steps,
        schedule.rate,
        betas=(0.5, 0.9),
        clip=5.0,
    )
    return translation, losses
