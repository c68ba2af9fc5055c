"""Edge maps: where the lines lie, how strong and how thin they are."""

import numpy as np
import pytest
import torch

from wwlib.datasets.domains import edges
from wwlib.datasets.fashion import load_held_out


def square(dark=-1.0, bright=1.0):
    image = torch.full((1, 1, 16, 16), dark)
    image[..., 4:12, 5:13] = bright
    return image


def test_the_edges_of_a_square_are_its_outermost_pixels():
    expected = torch.zeros(1, 1, 16, 16)
    expected[..., 4:12, 5:13] = 1
    expected[..., 5:11, 6:12] = 0
    assert torch.equal(edges(square()), expected)


def test_edges_of_a_dark_square_lie_around_it_with_cut_corners_and_are_as_strong_as_the_step():
    found = edges(square(dark=0.5, bright=-0.5))
    sides, corners = torch.zeros_like(found), torch.zeros_like(found)
    sides[..., [3, 12], 6:12] = sides[..., 5:11, [4, 13]] = 0.5
    corners[..., [4, 4, 11, 11], [5, 12, 5, 12]] = 0.5 * 18**0.5 / 4  # three eighths of the step in both directions
    assert torch.allclose(found, sides + corners)


def test_faint_and_absent_edges_are_zero():
    assert edges(square(0.0, 0.15), faint=0.1).max() == 0
    assert edges(square(0.0, 0.15), faint=0.05).max() > 0
    assert edges(torch.rand(2, 3, 1, 1).expand(2, 3, 8, 9)).max() == 0  # the frame is no edge


def test_the_edge_of_a_disc_is_a_thin_line_around_it():
    y, x = torch.meshgrid(torch.arange(64) - 31.5, torch.arange(64) - 31.5, indexing="ij")
    distance = (x.square() + y.square()).sqrt()
    found = edges((20 - distance).clamp(-1, 1)[None, None])[0, 0] > 0
    assert (distance[found] - 20).abs().max() < 1.2
    corners = [tuple(p) for p in found.nonzero().tolist()]
    angles = torch.atan2(y[found], x[found]).sort().values
    assert angles.diff().max() < 0.1  # no gap wider than two pixels
    assert len(corners) < 1.2 * 2 * np.pi * 20


@pytest.mark.parametrize("turned", range(8))
def test_turned_and_mirrored_photographs_have_turned_and_mirrored_edges(turned):
    photographs = load_held_out().images(slice(0, 60))

    def turn(images):
        images = images.transpose(2, 3) if turned & 4 else images
        return images.flip([dim for dim in (2, 3) if turned & (dim - 1)])

    found = edges(photographs)
    assert found.shape == photographs.shape
    assert 0 <= found.min() < found.max() <= 1
    assert torch.equal(edges(turn(photographs)), turn(found))


def test_edges_of_a_grey_photograph_in_colour_are_its_own():
    photographs = load_held_out().images(slice(0, 20))
    assert torch.allclose(edges(photographs.expand(-1, 3, -1, -1)), edges(photographs), atol=1e-5)
    with pytest.raises(ValueError, match=r"images must be \[B, C, H, W\], got \(32, 32\)"):
        edges(photographs[0, 0])
