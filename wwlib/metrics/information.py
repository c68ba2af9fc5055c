"""Scores from mutual information between single codes and single factors: MIG and modularity.

Definitions as in disentanglement_lib (Locatello et al. 2019): codes cut into equal-width bins, natural logarithms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wwlib.base.checks import check_whole
from wwlib.base.viz import heat_map
from wwlib.metrics.points import as_points, varying


@dataclass(frozen=True)
class MIGScore:
    """The gap averaged over factors, and what it is computed from.

    `gaps` `[K]` are those of the factors; mutual `information` `[d, K]` and the factors' `entropies` `[K]` are in nats.
    """

    score: float
    gaps: np.ndarray
    information: np.ndarray
    entropies: np.ndarray

    def plot(self, factor_names=None):
        """Return a picture of what every code tells about every factor."""
        return heat_map(self.information, "code", "factor", f"MIG {self.score:.2f}: information, nats", factor_names)


@dataclass(frozen=True)
class ModularityScore:
    """Modularity averaged over codes, of each code `[d]`, and the mutual information `[d, K]` in nats."""

    score: float
    codes: np.ndarray
    information: np.ndarray

    def plot(self, factor_names=None):
        """Return a picture of what every code tells about every factor."""
        return heat_map(
            self.information, "code", "factor", f"modularity {self.score:.2f}: information, nats", factor_names
        )


def binned(values: np.ndarray, bins: int) -> np.ndarray:
    """Return the bin of each value, 0 to bins - 1, each column over its own range in equal widths.

    Args:
        values: `[N, d]`.
        bins: number of bins.
    """
    columns = []
    for column in values.T:
        if np.ptp(column) <= 4 * np.spacing(np.abs(column).max()):
            columns.append(np.zeros(len(column), int))  # constant up to rounding, so not to be cut into bins
            continue
        edges = np.histogram(column, bins)[1][:-1]
        columns.append(np.searchsorted(edges, column, side="right") - 1)
    return np.stack(columns, axis=1)


def mutual_information(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return the mutual information `[d, K]` in nats of every code with every factor.

    Args:
        codes: `[N, d]` integers from 0.
        factors: `[N, K]` integers from 0.
    """
    n = len(codes)
    table = np.zeros((codes.shape[1], factors.shape[1]))
    for k, factor in enumerate(factors.T):
        height = int(factor.max()) + 1
        for j, code in enumerate(codes.T):
            joint = np.bincount(code * height + factor, minlength=(int(code.max()) + 1) * height)
            joint = joint.reshape(-1, height) / n
            independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
            filled = joint > 0
            if min(filled.any(axis=0).sum(), filled.any(axis=1).sum()) < 2:
                continue  # one of them is constant: exactly 0 without rounding errors
            table[j, k] = max(0.0, (joint[filled] * np.log(joint[filled] / independent[filled])).sum())
    return table


def entropies(factors: np.ndarray) -> np.ndarray:
    """Return the entropy `[K]` in nats of each column of an integer table `[N, K]`."""
    shares = [np.bincount(column)[np.bincount(column) > 0] / len(column) for column in factors.T]
    return np.array([-(p * np.log(p)).sum() for p in shares])


def information_gaps(information: np.ndarray, entropy: np.ndarray) -> np.ndarray:
    """Return for each factor the best code's information less the second best's, over the factor's entropy, `[K]`.

    Args:
        information: `[d, K]`, nats.
        entropy: `[K]`, nats; 0 gives NaN.
    """
    best = np.sort(information, axis=0)[::-1]
    return np.divide(best[0] - best[1], entropy, out=np.full(len(entropy), np.nan), where=entropy > 0)


def mig_score(codes, factors, bins: int = 20) -> MIGScore:
    """Return the mutual information gap (Chen et al. 2018, in disentanglement_lib's version with binned codes).

    For each factor: the information of the best code less that of the second best, over the factor's entropy. A
    factor that never varies carries no information; its gap is NaN and it does not count.

    Args:
        codes: `[N, d]`, d of at least 2.
        factors: `[N, K]`, whole numbers.
        bins: bins a code is cut into.

    Raises:
        ValueError: for wrong shapes, values that are not finite, or nothing that varies.
    """
    check_whole(bins=bins)
    codes, factors = as_points(codes, factors, least_codes=2)
    information, entropy = mutual_information(binned(codes, bins), factors), entropies(factors)
    gaps = information_gaps(information, entropy)
    return MIGScore(float(np.nanmean(gaps)), gaps, information, entropy)


def modularity_score(codes, factors, bins: int = 20) -> ModularityScore:
    """Return modularity (Ridgeway & Mozer 2018): how far each code informs about one factor only.

    For a code it is 1 less the squared information about all factors but the best one, over (K - 1) times the best one
    squared; 0 for a code that informs about none. A factor that never varies does not count among the K.

    Args:
        codes: `[N, d]`.
        factors: `[N, K]`, whole numbers, at least 2 of which vary.
        bins: bins a code is cut into.

    Raises:
        ValueError: for wrong shapes, values that are not finite, or nothing that varies.
    """
    check_whole(bins=bins)
    codes, factors = as_points(codes, factors, least_factors=2)
    information = mutual_information(binned(codes, bins), factors)
    squares = information**2
    best = squares.max(axis=1)
    others = (squares.sum(axis=1) - best) / (len(varying(factors)) - 1)
    per_code = np.where(best > 0, 1 - np.divide(others, best, out=np.zeros_like(best), where=best > 0), 0.0)
    return ModularityScore(float(per_code.mean()), per_code, information)
