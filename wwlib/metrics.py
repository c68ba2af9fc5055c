"""The FactorVAE score, and how a representation of a data set becomes the points that every score reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wwlib.factors import FactorData
from wwlib.viz import heat_map


@dataclass(frozen=True)
class FactorVAEScore:
    """The score, its votes `[K, d]` (factor by code, of the training half) and which codes were active `[d]`."""

    score: float
    votes: Tensor
    active: Tensor

    def plot(self, factor_names=None):
        """Return a picture of the votes."""
        title = f"FactorVAE score {self.score:.2f}: votes"
        return heat_map(self.votes.t().numpy(), "code", "factor", title, factor_names, digits=0)

    def code_of(self, factor: int) -> int:
        """Return the code that most often moved least when `factor` was held fixed."""
        return int(self.votes[factor].argmax())


@torch.no_grad()
def encode_grid(represent: Callable[[Tensor], Tensor], data: FactorData, batch: int = 1000) -> tuple[Tensor, Tensor]:
    """Return codes `[N, d]` and factors `[N, K]` of every image of a data set, in grid order."""
    factors = torch.cartesian_prod(*(torch.arange(size) for size in data.factor_sizes))
    codes = torch.cat([represent(data.images(part)).float().cpu() for part in factors.split(batch)])
    return codes, factors


@torch.no_grad()
def encode_sample(
    represent: Callable[[Tensor], Tensor], data: FactorData, n: int, generator: torch.Generator, batch: int = 500
) -> tuple[Tensor, Tensor]:
    """Return codes `[n, d]` and factors `[n, K]` of `n` images drawn uniformly."""
    factors = data.sample_factors(n, generator)
    codes = torch.cat([represent(data.images(part)).float().cpu() for part in factors.split(batch)])
    return codes, factors.cpu()


def factor_vae_score(
    codes: Tensor,
    factors: Tensor,
    generator: torch.Generator,
    train_votes: int = 10_000,
    test_votes: int = 5_000,
    batch: int = 64,
    threshold: float = 0.05,
) -> FactorVAEScore:
    """Score how reliably the code that moves least gives away the factor that was held fixed (Kim & Mnih 2018).

    One vote: hold one factor at one value, draw `batch` images, divide each code's variance by its variance over all
    images, and note the code with the smallest ratio. The majority factor of each code, learned from `train_votes`
    votes, must name the factor of `test_votes` fresh votes; the score is its accuracy. Images are drawn from the rows
    given, so the whole grid (`encode_grid`) gives the score of the definition, a sample an estimate of it.

    Args:
        codes: `[N, d]`, a representation of N images.
        factors: `[N, K]`, their true factors.
        generator: CPU generator of the votes.
        train_votes, test_votes, batch: sizes as above.
        threshold: codes with a smaller standard deviation count as inactive and never win.

    Raises:
        ValueError: if shapes do not match or codes are not finite.
    """
    codes, factors = torch.as_tensor(codes), torch.as_tensor(factors)
    if codes.dim() != 2 or factors.dim() != 2 or len(codes) != len(factors):
        raise ValueError(
            f"codes [N, d] and factors [N, K] must share N, got {tuple(codes.shape)}, {tuple(factors.shape)}"
        )
    codes, factors = codes.cpu(), factors.cpu()
    codes = codes if codes.is_floating_point() else codes.float()
    variance = codes.var(dim=0)
    if not variance.isfinite().all():
        raise ValueError("codes must be finite, got NaN or infinity")
    active = variance.sqrt() >= threshold
    number_of_factors, d = factors.shape[1], codes.shape[1]
    if not active.any():
        return FactorVAEScore(0.0, torch.zeros(number_of_factors, d, dtype=torch.int64), active)
    rows = [rows_by_value(column) for column in factors.t().contiguous()]

    def votes(n: int) -> Tensor:
        table = torch.zeros(number_of_factors, d, dtype=torch.int64)
        for k, count in enumerate(torch.randint(number_of_factors, (n,), generator=generator).bincount().tolist()):
            value = torch.randint(len(rows[k][2]), (count, 1), generator=generator)
            for chosen in rows_with(rows[k], value, batch, generator).split(1000):
                ratio = _variance(codes, chosen) / variance
                table[k] += ratio.masked_fill(~active, torch.inf).argmin(dim=1).bincount(minlength=d)
        return table

    train, test = votes(train_votes), votes(test_votes)
    return FactorVAEScore(vote_accuracy(train, test), train, active)


def vote_accuracy(train: Tensor, test: Tensor) -> float:
    """Return how often each code's majority factor, learned from `train`, is right in `test`; both `[K, d]` counts."""
    majority = train.argmax(dim=0)
    return (test.gather(0, majority[None]).sum() / test.sum()).item()


def _variance(codes: Tensor, rows: Tensor) -> Tensor:
    """Variance `[n, d]` of the codes in each line of `rows` `[n, batch]`, by two means, counted from the first row."""
    batch = rows.shape[1]
    x = codes.index_select(0, rows.flatten()).view(-1, batch, codes.shape[1])
    x = x - x[:, :1]
    return (batch_mean(x.square()) - batch_mean(x).square()).clamp(min=0) * (batch / (batch - 1))


def batch_mean(x: Tensor) -> Tensor:
    """Return the mean `[n, d]` over the middle axis of `[n, batch, d]`, as a matrix product: several times faster."""
    return (torch.full((1, x.shape[1]), 1 / x.shape[1], dtype=x.dtype) @ x)[:, 0]


def rows_with(column: tuple[Tensor, Tensor, Tensor], value: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """Draw `[n, batch]` row numbers in which a factor takes the given values.

    Args:
        column: the factor, as `rows_by_value` gives it.
        value: `[n, 1]` or `[n, batch]`, counted among the values that occur.
        batch: rows to draw for each of n.
        generator: CPU generator.
    """
    order, start, size = column
    offset = (torch.rand(len(value), batch, generator=generator, dtype=torch.float64) * size[value]).long()
    return order[start[value] + offset]


def rows_by_value(column: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Row numbers sorted by a factor's value, and where each value that occurs starts and how often it occurs."""
    counts = column.bincount()
    size = counts[counts > 0]
    # numpy sorts whole numbers of one or two bytes in linear time
    small = column.numpy().astype(np.uint8 if len(counts) <= 256 else np.int16 if len(counts) < 2**15 else np.int64)
    return torch.from_numpy(small.argsort(kind="stable")), size.cumsum(0) - size, size
