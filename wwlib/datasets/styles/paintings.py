"""Paintings of lesson 16: a scene's darkness in stripes, dots or cross-hatch, of a hue that varies within a family."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wwlib.datasets.styles.scenes import SIDE, Scene, chroma, darkness, pixel_places

FAMILIES = ("stripes", "dots", "hatch")
PERIODS = {"stripes": 4.5, "dots": 5.0, "hatch": 6.5}  # px
ANGLE = math.pi / 4  # of stripes, unless angles vary too
DEPTH, COLOUR = 0.5, 0.45  # share of the darkness that the pattern bears; strength of the colour
HATCH = 2.0  # makes the mean of a hatch's lines about 1


@dataclass(frozen=True)
class Style:
    """How pictures are painted.

    Args:
        family: positions in `FAMILIES`, `[n]`.
        hue: the parameter within a family, in turns, `[n]` in [0, 1).
        angle: of the stripes' waves, radians, `[n]`; the other families do not use it.
        phase: of the pattern, in turns, `[n, 2]`.

    Raises:
        ValueError: for an unknown family, or numbers that are not equally many.
    """

    family: Tensor
    hue: Tensor
    angle: Tensor
    phase: Tensor

    def __post_init__(self):
        sizes = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"all entries must be equally many, got {sizes}")
        if not ((self.family >= 0) & (self.family < len(FAMILIES))).all():
            raise ValueError(f"family must be 0 to {len(FAMILIES) - 1}, got {self.family.tolist()}")

    def __len__(self) -> int:
        return len(self.family)

    def __getitem__(self, rows) -> Style:
        return Style(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def sample_styles(n: int, generator: torch.Generator, families: Tensor | None = None, angles: bool = False) -> Style:
    """Return `n` styles whose entries are uniform and independent.

    Args:
        n: number of styles.
        generator: of all entries.
        families: given ones, `[n]`; drawn too if left out.
        angles: whether the stripes' angle varies too; without it all stripes are diagonal.
    """
    family = torch.randint(len(FAMILIES), (n,), generator=generator)
    hue, turn, *phase = torch.rand(4, n, generator=generator)
    angle = math.pi * turn if angles else torch.full((n,), ANGLE)
    return Style(family if families is None else families, hue, angle, torch.stack(phase, dim=1))


def shifted(style: Style, generator: torch.Generator) -> Style:
    """Return the same styles with the pattern elsewhere: only the phase is drawn anew."""
    return replace(style, phase=torch.rand(len(style), 2, generator=generator))


def pattern(style: Style) -> Tensor:
    """Return the pattern of every style, `[n, 32, 32]` from 0 to 2 with a mean of about 1."""
    x, y = pixel_places()
    turns = 2 * math.pi
    first, second = (turns * style.phase[:, k, None, None] for k in (0, 1))
    drawn = torch.empty(len(style), SIDE, SIDE)

    rows = style.family == FAMILIES.index("stripes")
    angle = style.angle[rows, None, None]
    along = (x * angle.cos() + y * angle.sin()) * turns / PERIODS["stripes"]
    drawn[rows] = 1 + (along + first[rows]).cos()

    rows = style.family == FAMILIES.index("dots")
    step = turns / PERIODS["dots"]
    drawn[rows] = 1 + (x * step + first[rows]).cos() * (y * step + second[rows]).cos()

    rows = style.family == FAMILIES.index("hatch")
    step = turns / PERIODS["hatch"]
    lines = torch.maximum((x * step + first[rows]).cos(), (y * step + second[rows]).cos())
    drawn[rows] = HATCH * (0.5 + 0.5 * lines) ** 3
    return drawn


def paintings(scene: Scene, style: Style) -> Tensor:
    """Return paintings `[n, 3, 32, 32]` in [-1, 1] of scenes in styles.

    Args:
        scene, style: equally many.

    Raises:
        ValueError: for different numbers.
    """
    if len(scene) != len(style):
        raise ValueError(f"scene and style must be equally many, got {len(scene)} and {len(style)}")
    dark = (darkness(scene) * (1 - DEPTH + DEPTH * pattern(style)))[:, None]
    shown = 1 - dark + COLOUR * dark * chroma(style.hue)[:, :, None, None]
    return 2 * shown.clamp(0, 1) - 1
