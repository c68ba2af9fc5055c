"""What soft segments are asked for, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from wwlib.appearance.segments.losses import (
    area_loss,
    compactness_losses,
    entropy_loss,
    hard,
    variation_loss,
)
from wwlib.appearance.warps import Moments


def halves(side: int = 8) -> torch.Tensor:
    """Two slots: the left half and the right one."""
    masks = torch.zeros(1, 2, side, side)
    masks[:, 0, :, : side // 2] = 1
    masks[:, 1, :, side // 2 :] = 1
    return masks


def test_hard_masks_have_no_entropy_and_equal_shares_have_the_most():
    assert entropy_loss(halves()) == 0
    assert entropy_loss(torch.full((2, 8, 4, 4), 1 / 8)).item() == pytest.approx(math.log(8))


def test_the_entropy_of_one_pixel_in_four():
    masks = halves(2)
    masks[0, :, 0, 0] = torch.tensor([0.25, 0.75])
    expected = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75)) / 4
    assert entropy_loss(masks).item() == pytest.approx(expected)


def test_a_straight_edge_costs_two_for_each_pixel_of_its_length():
    assert variation_loss(halves(8)).item() == pytest.approx(2 * 8 / 64)
    assert variation_loss(halves(8).transpose(2, 3)).item() == pytest.approx(2 * 8 / 64)
    assert variation_loss(torch.full((1, 3, 8, 8), 1 / 3)) == 0


def test_the_area_is_what_slot_0_leaves():
    assert area_loss(halves()).item() == 0.5
    masks = torch.zeros(1, 3, 4, 4)
    masks[:, 0] = 0.7
    masks[:, 1], masks[:, 2] = 0.2, 0.1
    assert area_loss(masks).item() == pytest.approx(0.3)


def test_spared_slots_are_asked_for_nothing():
    """Three slots at one place; the first one is wide."""
    covariance = torch.diag(torch.tensor([0.02, 0.03])).repeat(1, 3, 1, 1)
    covariance[:, 0] *= 10
    slots = Moments(torch.zeros(1, 3, 2), covariance)
    trace, separation = compactness_losses(slots, reach=0.15, spared=1)
    assert trace.item() == pytest.approx(0.05)
    assert separation.item() == pytest.approx(1)
    assert compactness_losses(slots, reach=0.15, spared=0)[0].item() == pytest.approx((0.5 + 0.05 + 0.05) / 3)
    apart = Moments(torch.tensor([[[0.0, 0.0], [0.0, 0.0], [0.3, 0.0]]]), covariance)
    assert compactness_losses(apart, 0.15, spared=1)[1].item() == pytest.approx(math.exp(-2))


def test_hard_masks_are_one_hot_and_hand_their_gradient_to_the_soft_ones():
    soft = torch.tensor([0.2, 0.5, 0.3]).view(1, 3, 1, 1).requires_grad_()
    masks = hard(soft)
    torch.testing.assert_close(masks.flatten(), torch.tensor([0.0, 1.0, 0.0]), rtol=0, atol=1e-6)
    (masks * torch.tensor([1.0, 2.0, 3.0]).view(1, 3, 1, 1)).sum().backward()
    assert soft.grad.flatten().tolist() == [1, 2, 3]


def test_hard_masks_hold_nothing_but_0_and_1_to_the_last_bit():
    soft = torch.randn(2, 8, 32, 32, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    assert hard(soft).unique().tolist() == [0, 1]
