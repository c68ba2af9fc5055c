"""Coloured digits with known factors: drawn from a small font, or handwritten by people.

The handwriting is the UCI set of 1,797 digits that scikit-learn ships (`sklearn.datasets.load_digits`).
"""

from __future__ import annotations

import colorsys
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.datasets.factors import FactorData

# 5 x 7 pixels each, row by row
FONT = (
    "01110 10001 10011 10101 11001 10001 01110",
    "00100 01100 00100 00100 00100 00100 01110",
    "01110 10001 00001 00110 01000 10000 11111",
    "11110 00001 00001 01110 00001 00001 11110",
    "00010 00110 01010 10010 11111 00010 00010",
    "11111 10000 11110 00001 00001 10001 01110",
    "00110 01000 10000 11110 10001 10001 01110",
    "11111 00001 00010 00100 01000 01000 01000",
    "01110 10001 10001 01110 10001 10001 01110",
    "01110 10001 10001 01111 00001 00010 01100",
)
HUES = 10
WRITERS = 174  # digits of the rarest class


class Glyphs(FactorData):
    """Digits of a 5 x 7 font in bright ink on dark paper; position and tilt vary.

    Args:
        resolution: side of the images, pixels.
        tilts: angles that occur, degrees; a judge is trained on other angles than the model that it judges.
    """

    factor_names = ("digit", "ink", "paper", "across", "down", "tilt")
    channels = 3

    def __init__(self, resolution: int = 32, tilts: tuple[float, ...] = (-12, 0, 12)):
        self.resolution = resolution
        self.factor_sizes = (10, HUES, HUES, 3, 3, len(tilts))
        self._tilts = torch.tensor(tilts, dtype=torch.float32)
        rows = [[[float(pixel) for pixel in row] for row in glyph.split()] for glyph in FONT]
        # an empty border around the font's 5 x 7 pixels, so that a shift never cuts a digit
        self._strokes = F.pad(torch.tensor(rows), (2, 2, 2, 2))[:, None]

    def coverage(self, factors: Tensor) -> Tensor:
        """Return how much of every pixel is ink, `[n, H, W]` in [0, 1], for `factors` `[n, 6]`."""
        factors = self.check_factors(factors)
        angle = torch.deg2rad(self._tilts[factors[:, 5]])
        shift = -(factors[:, 3:5] - 1) * 0.12  # of half the picture; the grid moves against the glyph
        turn = torch.stack([angle.cos(), angle.sin(), shift[:, 0], -angle.sin(), angle.cos(), shift[:, 1]], dim=1)
        return _placed(self._strokes[factors[:, 0]], turn.view(-1, 2, 3), self.resolution)

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, 3, H, W]` in [-1, 1] for `factors` `[n, 6]`."""
        return coloured(self.coverage(factors), factors[:, 1], factors[:, 2])


class Handwriting(FactorData):
    """Handwritten digits in bright ink on dark paper; the last factor says which specimen of the digit is shown.

    Args:
        resolution: side of the images, pixels.
        first, last: use specimens `first` to `last - 1` of every digit, so that a judge can be trained on others.

    Raises:
        ValueError: unless 0 <= first < last <= 174.
    """

    factor_names = ("digit", "ink", "paper", "specimen")
    channels = 3

    def __init__(self, resolution: int = 32, first: int = 0, last: int = WRITERS):
        if not 0 <= first < last <= WRITERS:
            raise ValueError(f"first and last must satisfy 0 <= first < last <= {WRITERS}, got {first} and {last}")
        self.resolution = resolution
        self.factor_sizes = (10, HUES, HUES, last - first)
        self._strokes = handwritten_digits()[:, first:last].to(torch.get_default_dtype())

    def coverage(self, factors: Tensor) -> Tensor:
        """Return how much of every pixel is ink, `[n, H, W]` in [0, 1], for `factors` `[n, 4]`."""
        factors = self.check_factors(factors)
        strokes = self._strokes[factors[:, 0], factors[:, 3]][:, None]
        stay = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).expand(len(factors), -1, -1)
        return _placed(strokes, stay, self.resolution)

    def images(self, factors: Tensor) -> Tensor:
        """Return images `[n, 3, H, W]` in [-1, 1] for `factors` `[n, 4]`."""
        return coloured(self.coverage(factors), factors[:, 1], factors[:, 2])


def _placed(strokes: Tensor, turn: Tensor, side: int) -> Tensor:
    grid = F.affine_grid(turn, [len(strokes), 1, side, side], align_corners=False)
    return F.grid_sample(strokes, grid, align_corners=False)[:, 0]


@lru_cache(maxsize=1)
def handwritten_digits() -> Tensor:
    """Return scikit-learn's digits `[10, 174, 10, 10]` in [0, 1], by class, with an empty pixel around each."""
    from sklearn.datasets import load_digits

    scanned = load_digits()
    images = torch.from_numpy(scanned.images).float() / 16
    classes = [images[torch.from_numpy(scanned.target == digit)][:WRITERS] for digit in range(10)]
    return F.pad(torch.stack(classes), (1, 1, 1, 1))


@lru_cache(maxsize=1)
def _palettes() -> tuple[Tensor, Tensor]:
    hues = range(HUES)
    bright = torch.tensor([colorsys.hsv_to_rgb(i / HUES, 0.75, 1.0) for i in hues], dtype=torch.float32)
    dark = torch.tensor([colorsys.hsv_to_rgb(i / HUES, 0.9, 0.4) for i in hues], dtype=torch.float32)
    return bright, dark


def coloured(coverage: Tensor, ink: Tensor, paper: Tensor) -> Tensor:
    """Return images `[n, 3, H, W]` in [-1, 1]: bright ink where `coverage` `[n, H, W]` is 1, dark paper where it is 0.

    Args:
        coverage: in [0, 1].
        ink, paper: hues `[n]`, whole numbers from 0 to 9.
    """
    bright, dark = _palettes()
    above, below = bright[ink][:, :, None, None], dark[paper][:, :, None, None]
    return (below + coverage[:, None] * (above - below)) * 2 - 1
