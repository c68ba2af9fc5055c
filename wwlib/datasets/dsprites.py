"""dSprites, rendered here: one white sprite on black, from five factors, binary as published or antialiased.

Factor grid: Matthey et al. 2017 (dSprites). Sprites are our own drawings of a square, an ellipse and a heart.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from wwlib.datasets.factors import FactorData

SHAPES = ("square", "ellipse", "heart")


class DSprites(FactorData):
    """Rendered dSprites: 737,280 images from shape, scale, orientation and position.

    Args:
        resolution: side of the images, 16 to 128 pixels.
        device: where images are drawn.
        antialias: grey edges; False thresholds them to black and white, as in the published set.

    Raises:
        ValueError: if `resolution` is outside 16 to 128.
    """

    factor_names = ("shape", "scale", "orientation", "x", "y")
    factor_sizes = (3, 6, 40, 32, 32)
    channels = 1

    def __init__(self, resolution: int = 64, device: torch.device | str = "cpu", antialias: bool = True):
        if not isinstance(resolution, int) or not 16 <= resolution <= 128:
            raise ValueError(f"resolution must be a whole number from 16 to 128, got {resolution!r}")
        self.resolution, self.device, self.antialias = resolution, torch.device(device), antialias

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, 1, H, W]` in [-1, 1] for `factors` `[n, 5]`."""
        factors = self.check_factors(factors)
        shape, scale, turn, x, y = factors.float()[:, :, None, None].unbind(1)
        centre = (torch.arange(self.resolution, device=self.device) + 0.5) / self.resolution * 2 - 1
        # positions span the middle 60 % so that the largest sprite stays inside at any angle
        dx = centre[None, None, :] - (x / 31 * 2 - 1) * 0.6
        dy = centre[None, :, None] - (y / 31 * 2 - 1) * 0.6
        angle = turn / 40 * 2 * math.pi
        size = 0.14 + 0.14 * scale / 5
        u = (angle.cos() * dx + angle.sin() * dy) / size
        v = (angle.cos() * dy - angle.sin() * dx) / size
        pixel = 2 / self.resolution / size
        distance = torch.where(shape == 0, _square(u, v), torch.where(shape == 1, _ellipse(u, v), _heart(u, v)))
        coverage = (0.5 - distance / pixel).clamp(0, 1)
        if not self.antialias:
            coverage = (coverage >= 0.5).to(coverage.dtype)
        return (coverage * 2 - 1)[:, None]


def _square(u: Tensor, v: Tensor) -> Tensor:
    """Return the signed distance (negative inside) to a square of half side 0.9."""
    return torch.maximum(u.abs(), v.abs()) - 0.9


def _ellipse(u: Tensor, v: Tensor) -> Tensor:
    """Return the first-order signed distance to an ellipse with half axes 1 and 0.6."""
    value = (u / 1.0).square() + (v / 0.6).square() - 1
    slope = 2 * torch.sqrt(u.square() + (v / 0.36).square())
    return value / slope.clamp(min=1e-3)


def _heart(u: Tensor, v: Tensor) -> Tensor:
    """Return the signed distance to two discs and the triangle below them, v pointing down."""
    left = torch.hypot(u + 0.45, v + 0.3) - 0.5
    right = torch.hypot(u - 0.45, v + 0.3) - 0.5
    # the triangle's sides touch the discs and meet at (0, 0.95)
    side = (u.abs() * 0.80 + (v - 0.95) * 0.60).maximum(-0.35 - v)
    return torch.minimum(torch.minimum(left, right), side)
