"""DCI: disentanglement, completeness and informativeness.

Is each code important for one factor only, is each factor read from one code only, and how well can it be read?

Definition as in disentanglement_lib (Eastwood & Williams 2018; Locatello et al. 2019): importances of scikit-learn's
gradient-boosted trees, grown here by `wwlib.metrics.trees`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wwlib.base.viz import heat_map
from wwlib.metrics.points import split_points, varying
from wwlib.metrics.trees import boost_many


@dataclass(frozen=True)
class DCIScore:
    """Disentanglement, completeness and informativeness (accuracy on fresh points).

    `importances` `[d, K]` are what the first two are computed from, zero in the column of a factor that never varied;
    `train_accuracy` is the accuracy on the points the trees were grown from.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    train_accuracy: float
    importances: np.ndarray

    @property
    def score(self) -> float:
        """Disentanglement, the one of the three that papers report."""
        return self.disentanglement

    def plot(self, factor_names=None):
        """Return a picture of the importances."""
        return heat_map(self.importances, "code", "factor", f"DCI {self.score:.2f}: importance", factor_names)


def dci_score(codes, factors, test_codes, test_factors, seed: int = 0, threads: int = 1) -> DCIScore:
    """Return DCI with boosted trees as in the reference: 100 rounds of depth 3 for each value of a factor.

    A factor that never varies does not count: a code cannot spread over it.

    Args:
        codes, factors: training points, `[N, d]` and `[N, K]`; the definition uses 10,000.
        test_codes, test_factors: fresh points; the definition uses 5,000. Their values must occur in training too.
        seed: of the order in which trees look at codes, which decides ties only.
        threads: number of factors fitted at the same time.

    Raises:
        ValueError: for wrong shapes, values that are not finite, or nothing that varies.
    """
    codes, factors, test_codes, test_factors = split_points(codes, factors, test_codes, test_factors)
    counted = varying(factors)
    fitted = boost_many(codes, factors[:, counted], test_codes, seed=seed, threads=threads)
    table = np.stack([result.importances for result in fitted], axis=1)
    importances = np.zeros((codes.shape[1], factors.shape[1]))
    importances[:, counted] = table
    pairs = list(zip(counted, fitted, strict=True))
    return DCIScore(
        disentanglement(table),
        completeness(table),
        float(np.mean([(result.test == test_factors[:, k]).mean() for k, result in pairs])),
        float(np.mean([(result.train == factors[:, k]).mean() for k, result in pairs])),
        importances,
    )


def disentanglement(importances: np.ndarray) -> float:
    """Return how far each code (row) is important for one factor only, averaged over codes.

    It is 1 less the entropy of the row; a code counts by its share of all importance.

    Args:
        importances: `[d, K]`, 0 or more. All zero gives 0.
    """
    return _concentration(importances)


def completeness(importances: np.ndarray) -> float:
    """Return how far for each factor (column) one code only is important, averaged as in `disentanglement`."""
    return _concentration(importances.T)


def _concentration(table: np.ndarray) -> float:
    if table.sum() == 0:
        return 0.0
    if table.shape[1] == 1:
        return 1.0  # with a single column nothing can be shared between columns
    shares = (table + 1e-11) / (table + 1e-11).sum(axis=1, keepdims=True)
    entropy = -(shares * np.log(shares)).sum(axis=1) / np.log(table.shape[1])
    return float(((1 - entropy) * table.sum(axis=1) / table.sum()).sum())
