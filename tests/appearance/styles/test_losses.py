"""The losses of styles and content, against values worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from wwlib.appearance.styles.losses import (
    blurred,
    blurred_grey,
    content_loss,
    contrast_loss,
    critic_loss,
    deception_loss,
    disentanglement_loss,
    feature_loss,
    fixpoint_triplet_loss,
    gradient_penalty,
    image_loss,
    squared_distance,
    triplet_loss,
)

EAST, NORTH, WEST = (torch.tensor([code]) for code in ([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]))


def test_codes_at_a_right_angle_are_two_apart_and_opposite_ones_four():
    assert squared_distance(EAST, NORTH).item() == 2
    assert squared_distance(EAST, WEST).item() == 4


def test_a_triplet_costs_its_margin_where_both_pictures_read_alike():
    """This is where every training starts, and where one stays that ignores the reference."""
    assert triplet_loss(EAST, NORTH, NORTH, 0.5).item() == 0.5
    assert fixpoint_triplet_loss(EAST, NORTH, WEST, WEST, 0.5).item() == pytest.approx(0.5)


def test_a_triplet_costs_nothing_once_the_other_picture_is_far_enough_away():
    assert triplet_loss(EAST, EAST, NORTH, 0.5).item() == 0
    assert triplet_loss(EAST, NORTH, EAST, 0.5).item() == 2.5  # 0.5 + 2 - 0


def test_the_fixpoint_compares_each_reference_with_its_own_picture():
    assert fixpoint_triplet_loss(EAST, NORTH, EAST, NORTH, 0.5).item() == 0
    assert fixpoint_triplet_loss(EAST, NORTH, NORTH, EAST, 0.5).item() == 2.5
    # the first is right; the second lies 4 - 2 farther away than the first one's picture
    assert fixpoint_triplet_loss(EAST, NORTH, EAST, -NORTH, 0.5).item() == pytest.approx(0.5 * (0 + 2.5))


def test_two_pictures_in_one_style_must_lie_nearer_to_each_other_than_to_their_reference():
    assert disentanglement_loss(EAST, NORTH, NORTH).item() == 0
    assert disentanglement_loss(EAST, NORTH, WEST).item() == 0  # 2 against 2
    assert disentanglement_loss(EAST, EAST, NORTH).item() == 2  # only one of them reads like its reference


def test_content_is_compared_by_direction():
    given = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    assert content_loss(3 * given, given).item() < 1e-6
    assert content_loss(-given, given).item() == pytest.approx(4)
    turned = torch.stack([given[0, 1], -given[0, 0], given[0, 3], -given[0, 2]])[None]  # at a right angle
    assert content_loss(turned, given[:1]).item() == pytest.approx(1)


def test_hues_and_fine_patterns_cost_nothing_and_darkness_costs_its_square():
    photos = torch.zeros(1, 3, 32, 32)
    tinted = photos + torch.tensor([0.3, -0.1, -0.2]).view(1, 3, 1, 1)
    assert image_loss(tinted, photos).item() < 1e-10
    striped = photos + 0.4 * torch.cos(2 * torch.pi * torch.arange(32) / 5)  # a period is as long as the blur
    assert image_loss(striped, photos).item() < 1e-10
    assert image_loss(photos - 0.2, photos).item() == pytest.approx(0.1**2)  # pictures are two wide, greys one
    assert blurred_grey(photos).shape == (1, 1, 28, 28)
    assert blurred_grey(photos).unique().tolist() == [0.5]


def test_coloured_the_image_loss_counts_hues_and_still_no_fine_patterns():
    photos = torch.zeros(1, 3, 32, 32)
    tint = torch.tensor([0.3, -0.1, -0.2])
    tinted = photos + tint.view(1, 3, 1, 1)
    assert image_loss(tinted, photos, coloured=True).item() == pytest.approx(float((tint / 2).square().mean()))
    striped = photos + 0.4 * torch.cos(2 * torch.pi * torch.arange(32) / 5)
    assert image_loss(striped, photos, coloured=True).item() < 1e-10
    assert blurred(photos).shape == (1, 3, 28, 28)


def test_contrast_is_the_surprise_of_a_choice_among_all_partners():
    codes = torch.eye(8)
    same = torch.ones(8, 8) / math.sqrt(8)
    assert contrast_loss(same, same).item() == pytest.approx(math.log(8))  # all codes alike: one of eight
    assert contrast_loss(codes, codes).item() == pytest.approx(math.log(1 + 7 * math.exp(-10)), abs=1e-6)
    assert contrast_loss(codes, codes.roll(1, 0)).item() > 9
    one, other = torch.nn.functional.normalize(torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0)), dim=2)
    assert contrast_loss(one, other).item() == pytest.approx(contrast_loss(other, one).item())


def test_contrast_is_the_same_number_under_autocast():
    one, other = torch.nn.functional.normalize(torch.randn(2, 6, 8, generator=torch.Generator().manual_seed(1)), dim=2)
    with torch.autocast("cpu", torch.bfloat16):
        lower = contrast_loss(one, other)
    assert torch.equal(lower, contrast_loss(one, other))


def verdicts(real: float, logits: list[float], features: float = 0.0):
    """What both scales say of two pictures."""
    return [(torch.full((2, 1, 4, 4), real), torch.tensor([logits, logits]), torch.full((2, 5), features))] * 2


def test_the_critic_pays_inside_its_margins_and_for_wrong_families():
    families = torch.tensor([0, 1])
    sure = [50.0, -50.0, -50.0]
    right = critic_loss(verdicts(1.5, sure), verdicts(-2.0, sure), torch.zeros(2, dtype=torch.long))
    assert right.item() == 0
    undecided = critic_loss(verdicts(0.0, [0.0] * 3), verdicts(0.5, [0.0] * 3), families)
    assert undecided.item() == pytest.approx(1 + 1.5 + math.log(3))


def test_drawn_pictures_pay_for_looking_drawn_and_for_other_families():
    real, family = deception_loss(verdicts(0.7, [0.0, 1.0, 0.0]), torch.tensor([1, 1]))
    assert real.item() == pytest.approx(-0.7)
    assert family.item() == pytest.approx(-1 + math.log(math.e + 2))


def test_the_penalty_is_the_squared_slope_of_the_verdict():
    images = torch.zeros(2, 3, 4, 4, requires_grad=True)
    on_real = (3 * images[:, :1] + 4 * images[:, 1:2]).sum(dim=(2, 3), keepdim=True)
    penalty = gradient_penalty([(on_real, None, None)], images)
    assert penalty.item() == pytest.approx((3**2 + 4**2) * 16)


def test_features_are_compared_on_average_and_teach_the_drawing_networks_alone():
    drawn = [(None, None, torch.tensor([[1.0, 2.0]], requires_grad=True))]
    real = [(None, None, torch.tensor([[1.5, 1.0]], requires_grad=True))]
    loss = feature_loss(drawn, real)
    loss.backward()
    assert loss.item() == pytest.approx(0.75)
    assert drawn[0][2].grad is not None
    assert real[0][2].grad is None


def test_the_penalty_takes_the_mean_verdict_of_all_places():
    images = torch.zeros(2, 3, 4, 4, requires_grad=True)
    one = (3 * images[:, :1] + 4 * images[:, 1:2]).sum(dim=(2, 3), keepdim=True)
    assert gradient_penalty([(one.expand(-1, -1, 2, 3), None, None)], images).item() == pytest.approx(
        (3**2 + 4**2) * 16
    )


def test_the_critic_learns_families_from_real_pictures_and_not_from_drawn_ones():
    first, last = [50.0, -50.0, -50.0], [-50.0, -50.0, 50.0]
    assert critic_loss(verdicts(1.5, first), verdicts(-2.0, last), torch.zeros(2, dtype=torch.long)).item() == 0


def test_content_is_compared_as_a_whole_map_and_not_place_by_place():
    given, drawn = torch.tensor([[[[1.0, 1.0]]]]), torch.tensor([[[[1.0, 3.0]]]])
    assert content_loss(drawn, given).item() == pytest.approx((1 - 4 / math.sqrt(20)) ** 2)
