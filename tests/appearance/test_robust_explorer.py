"""The transfer explorer: strips, sheet and truth."""

import io

import pytest
import torch
from PIL import Image

from wwlib.appearance.robust import RobustModel, transfer
from wwlib.appearance.robust_explorer import (
    explore_transfers,
    transfer_frames,
    transfer_widget,
    transfers,
)
from wwlib.datasets.motions import walk
from wwlib.datasets.poses import standing
from wwlib.datasets.puppet import render, sample_appearance


@pytest.fixture(scope="module")
def scene():
    """Two untrained models, four moments of a walk, a driver and three appearances."""
    looks = sample_appearance(4, torch.Generator().manual_seed(0), clothes=True)
    return {"one": RobustModel(0), "two": RobustModel(1)}, walk(4, strides=1), looks[[0]], looks[[1, 2, 3]]


def test_a_transfer_takes_the_pose_of_the_driver_and_the_truth_is_drawn(scene):
    models, motion, driver, looks = scene
    drawn, truth = transfers(models["one"], motion, driver, looks)
    assert drawn.shape == truth.shape == (3, 4, 3, 32, 32)
    assert torch.equal(truth[2, 1], render(motion[[1]], looks[[2]]).images[0])
    alone = transfer(models["one"], render(motion[[1]], driver).images, render(standing(), looks[[2]]).images)
    assert torch.allclose(drawn[2, 1], alone[0], atol=1e-5)


def test_there_is_a_strip_of_four_pictures_for_every_choice(scene):
    frames = transfer_frames(*scene, side=64)
    assert [len(frames), len(frames[0]), len(frames[0][0])] == [2, 3, 4]
    assert Image.open(io.BytesIO(frames[1][2][3])).size == (4 * 64, 64)


def test_sliders_swap_the_strip(scene):
    widget = transfer_widget(*scene, side=64)
    model, look, moment = widget.children[0].children
    label, _, image = widget.children[1].children
    frames = transfer_frames(*scene, side=64)
    assert image.value == frames[0][0][0]
    model.value, look.value, moment.value = 1, 2, 3
    assert image.value == frames[1][2][3]
    assert label.value.startswith("Trained with two:")


def test_without_sliders_a_sheet_says_what_it_shows(scene, monkeypatch):
    monkeypatch.setenv("WW_HEADLESS", "1")
    sheet = explore_transfers(*scene)
    assert "The last row holds the truth" in sheet.alt
