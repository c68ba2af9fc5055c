"""The input of every score, codes and true factors of the same images: checking, encoding and drawing rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from wwlib.datasets.factors import FactorData

LARGEST = 1e15  # of a code: a million squares still fit into float32


def as_points(codes, factors, least_codes: int = 1, least_factors: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return codes `[N, d]` (their float type stays) and factors `[N, K]` (int64, each column counted from 0).

    The one door to every score that knows factors. Values of a factor may be any whole numbers: 0 and 1, -1 and 1,
    booleans, whole floats, unsigned and large integers. A column that is 0 throughout is a factor that never varies;
    `varying` names the others, and only those count.

    Args:
        codes, factors: arrays or tensors.
        least_codes: codes that the score needs.
        least_factors: factors that vary which the score needs.

    Raises:
        ValueError: for wrong shapes, codes that are not finite, factors that are not whole numbers, too few points,
            codes or factors that vary.
    """
    codes, factors = as_pair(codes, factors, least_codes)
    factors = np.stack([_ranked(column) for column in factors.T], axis=1)
    if len(varying(factors)) < least_factors:
        seen = "one value throughout" if factors.max() == 0 else f"{len(varying(factors))} that varies"
        raise ValueError(f"factors must vary, at least {least_factors} of them for this score, got {seen}")
    return codes, factors


def varying(factors: np.ndarray) -> np.ndarray:
    """Return the columns of `as_points`' factors that vary, in order."""
    return np.flatnonzero(factors.max(axis=0) > 0)


def _ranked(column: np.ndarray) -> np.ndarray:
    """Return the place of each value `[N]` among the values that occur, as int64.

    Raises:
        ValueError: for values that are not whole, or do not fit into 64 bits.
    """
    if np.issubdtype(column.dtype, np.floating):
        if not np.array_equal(column, np.round(column)):
            raise ValueError(
                "factors must be whole numbers (the index of each value); cut continuous ones into bins first"
            )
        if np.abs(column).max() >= 2.0**63:
            raise ValueError(f"factors must be whole numbers below 2^63, got {column[np.abs(column).argmax()]:g}")
    column = column.astype(np.int64)
    low, high = int(column.min()), int(column.max())
    if high - low >= max(len(column), 256):
        return np.unique(column, return_inverse=True)[1].astype(np.int64)
    column = column - low
    return (np.cumsum(np.bincount(column) > 0) - 1)[column]  # counting is several times faster than sorting


def as_pair(codes, factors, least_codes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return codes `[N, d]` and factors `[N, K]`, quantities of any kind; codes as floating-point numbers.

    Raises:
        ValueError: for wrong shapes, values that are not finite numbers or too large, too few points or codes.
    """
    codes, factors = as_numbers(codes, "codes"), as_numbers(factors, "factors")
    codes = codes if np.issubdtype(codes.dtype, np.floating) else codes.astype(np.float64)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors):
        raise ValueError(f"codes [N, d] and factors [N, K] must share N, got {codes.shape} and {factors.shape}")
    if len(codes) < 2 or codes.shape[1] < least_codes or factors.shape[1] < 1:
        raise ValueError(
            f"this score needs at least 2 points, {least_codes} codes and 1 factor, "
            f"got codes {codes.shape} and factors {factors.shape}"
        )
    if (largest := np.abs(codes).max()) > LARGEST:
        raise ValueError(f"codes must be at most {LARGEST:g} in size, since scores square them, got {largest:g}")
    return codes, factors


def as_numbers(values, name: str) -> np.ndarray:
    """Return an array or tensor of finite real numbers as an array that torch takes; half precision becomes float32.

    Raises:
        ValueError: for anything else, under the argument's `name`.
    """
    if np.ma.is_masked(values):  # numpy would give the numbers below the mask
        masked = np.ma.count_masked(values)
        raise ValueError(f"{name} must have no gaps, got an array in which {masked:,} values are masked")
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = values.float() if values.dtype == torch.bfloat16 else values
    try:
        array = np.asarray(values)
    except (ValueError, TypeError) as error:  # lists of different lengths, say
        raise ValueError(f"{name} must be an array of numbers, got {type(values).__name__} ({error})") from None
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be real numbers, got an array of type {array.dtype}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    if array.dtype == np.uint64:  # beside signed numbers numpy would make it floating
        if array.size and array.max() >= 2**63:
            raise ValueError(f"{name} must be whole numbers below 2^63, got {array.max()}")
        return array.astype(np.int64)
    if array.dtype.kind == "f" and array.itemsize not in (4, 8):
        return array.astype(np.float32 if array.itemsize < 4 else np.float64)
    foreign = not array.dtype.isnative or min(array.strides, default=0) < 0  # a mirrored view, say
    return np.array(array, dtype=array.dtype.newbyteorder("="), order="C") if foreign else array


def split_points(codes, factors, test_codes, test_factors, least_codes: int = 1) -> tuple[np.ndarray, ...]:
    """Check training and test points together and return the four arrays; both count a factor's values alike.

    Raises:
        ValueError: as `as_points`; and if a factor has a value in test that it does not have in training.
    """
    codes, factors = as_numbers(codes, "codes"), as_numbers(factors, "factors")
    test_codes, test_factors = as_numbers(test_codes, "test_codes"), as_numbers(test_factors, "test_factors")
    n = len(codes)
    if n != len(factors) or len(test_codes) != len(test_factors):
        raise ValueError(
            "codes and factors must share N, in training and in test, "
            f"got {n} and {len(factors)}, {len(test_codes)} and {len(test_factors)}"
        )
    for name, train, test in (("codes", codes, test_codes), ("factors", factors, test_factors)):
        if train.ndim != 2 or test.ndim != 2 or train.shape[1] != test.shape[1]:
            raise ValueError(f"{name} must have the columns of training in test, got {train.shape} and {test.shape}")
    both = np.concatenate([codes, test_codes]), np.concatenate([factors, test_factors])
    codes, factors = as_points(*both, least_codes=least_codes)
    for k in range(factors.shape[1]):
        if unseen := sorted(set(factors[n:, k].tolist()) - set(factors[:n, k].tolist())):
            raise ValueError(f"test factors must take values that training has: factor {k} has {len(unseen)} new ones")
    return codes[:n], factors[:n], codes[n:], factors[n:]


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
