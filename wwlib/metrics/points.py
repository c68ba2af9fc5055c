"""The input of every score, codes and true factors of the same images: checking, encoding and drawing rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from wwlib.datasets.factors import FactorData


def as_points(codes, factors, least_codes: int = 1, least_factors: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return codes `[N, d]` (their float type stays) and factors `[N, K]` (int64, each column counted from 0).

    Args:
        codes, factors: arrays or tensors.
        least_codes, least_factors: the numbers of codes and factors that the score needs at least.

    Raises:
        ValueError: for wrong shapes, codes that are not finite, factors that are not whole numbers, too few points,
            codes or factors, or factors none of which varies.
    """
    codes, factors = as_pair(codes, factors, least_codes, least_factors)
    if not np.array_equal(factors, np.round(factors)):
        raise ValueError("factors must be whole numbers (the index of each value); cut continuous ones into bins first")
    factors = np.stack([np.unique(column, return_inverse=True)[1] for column in factors.T], axis=1).astype(np.int64)
    if factors.max() == 0:
        raise ValueError("factors must vary, got one value throughout")
    return codes, factors


def as_pair(codes, factors, least_codes: int = 1, least_factors: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return codes `[N, d]` and factors `[N, K]`, quantities of any kind; codes as floating-point numbers.

    Raises:
        ValueError: for wrong shapes, values that are not finite, too few points, codes or factors.
    """
    codes, factors = _array(codes), _array(factors)
    codes = codes if np.issubdtype(codes.dtype, np.floating) else codes.astype(np.float64)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise ValueError(f"codes [N, d] and factors [N, K] must share N, got {codes.shape} and {factors.shape}")
    if len(codes) < 2 or codes.shape[1] < least_codes or factors.shape[1] < least_factors:
        raise ValueError(
            f"this score needs at least 2 points, {least_codes} codes and {least_factors} factors, "
            f"got codes {codes.shape} and factors {factors.shape}"
        )
    for name, values in (("codes", codes), ("factors", factors)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite, got NaN or infinity")
    return codes, factors


def split_points(codes, factors, test_codes, test_factors, least_codes: int = 1) -> tuple[np.ndarray, ...]:
    """Check training and test points together and return the four arrays; both count a factor's values alike.

    Raises:
        ValueError: as `as_points`; and if a factor has a value in test that it does not have in training.
    """
    n = len(codes)
    if n != len(factors) or len(test_codes) != len(test_factors):
        raise ValueError(
            "codes and factors must share N, in training and in test, "
            f"got {n} and {len(factors)}, {len(test_codes)} and {len(test_factors)}"
        )
    both = [np.concatenate([_array(a), _array(b)]) for a, b in ((codes, test_codes), (factors, test_factors))]
    codes, factors = as_points(*both, least_codes=least_codes)
    for k in range(factors.shape[1]):
        if unseen := sorted(set(factors[n:, k].tolist()) - set(factors[:n, k].tolist())):
            raise ValueError(f"test factors must take values that training has: factor {k} has {len(unseen)} new ones")
    return codes[:n], factors[:n], codes[n:], factors[n:]


def _array(values) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


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


def batch_mean(x: Tensor) -> Tensor:
    """Return the mean `[n, d]` over the middle axis of `[n, batch, d]`, as a matrix product, which is faster."""
    return (torch.full((1, x.shape[1]), 1 / x.shape[1], dtype=x.dtype) @ x)[:, 0]


def rows_with(column: tuple[Tensor, Tensor, Tensor], value: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """Draw the numbers `[n, batch]` of rows in which a factor has certain values.

    Args:
        column: the factor, as `rows_by_value` returns it.
        value: `[n, 1]` or `[n, batch]`, counted among the values that occur.
        batch: number of rows to draw for each of n.
        generator: CPU generator.
    """
    order, start, size = column
    offset = (torch.rand(len(value), batch, generator=generator, dtype=torch.float64) * size[value]).long()
    return order[start[value] + offset]


def rows_by_value(column: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return row numbers sorted by a factor's value; and for each value that occurs, its first position and count."""
    counts = column.bincount()
    size = counts[counts > 0]
    # numpy sorts whole numbers of one or two bytes in linear time
    small = column.numpy().astype(np.uint8 if len(counts) <= 256 else np.int16 if len(counts) < 2**15 else np.int64)
    return torch.from_numpy(small.argsort(kind="stable")), size.cumsum(0) - size, size


def rows_in_order(factors: np.ndarray) -> bool:
    """Say whether rows come in the order of a factor: neighbours share a value far more often than by chance.

    Scores that train on the first rows and test on the last then see other values in each.

    Args:
        factors: `[N, K]`, whole numbers from 0.
    """
    for column in factors.T:
        shares = np.bincount(column) / len(column)
        chance = float((shares**2).sum())
        spread = (chance * (1 - chance) / (len(column) - 1)) ** 0.5
        if spread and (column[1:] == column[:-1]).mean() > chance + 8 * spread:
            return True
    return False
