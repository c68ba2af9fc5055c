"""The repainting explorer: strips, sheet, and which slot is repainted."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from wwlib.appearance.discovery import DiscoveryModel, Schedule, segment
from wwlib.appearance.segments.explorer import explore_slots, repainted, slot_frames, slot_sheet, slot_widget


@pytest.fixture(scope="module")
def scene():
    """An untrained model of three slots, two figures and two that give looks."""
    pictures = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return DiscoveryModel(Schedule(slots=3)), pictures[:2], pictures[2:]


def test_each_figure_is_repainted_in_one_slot_at_a_time(scene):
    model, images, givers = scene
    drawn = repainted(model, images, givers)
    assert drawn.shape == (3, 2, 2, 3, 32, 32)
    alone = model.transfer(givers[1:], images[:1], [2])
    assert torch.allclose(drawn[2, 1, 0], alone[0], atol=1e-5)


def test_there_is_a_strip_of_four_pictures_for_every_choice_and_the_second_shows_the_slot(scene):
    frames = slot_frames(*scene, side=32)
    assert [len(frames), len(frames[0]), len(frames[0][0])] == [3, 2, 2]
    slots = segment(scene[0], scene[1])[1].numpy()
    for slot in range(3):
        strip = np.array(Image.open(io.BytesIO(frames[slot][0][1])).convert("RGB"))
        assert strip.shape == (32, 4 * 32, 3)
        assert np.array_equal(strip[:, 32:64].max(axis=2) > 0, slots == slot)


def test_sliders_swap_the_strip(scene):
    widget = slot_widget(*scene, side=32)
    slot, giver, figure = widget.children[0].children
    image = widget.children[1].children[-1]
    frames = slot_frames(*scene, side=32)
    assert image.value == frames[0][0][0]
    slot.value, giver.value, figure.value = 2, 1, 1
    assert image.value == frames[2][1][1]


def test_where_nobody_can_move_sliders_the_sheet_stands_alone(scene, monkeypatch):
    model, images, givers = scene
    monkeypatch.setenv("WW_HEADLESS", "1")
    assert explore_slots(*scene).data == slot_sheet(model, images[:1], givers[:1]).data
