"""The part explorer: strips, sheet and truth."""

import io
from dataclasses import replace

import pytest
import torch
from PIL import Image

from wwlib.appearance.landmarks.explorer import (
    EVERYTHING,
    exchanged,
    exchanges,
    explore_parts,
    part_frames,
    part_widget,
)
from wwlib.appearance.parts import PartModel, Schedule
from wwlib.datasets.motions import walk
from wwlib.datasets.poses import standing
from wwlib.datasets.puppet import render, sample_appearance


@pytest.fixture(scope="module")
def scene():
    """An untrained model, three moments of a walk, a figure, two looks, and two exchanges."""
    people = sample_appearance(3, torch.Generator().manual_seed(0))
    parts = {EVERYTHING: None, "torso": [0, 2]}
    return PartModel(Schedule()).eval(), walk(3, strides=1), people[[0]], people[[1, 2]], parts


def test_landmarks_are_sorted_by_the_part_that_they_lie_on():
    assert exchanges([2, 1, 2, 5]) == {EVERYTHING: None, "head": [1], "torso": [0, 2], "left leg": [3]}


def test_the_right_answer_has_the_pose_of_the_moment_and_the_look_of_one_part(scene):
    model, motion, wearer, looks, _ = scene
    drawn, right = exchanged(model, motion, wearer, looks, "torso", [0, 2])
    assert drawn.shape == right.shape == (2, 3, 3, 32, 32)
    colours = wearer.colours.clone()
    colours[:, 2] = looks.colours[1, 2]
    assert torch.equal(right[1, 2], render(motion[[2]], replace(wearer, colours=colours)).images[0])
    whole = exchanged(model, motion, wearer, looks, EVERYTHING, None)[1]
    assert torch.equal(whole[1, 2], render(motion[[2]], looks[[1]]).images[0])


def test_what_is_drawn_is_the_models_own_exchange(scene):
    model, motion, wearer, looks, parts = scene
    given, onto = render(standing(), looks[[1]]).images, render(motion[[2]], wearer).images
    for name, landmarks in parts.items():
        drawn, _ = exchanged(model, motion, wearer, looks, name, landmarks)
        assert torch.allclose(drawn[1, 2], model.transfer(given, onto, landmarks)[0], atol=1e-4)


def test_there_is_a_strip_of_five_pictures_for_every_choice(scene):
    frames = part_frames(*scene, side=64)
    assert [len(frames), len(frames[0]), len(frames[0][0])] == [2, 2, 3]
    assert Image.open(io.BytesIO(frames[1][1][2])).size == (5 * 64, 64)


def test_sliders_swap_the_strip(scene):
    widget = part_widget(*scene, side=64)
    look, part, moment = widget.children[0].children
    label, _, image = widget.children[1].children
    frames = part_frames(*scene, side=64)
    assert image.value == frames[0][0][0]
    look.value, part.value, moment.value = 1, 1, 2
    assert image.value == frames[1][1][2]
    assert label.value.startswith("Exchanged: torso,")


def test_without_sliders_a_sheet_says_what_it_shows(scene, monkeypatch):
    monkeypatch.setenv("WW_HEADLESS", "1")
    assert "another one's look of: everything, torso." in explore_parts(*scene).alt


def test_a_name_that_is_no_part_is_refused(scene):
    model, motion, wearer, looks, _ = scene
    with pytest.raises(ValueError, match=r"name must be one of .* got 'hat'"):
        exchanged(model, motion, wearer, looks, "hat", [0])
