"""Scores with the random draws of disentanglement_lib, to compare with its numbers digit for digit.

The sampling of that library (commit 86a644d) is part of its numbers. These functions make the same draws in the same
order from one numpy `RandomState`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wwlib.metrics.beta_vae import fit_quietly

Codes = Callable[[np.ndarray], np.ndarray]  # factors [n, K] to codes [n, d]


def draw_factors(sizes: Sequence[int], n: int, random: np.random.RandomState) -> np.ndarray:
    """Return `[n, K]` factor values, one factor after the other."""
    return np.stack([random.randint(size, size=n) for size in sizes], axis=1)


def draw_points(codes_of: Codes, sizes: Sequence[int], n: int, random: np.random.RandomState, batch: int = 16):
    """Return codes `[n, d]` and factors `[n, K]`, drawn `batch` at a time as for MIG, DCI, SAP and modularity."""
    parts = [draw_factors(sizes, min(batch, n - start), random) for start in range(0, n, batch)]
    factors = np.concatenate(parts)
    return codes_of(factors), factors


def factor_vae_replay(
    codes_of: Codes,
    sizes: Sequence[int],
    seed: int = 0,
    train_votes: int = 10_000,
    test_votes: int = 5_000,
    batch: int = 64,
    threshold: float = 0.05,
) -> float:
    """Return the FactorVAE score with the random draws of the reference for a seed.

    Args:
        codes_of: representation of factor values.
        sizes: how many values each factor has.
        seed: of the stream.
        train_votes, test_votes, batch, threshold: as for `factor_vae_score`.
    """
    random = np.random.RandomState(seed)
    variances = codes_of(draw_factors(sizes, 10_000, random)).var(axis=0, ddof=1)
    active = np.flatnonzero(np.sqrt(variances) >= threshold)
    if not len(active):
        return 0.0

    def votes(n: int) -> np.ndarray:
        table = np.zeros((len(sizes), len(active)), int)
        for _ in range(n):
            k = random.randint(len(sizes))
            factors = draw_factors(sizes, batch, random)
            factors[:, k] = factors[0, k]
            local = codes_of(factors).var(axis=0, ddof=1)
            table[k, (local[active] / variances[active]).argmin()] += 1
        return table

    majority = votes(train_votes).argmax(axis=0)
    return float(votes(test_votes)[majority, np.arange(len(active))].sum() / test_votes)


def beta_vae_replay(
    codes_of: Codes,
    sizes: Sequence[int],
    seed: int = 0,
    train_points: int = 10_000,
    test_points: int = 5_000,
    batch: int = 64,
) -> float:
    """Return the BetaVAE score (accuracy on fresh points) with the random draws of the reference for a seed.

    Args:
        codes_of, sizes, seed: as for `factor_vae_replay`.
        train_points, test_points, batch: as for `beta_vae_score`.
    """
    random = np.random.RandomState(seed)

    def points(n: int) -> tuple[np.ndarray, np.ndarray]:
        features, labels = [], np.zeros(n, int)
        for row in range(n):
            labels[row] = k = random.randint(len(sizes))
            first, second = draw_factors(sizes, batch, random), draw_factors(sizes, batch, random)
            second[:, k] = first[:, k]
            features.append(np.abs(codes_of(first) - codes_of(second)).mean(axis=0))
        return np.stack(features).astype(np.float64), labels

    return fit_quietly(*points(train_points)).score(*points(test_points))
