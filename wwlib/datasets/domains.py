"""One data set in two domains: coloured digits filled with ink, and the same digits as outlines.

A picture of one domain has an exact counterpart in the other. Training never sees the two as a pair; tests and
measurements do.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.datasets.factors import FactorData
from wwlib.datasets.glyphs import Glyphs, coloured

STYLES = ("filled", "outline")
STYLE = 5  # position of the factor


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
