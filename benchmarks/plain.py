"""Plain ports of the reference's algorithms, written directly from the definitions, to compare speeds with.

Nothing here is slowed on purpose. The FactorVAE and BetaVAE ports are in `benchmarks.replay`, which follows the
reference's own stream of random numbers.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import mutual_info_score
from sklearn.svm import LinearSVC


def mig(codes: np.ndarray, factors: np.ndarray, bins: int = 20) -> float:
    """Return MIG, with scikit-learn's mutual information pair by pair."""
    binned = np.stack([np.digitize(z, np.histogram(z, bins)[1][:-1]) for z in codes.T])
    information = np.array([[mutual_info_score(v, z) for v in factors.T] for z in binned])
    entropy = np.array([mutual_info_score(v, v) for v in factors.T])
    ordered = np.sort(information, axis=0)[::-1]
    return float(np.mean((ordered[0] - ordered[1]) / entropy))


def sap(codes: np.ndarray, factors: np.ndarray, test_codes: np.ndarray, test_factors: np.ndarray) -> float:
    """Return SAP, with scikit-learn's linear classifier pair by pair."""
    table = np.zeros((codes.shape[1], factors.shape[1]))
    for j in range(codes.shape[1]):
        for k in range(factors.shape[1]):
            machine = LinearSVC(C=0.01, class_weight="balanced").fit(codes[:, j, None], factors[:, k])
            table[j, k] = machine.score(test_codes[:, j, None], test_factors[:, k])
    ordered = np.sort(table, axis=0)[::-1]
    return float((ordered[0] - ordered[1]).mean())


def importances(codes: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return DCI's importances `[d, K]`, with scikit-learn's boosted trees factor by factor."""
    columns = [GradientBoostingClassifier(random_state=0).fit(codes, v).feature_importances_ for v in factors.T]
    return np.stack(columns, axis=1)


@torch.no_grad()
def tpl_lengths(generator, lpips, traversals: int, points: int, seed: int = 0) -> torch.Tensor:
    """Return TPL's lengths `[traversals, d]`, calling lpips on every pair of neighbours."""
    random, values = torch.Generator().manual_seed(seed), torch.linspace(-4, 4, points)
    every = torch.zeros(traversals, generator.codes)
    for row in range(traversals):
        base = torch.randn(1, generator.codes, generator=random)
        for code in range(generator.codes):
            noise = [part.expand(points, -1, -1, -1) for part in generator.sample_noise(1, random)]
            frames = base.repeat(points, 1)
            frames[:, code] = values
            images = generator(frames, noise)
            every[row, code] = lpips(images[:-1], images[1:]).sum()
    return every
