"""Pictures of segments: their colours, what a sheet holds, and a film."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from wwlib.appearance.discovery import DiscoveryModel, Schedule
from wwlib.appearance.segments.pictures import coloured_slots, repaint_sheet, segment_film, segment_sheet
from wwlib.datasets.motions import walk
from wwlib.datasets.puppet import render, sample_appearance


@pytest.fixture(scope="module")
def model():
    return DiscoveryModel(Schedule()).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def walking():
    look = sample_appearance(1, torch.Generator().manual_seed(0))
    return render(walk(6), look[torch.zeros(6, dtype=torch.long)])


def test_slot_0_is_black_and_the_others_differ():
    shown = coloured_slots(torch.arange(8).view(1, 1, 8), 8)
    assert shown.shape == (1, 3, 1, 8)
    assert torch.equal(shown[0, :, 0, 0], -torch.ones(3))
    assert torch.pdist(shown[0, :, 0].T).min() > 0.4


def test_a_sheet_has_a_row_for_each_view_and_names_its_slots(model, walking):
    sheet = segment_sheet(model, walking.images[:3], torch.arange(8).clamp_max(6), walking.parts[:3], side=32)
    assert "Five rows of 3 figures" in sheet.alt
    assert "8 slots" in sheet.alt


def test_a_sheet_of_repainted_figures_names_its_rows(model, walking):
    sheet = repaint_sheet(model, walking.images[:3], walking.images[3:], {"slot 2": [2], "all slots": None}, side=32)
    assert "slot 2, all slots" in sheet.alt


def test_a_film_shows_slots_beside_the_frames(model, walking):
    film = segment_film(model, walking.images, walking.images[:2], times=2)
    with Image.open(io.BytesIO(film.data)) as shown:
        assert shown.size == (4 * 64, 64)
        assert shown.n_frames == 10  # forth and back
