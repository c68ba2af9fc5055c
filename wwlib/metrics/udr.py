"""UDR, a score that needs no labels, to compare with TPL: do models that differ in the seed learn the same codes?

Definition as in disentanglement_lib (Duan et al. 2020, unsupervised disentanglement ranking).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import spearmanr
from sklearn.linear_model import Lasso
from sklearn.preprocessing import StandardScaler

from wwlib.metrics.points import as_numbers

METHODS = ("lasso", "spearman")


def udr(codes: Sequence, divergences: Sequence | None = None, method: str = "lasso", least: float = 0.01) -> np.ndarray:
    """Return how well each of M models agrees with the others, up to order and sign of codes, `[M]`.

    For two models, R is the matrix of |weights| of a Lasso from one's codes to the other's (or of |Spearman|). Every
    row and every column should have one large entry. A model's score is the median over the others. A perfect match
    scores 0.9 with Lasso, which shrinks weights.

    Args:
        codes: M arrays `[N, d]`, codes of the same N images.
        divergences: M arrays `[d]`, each code's KL from the prior in nats; codes up to `least` count as unused.
        method: "lasso" or "spearman".
        least: see `divergences`.

    Raises:
        ValueError: for fewer than two models, shapes that differ, values that are not finite, an unknown method.
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, got {method!r}")
    arrays = [as_numbers(part, "codes").astype(np.float64) for part in codes]
    if len(arrays) < 2 or len({part.shape for part in arrays}) != 1 or arrays[0].ndim != 2:
        raise ValueError(
            f"codes must be at least 2 arrays of one shape [N, d], got shapes {[part.shape for part in arrays]}"
        )
    d = arrays[0].shape[1]
    masks = [
        np.ones(d, bool) if divergences is None else as_numbers(divergences[m], "divergences") > least
        for m in range(len(arrays))
    ]
    scaled = [StandardScaler().fit_transform(part) * mask for part, mask in zip(arrays, masks, strict=True)]
    table = np.full((len(arrays), len(arrays)), np.nan)
    for a, first in enumerate(scaled):
        for b, second in enumerate(scaled):
            if a != b:
                relation = _relation(first, second, method)
                table[a, b] = relative_strength(relation[masks[a]][:, masks[b]])
    return np.nanmedian(table, axis=0)


def relative_strength(relation: np.ndarray) -> float:
    """Return how close each row and column of a non-negative matrix `[a, b]` is to a single entry, in [0, 1]."""
    if relation.size == 0:
        return 0.0
    columns = np.divide(
        relation.max(axis=0) ** 2, relation.sum(axis=0), out=np.zeros(relation.shape[1]), where=relation.sum(axis=0) > 0
    )
    rows = np.divide(
        relation.max(axis=1) ** 2, relation.sum(axis=1), out=np.zeros(relation.shape[0]), where=relation.sum(axis=1) > 0
    )
    return float((columns.mean() + rows.mean()) / 2)


def _relation(first: np.ndarray, second: np.ndarray, method: str) -> np.ndarray:
    """Return how strongly each code of the first model (row) is related to each of the second, `[d, d]`."""
    if method == "lasso":
        model = Lasso(alpha=0.1).fit(first, second)
        return np.abs(np.atleast_2d(model.coef_)).T
    d = first.shape[1]
    varying = np.concatenate([first.std(axis=0), second.std(axis=0)]) > 0
    correlation = np.zeros((2 * d, 2 * d))
    if varying.sum() < 2:
        return correlation[:d, d:]
    both = np.concatenate([first, second], axis=1)[:, varying]
    correlation[np.ix_(varying, varying)] = np.atleast_2d(spearmanr(both).statistic)
    return np.abs(correlation[:d, d:])
