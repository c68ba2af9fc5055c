"""How well linear classifiers separate a factor's values: SAP (from one code) and explicitness (from all codes).

Definitions as in disentanglement_lib (Kumar et al. 2018; Ridgeway & Mozer 2018; Locatello et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from wwlib.base.viz import heat_map
from wwlib.metrics.beta_vae import fit_quietly
from wwlib.metrics.points import as_pair, split_points, varying


@dataclass(frozen=True)
class SAPScore:
    """The gap averaged over factors, the gap of each factor `[K]` and every code's accuracy `[d, K]`."""

    score: float
    gaps: np.ndarray
    accuracies: np.ndarray

    def plot(self, factor_names=None):
        """Return a picture of how often every code alone predicts every factor's value."""
        return heat_map(self.accuracies, "code", "factor", f"SAP {self.score:.2f}: accuracy", factor_names)


@dataclass(frozen=True)
class ExplicitnessScore:
    """Area under the curve averaged over factors, of each factor `[K]` on fresh points, and on training points."""

    score: float
    factors: np.ndarray
    train_score: float

    def plot(self, factor_names=None):
        """Return a picture of every factor's area under the curve."""
        title = f"explicitness {self.score:.2f}"
        return heat_map(self.factors[None], "area under the curve", "factor", title, factor_names)


def sap_score(codes, factors, test_codes, test_factors, C: float = 0.01, continuous: bool = False) -> SAPScore:
    """Return the SAP score: mean over factors of the best code's accuracy less the second best's.

    The classifier is scikit-learn's `LinearSVC(C, class_weight="balanced")` on a single code. In one dimension the
    points that contribute to its loss lie on two half-lines, so running sums over the sorted code give gradient and
    curvature without a pass over the points, and Newton's method finds the optimum in a few steps.

    Args:
        codes, factors: training points, `[N, d]` and `[N, K]`.
        test_codes, test_factors: fresh points.
        C: the classifier's penalty.
        continuous: use the squared correlation of code and factor on the training points instead: another score,
            for factors that are quantities (Kumar's original).

    Raises:
        ValueError: for wrong shapes, values that are not finite, fewer than two codes, or nothing that varies.
    """
    if continuous:
        return _continuous_sap(codes, factors)
    codes, factors, test_codes, test_factors = split_points(codes, factors, test_codes, test_factors, least_codes=2)
    d, number_of_factors = codes.shape[1], factors.shape[1]
    scores = np.zeros((d, number_of_factors))
    for j in range(d):
        code, test_code = codes[:, j].astype(np.float64), test_codes[:, j].astype(np.float64)
        order = np.argsort(code, kind="stable")
        points = HalfLines(code[order])
        for k in range(number_of_factors):
            scores[j, k] = _accuracy(points, factors[order, k], test_code, test_factors[:, k], C)
    return _gap_of(scores, varies=factors.max(axis=0) > 0)


def _gap_of(scores: np.ndarray, varies: np.ndarray) -> SAPScore:
    """Return the score of a table `[d, K]`; a factor that never varies has no gap and does not count."""
    ordered = np.sort(scores, axis=0)[::-1]
    gaps = np.where(varies, ordered[0] - ordered[1], np.nan)
    return SAPScore(float(np.nanmean(gaps)), gaps, scores)


def _continuous_sap(codes, factors) -> SAPScore:
    """Return the score by squared correlation, for factors that are quantities."""
    codes, factors = (part.astype(np.float64) for part in as_pair(codes, factors, least_codes=2))
    scores = np.array([[_squared_correlation(z, v) for v in factors.T] for z in codes.T])
    varies = np.ptp(factors, axis=0) > 0
    if not varies.any():
        raise ValueError("factors must vary, got one value throughout")
    return _gap_of(scores, varies)


def explicitness_score(codes, factors, test_codes, test_factors) -> ExplicitnessScore:
    """Return explicitness: how well a linear classifier on all codes ranks each value of a factor above the others.

    One logistic regression per factor on standardised codes; the area under the ROC curve of each value against the
    rest, averaged over values, then over factors. Chance is 0.5. A factor that never varies does not count.

    Args:
        codes, factors: training points, `[N, d]` and `[N, K]`.
        test_codes, test_factors: fresh points.

    Raises:
        ValueError: for wrong shapes, values that are not finite, or nothing that varies, in training or in test.
    """
    codes, factors, test_codes, test_factors = split_points(codes, factors, test_codes, test_factors)
    scaler = StandardScaler().fit(codes)
    codes, test_codes = scaler.transform(codes), scaler.transform(test_codes)
    areas, train_areas = [], []
    counted = varying(factors)
    for k in range(factors.shape[1]):
        if k not in counted:
            areas.append(np.nan)
            continue
        model = fit_quietly(codes, factors[:, k])
        areas.append(_area(model.predict_proba(test_codes), test_factors[:, k]))
        train_areas.append(_area(model.predict_proba(codes), factors[:, k]))
    if np.isnan(areas).all():
        raise ValueError(f"test_factors must show two values of a factor at least, got {len(test_factors)} points")
    return ExplicitnessScore(float(np.nanmean(areas)), np.array(areas), float(np.mean(train_areas)))


def _area(probability: np.ndarray, factor: np.ndarray) -> float:
    """Return the mean area under the curve over the values of a factor that occur; NaN where only one does."""
    present = np.flatnonzero(np.bincount(factor, minlength=probability.shape[1]))
    if len(present) < 2:
        return np.nan
    return float(np.mean([roc_auc_score(factor == value, probability[:, value]) for value in present]))


def _squared_correlation(code: np.ndarray, factor: np.ndarray) -> float:
    covariance = np.cov(code, factor, ddof=1)
    if covariance[0, 0] <= 1e-12 or covariance[1, 1] <= 1e-12:
        return 0.0
    return float(covariance[0, 1] ** 2 / (covariance[0, 0] * covariance[1, 1]))


def _accuracy(points: HalfLines, factor: np.ndarray, test_code: np.ndarray, test_factor: np.ndarray, C: float) -> float:
    """Fit one classifier per value of the factor (one against the rest) and return the accuracy on the test points.

    Args:
        points: the training points' sorted code.
        factor: their factor in the same order.
        test_code, test_factor: fresh points.
        C: the classifier's penalty.
    """
    values, counts = np.unique(factor, return_counts=True)
    if len(values) == 1:
        return float((test_factor == values[0]).mean())
    weights = len(factor) / (len(values) * counts)
    if len(values) == 2:  # one classifier is enough for two values
        second = HalfLines(points.values[factor == values[1]])
        slope, offset = fit_border(second, points, C * weights[1], C * weights[0])
        return float((values[(test_code * slope + offset > 0).astype(int)] == test_factor).mean())
    borders = np.array(
        [
            fit_border(HalfLines(points.values[factor == value]), points, C * weight, C)
            for value, weight in zip(values, weights, strict=True)
        ]
    )
    decision = test_code[:, None] * borders[:, 0] + borders[:, 1]
    return float((values[decision.argmax(axis=1)] == test_factor).mean())


class HalfLines:
    """Sorted values that return count, sum and sum of squares below a limit with one binary search."""

    def __init__(self, values: np.ndarray):
        self.values = values
        powers = np.stack([np.ones_like(values), values, values**2])
        self.running = np.concatenate([np.zeros((3, 1)), np.cumsum(powers, axis=1)], axis=1)

    def sums(self, slope: float, offset: float, limit: float) -> np.ndarray:
        """Return the three sums over all x with `slope x + offset < limit`."""
        if slope == 0:
            return self.running[:, -1] * float(offset < limit)
        threshold = (limit - offset) / slope
        if slope > 0:
            return self.running[:, np.searchsorted(self.values, threshold, side="left")]
        return self.running[:, -1] - self.running[:, np.searchsorted(self.values, threshold, side="right")]


def fit_border(positive: HalfLines, everything: HalfLines, c_positive: float, c_rest: float) -> np.ndarray:
    """Return slope w and offset b of the L2-regularised squared-hinge classifier of `positive` against the rest.

    Minimises `(w^2 + b^2) / 2 + c_positive sum_+ max(0, 1 - (w x + b))^2 + c_rest sum_- max(0, 1 + (w x + b))^2`.
    """

    def terms(w: float, b: float) -> tuple[float, np.ndarray, np.ndarray]:
        n, s, q = positive.sums(w, b, 1.0)
        above = everything.running[:, -1] - everything.sums(w, b, -1.0)
        m, t, r = above - (positive.running[:, -1] - positive.sums(w, b, -1.0))
        p, u = 1 - b, 1 + b
        value = (w * w + b * b) / 2
        value += c_positive * (n * p * p - 2 * w * p * s + w * w * q) + c_rest * (m * u * u + 2 * w * u * t + w * w * r)
        gradient = np.array(
            [
                w - 2 * c_positive * (p * s - w * q) + 2 * c_rest * (u * t + w * r),
                b - 2 * c_positive * (p * n - w * s) + 2 * c_rest * (u * m + w * t),
            ]
        )
        off = 2 * (c_positive * s + c_rest * t)
        curvature = np.array(
            [[1 + 2 * (c_positive * q + c_rest * r), off], [off, 1 + 2 * (c_positive * n + c_rest * m)]]
        )
        return value, gradient, curvature

    point = np.zeros(2)
    value, gradient, curvature = terms(*point)
    for _ in range(100):
        if np.abs(gradient).max() < 1e-9 * max(1.0, abs(value)):
            break
        step = np.linalg.solve(curvature, gradient)
        share = 1.0
        while True:
            candidate = terms(*(point - share * step))
            if candidate[0] <= value - 1e-4 * share * (gradient @ step) or share < 1e-6:
                break
            share /= 2
        point = point - share * step
        value, gradient, curvature = candidate
    return point
