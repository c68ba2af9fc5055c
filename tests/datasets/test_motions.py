"""Pairs, triplets and motions of the puppet."""

from __future__ import annotations

import pytest
import torch

from wwlib.datasets.motions import jump, sample_pairs, sample_triplets, walk, wave
from wwlib.datasets.puppet import JOINTS, render, sample_appearance


def test_a_pair_shares_its_appearance_and_a_triplet_has_two():
    first, second, appearance = sample_pairs(4, torch.Generator().manual_seed(0), clothes=True)
    assert len(first) == len(second) == len(appearance) == 4
    assert (first.values != second.values).any()
    a, b, of_a, of_b = sample_triplets(4, torch.Generator().manual_seed(0), clothes=True)
    torch.testing.assert_close(a.values, first.values)
    torch.testing.assert_close(b.values, second.values)
    assert (of_a.colours != of_b.colours).any()


@pytest.mark.parametrize("motion", [walk, wave, jump])
def test_a_motion_is_smooth_closes_and_moves(motion):
    pose = motion(24)
    appearance = sample_appearance(1, torch.Generator().manual_seed(0))[torch.zeros(24, dtype=torch.long)]
    joints = render(pose, appearance).joints
    steps = (joints.roll(-1, dims=0) - joints).norm(dim=2)  # the last step leads back to the first pose
    assert steps.max() < 0.2
    assert (joints.amax(dim=0) - joints.amin(dim=0)).norm(dim=1).max() > 0.3


def test_a_walk_lifts_the_legs_in_turn():
    pose = walk(24, strides=1)
    left, right = pose["left thigh"], pose["right thigh"]
    assert left.argmax() == right.argmin()
    assert left.argmin() == right.argmax()


def test_a_wave_raises_the_left_hand_far_above_the_right():
    pose = wave(24)
    appearance = sample_appearance(1, torch.Generator().manual_seed(0))[torch.zeros(24, dtype=torch.long)]
    joints = render(pose, appearance).joints
    hand, other = joints[:, JOINTS.index("left hand"), 1], joints[:, JOINTS.index("right hand"), 1]
    assert hand.min() < other.min() - 0.3


def test_a_single_frame_is_no_motion():
    with pytest.raises(ValueError, match="frames must be at least 2"):
        walk(1)
