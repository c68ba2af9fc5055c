"""Choosing a model: how well a score without labels ranks a population, and which model it chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wwlib.base.checks import check_whole

# scores without labels that are lengths: the shortest is the best; of every other score the largest is
LENGTHS = (
    "tpl",
    "tpl_root",
    "tpl_64",
    "tpl_64_root",
    "tpl_fast",
    "tpl_fast_root",
    "tpl_fast_narrow",
    "tpl_fast_narrow_root",
)


@dataclass(frozen=True)
class Correlation:
    """Spearman's rank correlation, its bootstrap interval (95 %), and the number of models."""

    value: float
    low: float
    high: float
    models: int

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}], n = {self.models}"


def ranks(table: np.ndarray) -> np.ndarray:
    """Return the rank of each value within its row, counted from 1, ties averaged."""
    from scipy.stats import rankdata  # imported here, since it takes a second and `check` imports this module

    return rankdata(table, axis=1)


def rank_correlation(first: Sequence[float], second: Sequence[float], draws: int = 2000, seed: int = 0) -> Correlation:
    """Return Spearman's correlation with a percentile bootstrap over models.

    Args:
        first, second: one number a model; pairs with NaN are left out. If either is constant the result is NaN.
        draws: bootstrap samples.
        seed: of the bootstrap.

    Raises:
        ValueError: for fewer than 4 pairs or no sample.
    """
    check_whole(draws=draws)
    pairs = np.array([first, second], dtype=float).T
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    if len(pairs) < 4:
        raise ValueError(f"a rank correlation needs at least 4 pairs, got {len(pairs)}")
    drawn = np.random.default_rng(seed).integers(len(pairs), size=(draws, len(pairs)))
    rows = np.concatenate([np.arange(len(pairs))[None], drawn])  # the first line is the population itself
    a, b = (rank - rank.mean(axis=1, keepdims=True) for rank in (ranks(values[rows]) for values in pairs.T))
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    coefficients = np.divide((a * b).sum(axis=1), size, out=np.full(len(rows), np.nan), where=size > 0)
    if np.isnan(coefficients[0]):
        return Correlation(float("nan"), float("nan"), float("nan"), len(pairs))
    low, high = np.nanquantile(coefficients[1:], [0.025, 0.975])
    return Correlation(float(coefficients[0]), float(low), float(high), len(pairs))


def partial_correlation(first: Sequence[float], second: Sequence[float], controlled: Sequence[float]) -> float:
    """Return Spearman's partial correlation of two quantities, with a third one controlled for.

    It is the correlation of what is left of both ranks after a linear regression on the ranks of the third.

    Args:
        first, second, controlled: one finite number for each model.

    Returns:
        NaN if `controlled` determines the ranks of one of the others.
    """
    a, b, c = np.corrcoef(ranks(np.array([first, second, controlled], dtype=float)))[np.triu_indices(3, 1)]
    left = (1 - b**2) * (1 - c**2)
    return float((a - b * c) / left**0.5) if left > 1e-12 else float("nan")


def column(records: list[dict], score: str) -> np.ndarray:
    """Return one score of every record `[M]`, NaN where a record has none."""
    values = [record["scores"].get(score) for record in records]
    return np.array([np.nan if value is None else value for value in values], dtype=float)


def enough_active(records: list[dict], least: int) -> list[dict]:
    """Return the records of models with at least `least` active codes; the TPL of a collapsed model means nothing."""
    return [record for record in records if record["scores"]["active_codes"] >= least]


def choose(records: list[dict], score: str = "tpl", least: int = 5) -> dict:
    """Return the record with the best score without labels: the smallest of one of `LENGTHS`, or else the largest.

    Raises:
        ValueError: if no model has `least` active codes.
    """
    candidates = enough_active(records, least)
    values = column(candidates, score)
    if not np.isfinite(values).any():
        raise ValueError(f"no model has at least {least} active codes and a score {score!r}")
    return candidates[int(np.nanargmin(values) if score in LENGTHS else np.nanargmax(values))]


def standing(records: list[dict], chosen: dict, score: str) -> float:
    """Return the share of models, in [0, 1], that beat the chosen one in a supervised score; 0 is the best."""
    return float((column(records, score) > chosen["scores"][score]).mean())


def spread_gap(first: Sequence[float], second: Sequence[float]) -> float:
    """Return by how much the smallest of `first` exceeds the largest of `second`; above 0 the ranges do not overlap."""
    return float(min(first)) - float(max(second))


def is_autoencoder(record: dict) -> bool:
    """Return whether a member is one of the autoencoders, which were all trained alike."""
    return "vae" in record["family"]


def without_seed(name: str) -> str:
    """Return a member's name without its seed; members that differ in the seed only share this name."""
    return name.rsplit("-seed", 1)[0]


def by_family(records: list[dict]) -> dict[str, list[dict]]:
    """Return the records grouped by family, in the order of their first appearance."""
    groups: dict[str, list[dict]] = {}
    for record in records:
        groups.setdefault(record["family"], []).append(record)
    return groups
