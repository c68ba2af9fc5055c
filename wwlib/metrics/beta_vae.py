"""The BetaVAE score: can a classifier tell from two images' codes which factor the images share?

Definition as in disentanglement_lib (Higgins et al. 2017; Locatello et al. 2019).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from wwlib.base.checks import check_whole
from wwlib.base.viz import heat_map
from wwlib.metrics.points import as_points, batch_mean, rows_by_value, rows_with, varying


@dataclass(frozen=True)
class BetaVAEScore:
    """Accuracy on fresh points, on training points, and the classifier's weights `[d, K]`.

    Chance is 1 over the number of factors that vary.
    """

    score: float
    train_score: float
    weights: np.ndarray

    def plot(self, factor_names=None):
        """Return a picture of the weights; a negative one means that a small difference indicates the factor."""
        return heat_map(self.weights, "code", "factor", f"BetaVAE score {self.score:.2f}: weights", factor_names)


def beta_vae_score(
    codes, factors, generator: torch.Generator, train_points: int = 10_000, test_points: int = 5_000, batch: int = 64
) -> BetaVAEScore:
    """Return how often a linear classifier names the factor that `batch` pairs of images share.

    For each point a factor is chosen, pairs of images that agree in it are drawn from the rows, and the absolute
    difference of their codes is averaged. A factor that never varies is never chosen.

    Args:
        codes: `[N, d]`.
        factors: `[N, K]`.
        generator: CPU generator of the points.
        train_points, test_points, batch: sizes; the defaults are the definition's.

    Raises:
        ValueError: for wrong shapes, values that are not finite, fewer than two factors that vary, or too few points.
    """
    check_whole(train_points=train_points, test_points=test_points, batch=batch)
    codes, factors = as_points(codes, factors, least_factors=2)
    number_of_factors, counted = factors.shape[1], varying(factors)
    codes, factors = torch.as_tensor(codes), torch.as_tensor(factors[:, counted])
    columns = [rows_by_value(column) for column in factors.t().contiguous()]

    def points(n: int) -> tuple[np.ndarray, np.ndarray]:
        shared = torch.randint(len(columns), (n,), generator=generator)
        features = torch.empty(n, codes.shape[1], dtype=torch.float64)
        for k, column in enumerate(columns):
            for chosen in (shared == k).nonzero()[:, 0].split(250):
                features[chosen] = _differences(codes, factors[:, k], column, len(chosen), batch, generator)
        return features.numpy(), shared.numpy()

    features, labels = points(train_points)
    if len(np.unique(labels)) < 2:
        raise ValueError(f"train_points must be so many that two factors are chosen, got {train_points}")
    classifier = fit_quietly(features, labels)
    test = points(test_points)
    weights = np.zeros((codes.shape[1], number_of_factors))
    weights[:, counted[classifier.classes_]] = _per_class(classifier.coef_).T
    return BetaVAEScore(classifier.score(*test), classifier.score(features, labels), weights)


def fit_quietly(features: np.ndarray, labels: np.ndarray) -> LogisticRegression:
    """Fit scikit-learn's logistic regression with its defaults; that it stops after 100 steps is part of the score."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression().fit(features, labels)


def _differences(codes: Tensor, factor: Tensor, column: tuple, n: int, batch: int, generator) -> Tensor:
    """Return the mean absolute difference `[n, d]` of the codes of `batch` pairs that share a factor's value."""
    first = torch.randint(len(codes), (n, batch), generator=generator)
    second = rows_with(column, factor[first], batch, generator)
    difference = codes.index_select(0, first.flatten()) - codes.index_select(0, second.flatten())
    return batch_mean(difference.abs_().view(n, batch, codes.shape[1])).double()


def _per_class(weights: np.ndarray) -> np.ndarray:
    """Return weights for every class: with two classes scikit-learn stores those of the second only."""
    return np.concatenate([-weights, weights]) if len(weights) == 1 else weights
