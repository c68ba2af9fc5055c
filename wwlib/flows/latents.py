"""Codes of pictures from a network with an encoder: drawn once, kept as mean and variance, without repeats."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wwlib.datasets.factors import FactorData


@torch.no_grad()
def collect(
    host, data: FactorData, n: int, shared: tuple[str, ...], seed: int, without: Tensor | None = None
) -> tuple[Latents, Tensor]:
    """Encode `n` random pictures; return their codes and all of their factors `[n, K]`.

    Args:
        host: with `encode`.
        data: where pictures come from.
        n: how many.
        shared: the factors that pairs will share, by name.
        seed: of the pictures.
        without: factors `[m, K]` of pictures that may not occur, such as those learned from.
    """
    random = torch.Generator().manual_seed(seed)
    factors = data.sample_factors(n, random) if without is None else data.sample_unseen(n, random, without)
    parts = [host.encode(data.images(part)) for part in factors.split(256)]
    mean, spread = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return Latents(mean, spread, factors[:, [data.factor_index(name) for name in shared]]), factors


@dataclass(frozen=True)
class Latents:
    """Hidden codes of many pictures with the noise that belongs to each, and the pictures' factors.

    A code without any spread lies on a thin surface, where a density is infinite; so every host adds some noise.

    Args:
        mean: `[n, d]`.
        spread: standard deviation of the noise `[n, d]`.
        factors: those that pairs can share, whole numbers `[n, K]`.
    """

    mean: Tensor
    spread: Tensor
    factors: Tensor

    def __post_init__(self):
        if self.mean.shape != self.spread.shape or len(self.mean) != len(self.factors):
            raise ValueError(
                f"mean and spread must be [n, d] and factors [n, K], got {tuple(self.mean.shape)}, "
                f"{tuple(self.spread.shape)}, {tuple(self.factors.shape)}"
            )

    def draw(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return the codes `[b, d]` of some rows, noise included."""
        mean = self.mean[rows]
        return mean + self.spread[rows] * torch.randn(mean.shape, generator=generator).to(mean.device)
