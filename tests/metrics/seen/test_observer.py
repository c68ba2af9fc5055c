"""The observer: probabilities of factors by distances to every room, as a plain computation gives them."""

import pytest
import torch

from wwlib.datasets.shapes3d import Shapes3D
from wwlib.metrics.seen.judges import readings
from wwlib.metrics.seen.observer import RoomObserver
from wwlib.models.judges import half_soft


def test_it_names_every_factor_of_clear_rooms_and_nearly_every_one_of_soft_rooms(generator):
    rooms = Shapes3D(32)
    factors = rooms.sample_factors(48, generator)
    images = half_soft(rooms.images(factors), 0.1, generator)
    named = torch.stack([p.argmax(dim=1) for p in readings(RoomObserver(32), images)], dim=1)
    right = named == factors
    assert right[24:].all()
    assert right[:24].float().mean() > 0.95


def test_its_probabilities_are_those_of_the_distances_to_all_rooms(generator):
    """Distances of a blurred picture, one by one, against the few that the observer needs.

    Rooms with another floor hue are left out here: they are so far away that their probability is 0.
    """
    rooms = Shapes3D(32)
    truth = rooms.sample_factors(2, generator)
    picture = half_soft(rooms.images(truth), 0.2, generator)[:1].clamp(-1, 1)
    sizes = rooms.factor_sizes[1:]
    every = torch.cartesian_prod(truth[0, :1], *(torch.arange(size) for size in sizes))
    distances = torch.cat([(rooms.images(some) - picture).square().sum(dim=(1, 2, 3)) for some in every.split(2_000)])
    observer = RoomObserver(32, doubt=0.5)
    weights = (-distances / (2 * 0.5**2)).softmax(dim=0)
    for k, reading in enumerate(readings(observer, picture)):
        expected = torch.zeros(rooms.factor_sizes[k]).index_add_(0, every[:, k], weights)
        assert torch.allclose(reading[0], expected, atol=1e-3), rooms.factor_names[k]


def test_it_reads_larger_pictures_and_refuses_others(generator):
    rooms = Shapes3D(64)
    factors = rooms.sample_factors(8, generator)
    named = [p.argmax(dim=1) for p in readings(RoomObserver(64), rooms.images(factors))]
    assert torch.equal(torch.stack(named, dim=1), factors)
    with pytest.raises(ValueError, match=r"images must be \[B, 3, 64, 64\], got \(2, 3, 32, 32\)"):
        RoomObserver(64)(torch.zeros(2, 3, 32, 32))
