"""What landmarks are asked for in lessons 14 and 15: to move with the picture, to lie apart, and to be small."""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.appearance.warps import Moments


def mean_loss(one: Moments, other: Moments) -> Tensor:
    """Return the mean squared difference of landmarks' coordinates."""
    return (one.mean - other.mean).square().mean()


def covariance_loss(one: Moments, other: Moments) -> Tensor:
    """Return the mean Frobenius norm of the differences of covariances, smooth at 0."""
    squared = (one.covariance - other.covariance).square().sum(dim=(2, 3))
    return (squared + 1e-6).sqrt().mean()


def separation_loss(landmarks: Moments, reach: float) -> Tensor:
    """Return the mean of exp(-d^2 / (2 reach^2)) over all pairs of a picture's landmarks, d their distance.

    A landmark that is alone has no pair, and costs nothing.
    """
    means = landmarks.mean
    if means.shape[1] < 2:
        return means.new_zeros(())
    squared = (means[:, :, None] - means[:, None]).square().sum(dim=-1)
    first, second = torch.triu_indices(means.shape[1], means.shape[1], offset=1, device=means.device)
    return (-squared[:, first, second] / (2 * reach**2)).exp().mean()


def trace_loss(landmarks: Moments) -> Tensor:
    """Return the mean of the landmarks' squared spread, the sum of both variances."""
    return landmarks.covariance.diagonal(dim1=2, dim2=3).sum(dim=2).mean()
