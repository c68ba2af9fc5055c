"""The judge of joints."""

from __future__ import annotations

import torch

from wwlib.appearance.judges import JointJudge, joint_error, train_joint_judge
from wwlib.datasets.poses import sample_pose
from wwlib.datasets.puppet import JOINTS, render, sample_appearance


def test_a_judge_gives_a_point_for_every_joint_and_follows_its_seed():
    images = torch.randn(2, 3, 32, 32)
    first, again, other = (JointJudge(seed)(images) for seed in (0, 0, 1))
    assert first.shape == (2, len(JOINTS), 2)
    torch.testing.assert_close(first, again)
    assert (first != other).any()


def test_a_short_training_beats_the_mean_pose_on_other_puppets():
    judge = train_joint_judge(steps=150, seed=3)
    g = torch.Generator().manual_seed(10)
    drawing = render(sample_pose(100, g), sample_appearance(100, g, clothes=True))
    mean_pose = (drawing.joints - drawing.joints.mean(dim=0)).norm(dim=2).mean() * 16
    assert joint_error(judge, drawing.images, drawing.joints) < 0.6 * mean_pose
    assert not any(parameter.requires_grad for parameter in judge.parameters())


def test_the_error_is_in_pixels():
    joints = torch.zeros(3, len(JOINTS), 2)
    shifted = lambda images: torch.full((len(images), len(JOINTS), 2), 1 / 16) * torch.tensor([1.0, 0.0])  # noqa: E731
    assert abs(joint_error(shifted, torch.zeros(3, 3, 32, 32), joints) - 1) < 1e-6
    assert abs(joint_error(shifted, torch.zeros(3, 3, 64, 64), joints) - 2) < 1e-6
