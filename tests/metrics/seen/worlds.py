"""Constructed generators for the measures of what is seen: a perfect one, and the ways in which one can fail."""

import torch

from wwlib.datasets.shapes3d import Shapes3D


class Drawn:
    """A generator without weights and noise: it draws the pictures that a function of the codes gives.

    Args:
        codes: how many.
        draw: codes `[B, d]` to images.
    """

    def __init__(self, codes, draw):
        self.codes, self.draw = codes, draw

    def __call__(self, codes, noise=None):
        return self.draw(codes)

    def sample_noise(self, batch, generator=None, device=None):
        return []


def values(codes, size):
    """The values 0 to size - 1 of codes: equally frequent, and rising with the code."""
    return (torch.special.ndtr(codes) * size).long().clamp(min=0).minimum(torch.as_tensor(size) - 1)


LEVELS, NAMES, SIDE = 5, ("left", "right"), 32


def two_levels(codes):
    """Pictures of 32 px in two halves, left and right, whose five levels of grey the first two codes decide."""
    grey = values(codes[:, :2], LEVELS) / (LEVELS - 1) * 2 - 1
    return grey[:, None, None].repeat_interleave(SIDE // 2, dim=3).expand(-1, 1, SIDE, SIDE)


def reads_two_levels(images):
    """The exact judge of `two_levels`: sure of the level of each half that is nearest to the grey it sees."""
    ends = torch.stack([images[:, 0, 0, 0], images[:, 0, 0, -1]], dim=1)
    levels = torch.linspace(-1, 1, LEVELS)
    return list((-1e4 * (ends[..., None] - levels).square()).unbind(dim=1))


def turned(codes):
    """Codes turned by 45 degrees."""
    return codes @ torch.tensor([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5


def hidden(codes, picture, amplitude=0.02):
    """One and the same picture `[C, H, W]`, in which every code scales faint stripes of a direction of its own."""
    side, count = picture.shape[-1], codes.shape[1]
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    angles = torch.pi * torch.arange(count)[:, None, None] / count
    stripes = amplitude * torch.cos(2 * torch.pi / 6 * (x * angles.cos() + y * angles.sin()))
    return picture + torch.tensordot(codes.tanh(), stripes, dims=1)[:, None]


def rooms_of(codes, resolution=32):
    """Rooms whose six factors the first six codes decide."""
    rooms = Shapes3D(resolution)
    sizes = torch.tensor(rooms.factor_sizes)
    return rooms.images(values(codes[:, :6], sizes))


def mixed(codes):
    """Eight codes, each of which moves into every direction by an equal amount (a Hadamard matrix)."""
    two = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    return codes @ torch.kron(torch.kron(two, two), two) / 8**0.5
