"""Poses: named numbers in their ranges."""

from __future__ import annotations

import pytest
import torch

from wwlib.datasets.poses import RANGES, Pose, sample_pose, standing


def test_sampled_poses_fill_their_ranges_and_follow_the_seed():
    pose = sample_pose(2_000, torch.Generator().manual_seed(0), facing=(1, -1))
    for name, (low, high) in RANGES.items():
        values = pose[name]
        assert values.min() < low + 0.02 * (high - low)
        assert values.max() > high - 0.02 * (high - low)
    assert set(pose["facing"].tolist()) == {1.0, -1.0}
    again = sample_pose(2_000, torch.Generator().manual_seed(0), facing=(1, -1))
    torch.testing.assert_close(pose.values, again.values)


def test_poses_are_chosen_by_row_and_factors_by_name():
    pose = sample_pose(6, torch.Generator().manual_seed(0))
    torch.testing.assert_close(pose[2:4]["lean"], pose["lean"][2:4])


@pytest.mark.parametrize(("name", "value"), [("lean", 0.4), ("size", 2.0), ("facing", 0.0), ("left_knee", -0.8)])
def test_a_value_outside_its_range_is_named(name, value):
    with pytest.raises(ValueError, match=f"{name.replace('_', ' ')} must be"):
        standing(1, **{name: value})


def test_not_a_number_and_unknown_factors_are_refused():
    values = standing(1).values.clone()
    values[0, 3] = float("nan")
    with pytest.raises(ValueError, match="lean"):
        Pose(values)
    with pytest.raises(ValueError, match="left ear"):
        standing(1, left_ear=0.0)
    with pytest.raises(ValueError, match=r"\[n, 13\]"):
        Pose(torch.zeros(2, 3))
