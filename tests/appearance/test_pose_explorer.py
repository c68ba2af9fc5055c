"""The pose explorer: frames belong to the positions of the sliders, and the right picture is the oracle's."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from wwlib.appearance.pose_explorer import (
    drawn_and_right,
    explore_poses,
    pose_frames,
    pose_sheet,
    pose_widget,
    poses_between,
)
from wwlib.appearance.vunet import Schedule, VUNet
from wwlib.datasets.poses import RANGES, standing
from wwlib.datasets.puppet import render, sample_appearance


@pytest.fixture(scope="module")
def model():
    return VUNet(Schedule(fine=True)).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def looks():
    return sample_appearance(3, torch.Generator().manual_seed(0), clothes=True)


def test_every_combination_occurs_once_the_last_factor_fastest():
    poses = poses_between(("left arm", "lean"), 3)
    assert len(poses) == 9
    torch.testing.assert_close(poses["lean"][:3], torch.linspace(*RANGES["lean"], 3))
    torch.testing.assert_close(poses["left arm"][::3], torch.linspace(*RANGES["left arm"], 3))
    torch.testing.assert_close(poses["right arm"], standing(9)["right arm"])


def test_the_right_picture_is_what_the_puppet_draws(model, looks):
    poses = poses_between(("lean",), 4)
    drawn, right = drawn_and_right(model, looks, poses)
    assert drawn.shape == right.shape == (3, 4, 3, 32, 32)
    torch.testing.assert_close(right[1], render(poses, looks[torch.tensor([1] * 4)]).images)


def test_a_strip_holds_given_drawn_and_right(model, looks):
    frames = pose_frames(model, looks, ("lean", "left arm"), 2, 32)
    assert [len(row) for row in frames] == [4, 4, 4]
    pixels = np.asarray(Image.open(io.BytesIO(frames[2][3])))
    assert pixels.shape == (32, 96, 3)
    right = drawn_and_right(model, looks, poses_between(("lean", "left arm"), 2))[1][2, 3]
    assert np.abs(pixels[:, 64:].transpose(2, 0, 1) / 127.5 - 1 - right.numpy()).max() < 0.01


def test_moving_a_slider_swaps_the_picture(model, looks):
    widget = pose_widget(model, looks, ("lean", "left arm"), 2, 32)
    look, lean, arm = widget.children[0].children
    picture = widget.children[1].children[-1]
    frames = pose_frames(model, looks, ("lean", "left arm"), 2, 32)
    look.value, lean.value, arm.value = 1, 0, 1
    assert bytes(picture.value) == frames[1][1]


def test_without_a_front_end_there_is_a_sheet_with_a_text(model, looks, monkeypatch):
    monkeypatch.setenv("WW_HEADLESS", "1")
    sheet = explore_poses(model, looks, ("lean",), 2)
    assert "while the lean moves" in sheet.alt
    assert pose_sheet(model, looks[:1], "left arm", steps=3).data
