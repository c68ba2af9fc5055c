"""Hidden codes of many pictures, each stored as a mean and the standard deviation of its noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wwlib.datasets.factors import FactorData


@torch.no_grad()
def encode_pictures(
    host, data: FactorData, n: int, shared: tuple[str, ...], seed: int, without: Tensor | None = None
) -> tuple[Latents, Tensor]:
    """Encode `n` random pictures; return their codes and all of their factors `[n, K]`.

    Args:
        host: a network with `encode`.
        data: the data set of the pictures.
        n: number of pictures.
        shared: names of the factors that pairs will share.
        seed: of the pictures.
        without: factors `[m, K]` of pictures that must not occur, such as those that were learned from.
    """
    random = torch.Generator().manual_seed(seed)
    factors = data.sample_factors(n, random) if without is None else data.sample_unseen(n, random, without)
    parts = [host.encode(data.images(part)) for part in factors.split(256)]
    mean, std = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    return Latents(mean, std, factors[:, [data.factor_index(name) for name in shared]]), factors


@dataclass(frozen=True)
class Latents:
    """Hidden codes of many pictures, with the noise of each code and the pictures' factors.

    Codes without noise lie on a thin surface, where their density is infinite; so every host adds some noise.

    Args:
        mean: `[n, d]`.
        std: standard deviation of the noise `[n, d]`.
        factors: those that pairs can share, whole numbers `[n, K]`.
    """

    mean: Tensor
    std: Tensor
    factors: Tensor

    def __post_init__(self):
        if self.mean.shape != self.std.shape or len(self.mean) != len(self.factors):
            raise ValueError(
                f"mean and std must be [n, d] and factors [n, K], got {tuple(self.mean.shape)}, "
                f"{tuple(self.std.shape)}, {tuple(self.factors.shape)}"
            )

    def draw(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Return the codes `[b, d]` of some rows, noise included."""
        mean = self.mean[rows]
        return mean + self.std[rows] * torch.randn(mean.shape, generator=generator).to(mean.device)
