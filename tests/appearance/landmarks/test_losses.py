"""What landmarks are asked for, against values worked out by hand."""

from __future__ import annotations

import math

import torch

from wwlib.appearance.landmarks.losses import covariance_loss, mean_loss, separation_loss, trace_loss
from wwlib.appearance.warps import Moments


def landmarks(*means: tuple[float, float]) -> Moments:
    """One picture's landmarks, each with variances 0.02 and 0.03."""
    return Moments(torch.tensor([means]), torch.diag(torch.tensor([0.02, 0.03])).repeat(1, len(means), 1, 1))


def test_equal_landmarks_cost_nothing():
    one = landmarks((0.1, 0.2), (-0.3, 0.0))
    assert mean_loss(one, one) == 0
    assert abs(covariance_loss(one, one).item() - 1e-3) < 1e-9  # the root of the 1e-6 that makes it smooth


def test_a_difference_of_places_is_squared():
    """One of four coordinates differs by 0.2."""
    one, other = landmarks((0.1, 0.2), (-0.3, 0.0)), landmarks((0.3, 0.2), (-0.3, 0.0))
    assert abs(mean_loss(one, other).item() - 0.2**2 / 4) < 1e-7


def test_a_difference_of_covariances_is_a_norm():
    """One of two landmarks differs, by 3 and 4 hundredths."""
    one, other = landmarks((0.0, 0.0), (0.5, 0.0)), landmarks((0.0, 0.0), (0.5, 0.0))
    other.covariance[0, 1] += torch.tensor([[0.03, 0.0], [0.0, 0.04]])
    expected = (1e-3 + math.sqrt(0.05**2 + 1e-6)) / 2
    assert abs(covariance_loss(one, other).item() - expected) < 1e-6


def test_pairs_are_counted_once_and_a_landmark_is_no_pair_with_itself():
    """Three landmarks have the distances 0.2, 0.3 and 0.5."""
    seen = separation_loss(landmarks((0.0, 0.0), (0.2, 0.0), (0.5, 0.0)), reach=0.25)
    expected = sum(math.exp(-(d**2) / (2 * 0.25**2)) for d in (0.2, 0.3, 0.5)) / 3
    assert abs(seen.item() - expected) < 1e-6


def test_a_landmark_that_is_alone_has_no_pair_and_costs_nothing():
    assert separation_loss(landmarks((0.1, 0.2)), reach=0.25) == 0


def test_landmarks_that_lie_on_each_other_are_driven_apart_and_far_ones_left_alone():
    means = torch.tensor([[[0.0, 0.0], [0.1, 0.0], [0.9, 0.9]]], requires_grad=True)
    separation_loss(Moments(means, torch.zeros(1, 3, 2, 2)), reach=0.1).backward()
    assert means.grad is not None
    assert means.grad[0, 0, 0] > 0  # descent moves it to the left
    assert means.grad[0, 1, 0] < 0
    assert means.grad[0, 2].abs().max() < 1e-6


def test_the_trace_adds_both_variances():
    assert abs(trace_loss(landmarks((0.0, 0.0), (0.5, 0.5))).item() - 0.05) < 1e-7
