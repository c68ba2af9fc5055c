"""Pictures of landmarks: their colours, what a sheet holds, and a film."""

from __future__ import annotations

import io

import pytest
import torch
from PIL import Image

from wwlib.appearance.landmarks.pictures import (
    coloured_heat,
    exchange_sheet,
    landmark_colours,
    landmark_sheet,
    motion_picture,
    over_figure,
)
from wwlib.appearance.parts import PartModel, Schedule
from wwlib.datasets.motions import walk
from wwlib.datasets.puppet import render, sample_appearance


@pytest.fixture(scope="module")
def model():
    return PartModel(Schedule()).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def frames():
    look = sample_appearance(1, torch.Generator().manual_seed(0))
    return render(walk(6), look[torch.zeros(6, dtype=torch.long)]).images


def test_every_landmark_has_a_bright_colour_of_its_own():
    colours = landmark_colours(8)
    assert torch.equal(colours.amax(dim=1), torch.ones(8))
    assert torch.pdist(colours).min() > 0.4


def test_a_spot_has_its_landmarks_colour_and_spots_on_each_other_are_white():
    heat = torch.zeros(1, 3, 4, 4)
    heat[0, 1, 0, 0], heat[0, :, 2, 2] = 1.0, 1.0
    seen = coloured_heat(heat)
    torch.testing.assert_close(seen[0, :, 0, 0], 2 * landmark_colours(3)[1] - 1)
    assert seen[0, :, 2, 2].tolist() == [1, 1, 1]
    assert seen[0, :, 3, 0].tolist() == [-1, -1, -1]


def test_the_figure_is_grey_where_there_is_no_landmark():
    heat, images = torch.zeros(1, 3, 4, 4), torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    heat[0, 2, 1, 1] = 1.0
    seen = over_figure(images, heat)
    torch.testing.assert_close(seen[0, :, 1, 1], 2 * landmark_colours(3)[2] - 1)
    assert (seen[0, :, 0].amax(dim=0) - seen[0, :, 0].amin(dim=0)).max() < 1e-6
    assert seen[0, 0, 0].diff().abs().min() > 0  # and still shows the figure


def test_sheets_say_what_they_show(model, frames):
    sheet = landmark_sheet(model, frames)
    assert "6 figures" in sheet.alt
    assert "8 landmarks" in sheet.alt
    rows = exchange_sheet(model, frames, frames.flip(0), {"landmark 2": [2], "everything": None})
    assert "landmark 2, everything" in rows.alt
    heights = [Image.open(io.BytesIO(picture.data)).height for picture in (sheet, rows)]
    assert heights[0] == pytest.approx(heights[1], abs=4)  # four rows each


def test_a_film_has_a_column_for_each_look_and_two_more(model, frames):
    picture = motion_picture(model, frames, frames[:2], times=2)
    film = Image.open(io.BytesIO(picture.data))
    assert film.size == (4 * 64, 64)
    assert film.n_frames == 10  # forth and back
    assert "2 other figures" in picture.alt
