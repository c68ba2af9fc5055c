"""Measures of landmarks on cases whose value is known."""

from __future__ import annotations

import torch

from wwlib.appearance.landmarks.measures import (
    change_inside,
    change_size,
    equivariance_error,
    joint_regression,
    landmark_parts,
    landmark_spread,
    mean_pose_error,
    recolour_shift,
)
from wwlib.appearance.warps import Warp, identity_warp, moments, pixel_centres, sample_jitter, sample_warp
from wwlib.datasets.poses import sample_pose
from wwlib.datasets.puppet import PARTS, render, sample_appearance


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawing(n: int = 60):
    g = seeded()
    return render(sample_pose(n, g), sample_appearance(n, g))


def read_dots(images: torch.Tensor) -> torch.Tensor:
    """The middle of what is bright, as one landmark."""
    return moments((images[:, :1] + 1) / 2).mean


def dots(n: int = 12) -> torch.Tensor:
    """White dots on black."""
    places = 0.8 * torch.rand(n, 1, 1, 2, generator=seeded()) - 0.4
    bright = (-0.5 * (pixel_centres(32) - places).square().sum(dim=-1) / 0.07**2).exp()
    return (2 * bright - 1)[:, None].repeat(1, 3, 1, 1)


def test_joints_that_follow_from_the_features_are_read_without_error():
    features = torch.randn(200, 8, 2, generator=seeded())
    joints = features.flatten(1) @ torch.randn(16, 18, generator=seeded(1)) + 0.3
    assert joint_regression(features, joints.unflatten(1, (9, 2)), 150) < 0.01


def test_features_that_say_nothing_are_no_better_than_the_mean_pose():
    joints = drawing(400).joints
    nothing = torch.randn(400, 2, generator=seeded())
    mean = mean_pose_error(joints, 300)
    assert 2 < mean < 5  # the pilot of lesson 14 has 3.26 px
    assert abs(joint_regression(nothing, joints, 300) - mean) < 0.1


def test_the_mean_pose_is_that_of_the_learned_rows():
    joints = torch.zeros(4, 9, 2)
    joints[2:, :, 0] = 0.125  # two pixels to the right
    assert mean_pose_error(joints, 2) == 2.0


def test_a_reader_that_follows_the_picture_is_equivariant_and_one_that_stands_still_is_not():
    warp, images = sample_warp(12, seeded(1)), dots()
    still = lambda x: torch.zeros(len(x), 1, 2)  # noqa: E731
    assert equivariance_error(read_dots, images, warp) < 0.3
    assert equivariance_error(still, images, warp) > 0.8


def test_a_shift_that_the_reader_ignores_is_the_error():
    nothing = identity_warp(12)
    shift = Warp(nothing.linear, torch.tensor([[3 * 2 / 32, 4 * 2 / 32]] * 12), nothing.displacements)
    error = equivariance_error(lambda x: torch.zeros(len(x), 2, 2), dots(), shift)
    assert abs(error - 5) < 1e-4


def test_a_reader_of_brightness_moves_with_the_colours():
    images, change = drawing(12).images, sample_jitter(12, seeded())
    assert recolour_shift(lambda x: torch.zeros(len(x), 1, 2), images, change) == 0
    assert recolour_shift(read_dots, images, change) > 0.1


def test_the_spread_of_landmarks_is_in_pixels():
    landmarks = torch.zeros(1000, 2, 2)
    landmarks[:, 0] = 0.25 * torch.randn(1000, 2, generator=seeded())
    assert abs(landmark_spread(landmarks) - 0.5 * 0.25 * 16 * 2**0.5) < 0.15


def test_joints_as_landmarks_lie_on_the_parts_they_end():
    made = drawing()
    names = [PARTS[part] for part in landmark_parts(made.joints, made.footprint)]
    assert names == ["head", "left arm", "left arm", "right arm", "right arm",
                     "left leg", "left leg", "right leg", "right leg"]  # fmt: skip


def test_a_change_is_counted_inside_the_mask():
    before = torch.zeros(1, 3, 8, 8)
    after, mask = before.clone(), torch.zeros(1, 8, 8, dtype=torch.bool)
    mask[0, 2:4, 2:4] = True
    after[0, 0, 2, 2], after[0, 0, 4, 4], after[0, 1, 7, 7] = 2.0, 1.0, 1.0
    assert abs(change_inside(before, after, mask) - 4 / 6) < 1e-6
    assert abs(change_inside(before, after, mask, margin=1) - 5 / 6) < 1e-6
    assert change_inside(before, before, mask) == 0


def test_a_change_of_half_the_size():
    before, after = torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8)
    assert abs(change_size(before, 0.5 * after, before, after) - 0.5) < 1e-6


def test_a_landmark_lies_on_the_pixel_whose_square_it_is_in():
    """Near the edge, where the other convention is half a pixel off."""
    footprint = torch.zeros(1, 7, 32, 32)
    footprint[:, 1, :, :2], footprint[:, 2, :, 2:] = 1, 1
    left, right = ((2 * column + 1) / 32 - 1 for column in (1.45, 1.55))
    assert landmark_parts(torch.tensor([[[left, 0.0], [right, 0.0]]]), footprint) == [1, 2]
