"""Two domains that show the same: coloured digits filled with ink and as outlines; any pictures and their edge maps.

A digit of one domain has an exact counterpart in the other. Training never sees the two as a pair; tests and
measurements do. `edges` makes the second domain from pictures that have none, such as photographs.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.datasets.factors import FactorData
from wwlib.datasets.glyphs import Glyphs, coloured

STYLES = ("filled", "outline")
STYLE = 5  # position of the factor
STEEP = math.tan(math.pi / 8)  # below this slope a gradient counts as level, above its inverse as upright


class Domains(FactorData):
    """Digits of `wwlib.datasets.glyphs` in two styles; the layout, where the glyph lies, is the same in both.

    Args:
        tilts: angles that occur, degrees; a judge is trained on other angles than the model that it judges.
    """

    factor_names = ("digit", "ink", "paper", "across", "down", "style", "tilt")
    channels = 3
    resolution = 32

    def __init__(self, tilts: tuple[float, ...] = (-12, 0, 12)):
        self._glyphs = Glyphs(self.resolution, tilts)
        digit, ink, paper, across, down, tilt = self._glyphs.factor_sizes
        self.factor_sizes = (digit, ink, paper, across, down, len(STYLES), tilt)

    def coverage(self, factors: Tensor) -> Tensor:
        """Return how much of every pixel the glyph fills, `[n, 32, 32]` in [0, 1], whatever its style."""
        factors = self.check_factors(factors)
        return self._glyphs.coverage(factors[:, [0, 1, 2, 3, 4, 6]])

    def layout(self, factors: Tensor) -> Tensor:
        """Return which pixels belong to the glyph, `[n, 32, 32]` of 0 and 1, whatever its style."""
        return (self.coverage(factors) > 0.5).long()

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, 3, 32, 32]` in [-1, 1] for `factors` `[n, 7]`."""
        filled = self.coverage(factors)
        factors = self.check_factors(factors)
        outlined = factors[:, STYLE, None, None] == 1
        return coloured(torch.where(outlined, outline(filled), filled), factors[:, 1], factors[:, 2])


def outline(coverage: Tensor) -> Tensor:
    """Return the edge `[n, H, W]` in [0, 1] around shapes whose `coverage` is `[n, H, W]`.

    It is what a dilation by one pixel adds, twice as strong: half of a soft border is already covered.
    """
    dilated = F.max_pool2d(coverage[:, None], 3, stride=1, padding=1)[:, 0]
    return (2 * (dilated - coverage)).clamp(max=1)


def other_domain(factors: Tensor) -> Tensor:
    """Return the factors `[n, 7]` of the counterparts in the other domain."""
    turned = factors.clone()
    turned[:, STYLE] = 1 - turned[:, STYLE]
    return turned


def edges(images: Tensor, faint: float = 0.1) -> Tensor:
    """Return how strong the edge in each pixel is, `[B, 1, H, W]` in [0, 1], in lines that are one pixel wide.

    The strength is the length of Sobel's gradient of the mean over channels: 1 for a straight border between black
    and white. A pixel keeps it if neither neighbour across the edge is stronger; of two equals, the brighter side
    keeps it, so that turned and mirrored images have turned and mirrored edges. The picture's frame is no edge.

    Args:
        images: `[B, C, H, W]` in [-1, 1].
        faint: edges weaker than this become 0.

    Raises:
        ValueError: for images of another shape.
    """
    if images.ndim != 4:
        raise ValueError(f"images must be [B, C, H, W], got {tuple(images.shape)}")
    height, width = images.shape[2:]
    grey = F.pad(images.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    # opposite neighbours are added first: a sum in another order would round otherwise in the mirrored image
    columns = grey[:, :, :-2] + grey[:, :, 2:] + 2 * grey[:, :, 1:-1]
    rows = grey[..., :-2] + grey[..., 2:] + 2 * grey[..., 1:-1]
    across, down = (columns[..., 2:] - columns[..., :-2]) / 8, (rows[:, :, 2:] - rows[:, :, :-2]) / 8
    strength = (across.square() + down.square()).sqrt()

    # the neighbour on the brighter side, in one of eight directions, and the one opposite
    step_x = torch.where(across.abs() > STEEP * down.abs(), across.sign(), 0).long()
    step_y = torch.where(down.abs() > STEEP * across.abs(), down.sign(), 0).long()
    y = torch.arange(1, height + 1, device=images.device)[:, None]
    x = torch.arange(1, width + 1, device=images.device)
    framed = F.pad(strength, (1, 1, 1, 1)).flatten(2)

    def neighbour(sign: int) -> Tensor:
        place = (y + sign * step_y) * (width + 2) + x + sign * step_x
        return framed.gather(2, place.flatten(2)).view_as(strength)

    strongest = (strength > neighbour(1)) & (strength >= neighbour(-1)) & (strength >= faint)
    return torch.where(strongest, strength, 0).clamp(max=1)
