"""The nearest real drawing of an artist, pixel by pixel."""

from __future__ import annotations

import pytest
import torch

from wwlib.datasets.styles.artists import Drawings
from wwlib.experiments.artist_styles.nearest import distance, every_drawing, nearest_drawings


def test_a_drawing_of_the_training_is_nearest_to_itself_even_when_it_is_noisy():
    drawings, generator = Drawings(), torch.Generator().manual_seed(0)
    rows = torch.cat([every_drawing(artist)[0][::900] for artist in range(3)])
    images = drawings.images(rows)
    noisy = images + 0.05 * torch.randn(images.shape, generator=generator)
    assert torch.equal(nearest_drawings(noisy, rows[:, 0]), rows)
    assert distance(images, drawings.images(nearest_drawings(images, rows[:, 0]))).max() == 0


def test_another_artists_drawings_are_looked_through_when_they_are_asked_for():
    drawings = Drawings()
    factors = drawings.sample_factors(3, torch.Generator().manual_seed(1))
    factors[:, 0] = torch.tensor([2, 0, 1])
    images, other = drawings.images(factors), torch.tensor([0, 1, 2])
    found = nearest_drawings(images, other)
    assert torch.equal(found[:, 0], other)
    for k in range(3):
        least = min(distance(images[k : k + 1], drawn).item() for drawn in every_drawing(k)[1].split(1))
        assert distance(images[k : k + 1], drawings.images(found[k : k + 1])).item() == pytest.approx(least, rel=1e-4)


def test_distance_is_one_from_black_to_white():
    black = -torch.ones(2, 3, 32, 32)
    assert distance(black, -black).tolist() == [1, 1]
    assert distance(black, black + 0.5).tolist() == pytest.approx([0.25, 0.25])
