"""The real drawing that is most like a picture, pixel by pixel: would a copy of a training picture show?"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from wwlib.datasets.styles.artists import ARTISTS, Drawings


@cache
def every_drawing(artist: int) -> tuple[Tensor, Tensor]:
    """Return all drawings that models learn from, by one artist: factors `[m, 9]` and pictures `[m, 3, 32, 32]`."""
    drawings = Drawings()
    factors = drawings.every(artist)
    return factors, drawings.images(factors)


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Return the root of the mean squared difference of pictures `[n, 3, H, W]`, row by row; black to white is 1."""
    return ((one - other) / 2).square().mean(dim=(1, 2, 3)).sqrt()


def nearest_drawings(images: Tensor, artists: Tensor) -> Tensor:
    """Return the factors `[n, 9]` of the drawing, among all that models learn from, that lies nearest to each picture.

    Args:
        images: `[n, 3, 32, 32]`.
        artists: whose drawings are looked through, `[n]`, positions in `ARTISTS`.
    """
    found = torch.empty(len(images), len(Drawings.factor_sizes), dtype=torch.int64)
    for artist in range(len(ARTISTS)):
        rows = (artists == artist).nonzero()[:, 0]
        factors, drawn = every_drawing(artist)
        found[rows] = factors[torch.cdist(images[rows].flatten(1), drawn.flatten(1)).argmin(dim=1)]
    return found
