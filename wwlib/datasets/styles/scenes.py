"""Scenes of one shape in soft light, as numbers, as darkness and as photographs: the content of lesson 16.

Pictures are 32 pixels wide. Lengths are in pixels, x to the right and y down, angles in radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SIDE = 32  # px
SHAPES = ("disc", "square", "triangle", "cross", "star", "ring")
RADII, CENTRES, TURN = (9.0, 12.5), (13.0, 19.0), 0.3
# shares of the radius: half a square's side, a triangle's side from its middle, half the width of an arm, the inner
# corners of a star, the hole of a ring
SQUARE, TRIANGLE, ARM, NOTCH, HOLE = 0.8, 0.6, 0.36, 0.45, 0.5
GROUND, OBJECT, LIGHT = (0.16, 0.26), (0.5, 0.6), 0.06  # darkness, and how far light changes it from edge to edge
TINT = (0.08, 0.2)  # largest chroma of a photograph's ground and object


@dataclass(frozen=True)
class Scene:
    """What pictures show.

    Args:
        shape: positions in `SHAPES`, `[n]`.
        centre: of the shape, (x, y) in pixels, `[n, 2]`.
        radius, turn: of the shape, pixels and radians, `[n]`.
        ground, object: darkness of both, `[n]` in [0, 1].
        light: darkness added from the middle to the right and to the lower edge, `[n, 2]`.

    Raises:
        ValueError: for an unknown shape, or numbers that are not equally many.
    """

    shape: Tensor
    centre: Tensor
    radius: Tensor
    turn: Tensor
    ground: Tensor
    object: Tensor
    light: Tensor

    def __post_init__(self):
        sizes = {name: len(getattr(self, name)) for name in self.__dataclass_fields__}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"all entries must be equally many, got {sizes}")
        if not ((self.shape >= 0) & (self.shape < len(SHAPES))).all():
            raise ValueError(f"shape must be 0 to {len(SHAPES) - 1}, got {self.shape.tolist()}")

    def __len__(self) -> int:
        return len(self.shape)

    def __getitem__(self, rows) -> Scene:
        return Scene(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def sample_scenes(n: int, generator: torch.Generator) -> Scene:
    """Return `n` scenes whose entries are uniform and independent."""
    shape = torch.randint(len(SHAPES), (n,), generator=generator)
    across, down, radius, turn, ground, object_, strength, towards = torch.rand(8, n, generator=generator)
    angle = 2 * math.pi * towards
    light = LIGHT * (2 * strength - 1)[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    return Scene(
        shape,
        torch.stack([between(across, CENTRES), between(down, CENTRES)], dim=1),
        between(radius, RADII),
        TURN * (2 * turn - 1),
        between(ground, GROUND),
        between(object_, OBJECT),
        light,
    )


def between(share: Tensor, limits: tuple[float, float]) -> Tensor:
    """Return the numbers that lie at a share, 0 to 1, of the way from one limit to the other."""
    return limits[0] + (limits[1] - limits[0]) * share


def pixel_places() -> tuple[Tensor, Tensor]:
    """Return x `[1, 32]` and y `[32, 1]` of the pixels' middles, in pixels."""
    places = torch.arange(SIDE) + 0.5
    return places[None], places[:, None]


def coverage(scene: Scene) -> Tensor:
    """Return how much of every pixel the shape covers, `[n, 32, 32]` in [0, 1]; its edge is one pixel wide."""
    x, y = pixel_places()
    x, y = x - scene.centre[:, 0, None, None], y - scene.centre[:, 1, None, None]
    cos, sin, r = (values[:, None, None] for values in (scene.turn.cos(), scene.turn.sin(), scene.radius))
    x, y = x * cos + y * sin, y * cos - x * sin
    depth = torch.empty_like(x)
    for shape, depth_in in enumerate((_disc, _square, _triangle, _cross, _star, _ring)):
        rows = scene.shape == shape
        depth[rows] = depth_in(x[rows], y[rows], r[rows])
    return (depth + 0.5).clamp(0, 1)


# how deep a point lies inside each shape: its distance from the nearest edge, negative outside


def _disc(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    return r - (x.square() + y.square()).sqrt()


def _square(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    return SQUARE * r - torch.maximum(x.abs(), y.abs())


def _triangle(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """Its lower side is level."""
    slanted = math.sqrt(0.75) * x.abs() - 0.5 * y
    return TRIANGLE * r - torch.maximum(y, slanted)


def _cross(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    long, short = torch.maximum(x.abs(), y.abs()), torch.minimum(x.abs(), y.abs())
    return torch.minimum(r - long, ARM * r - short)


def _star(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """Five points, one of them up: the plane is folded onto half a point, where the edge is one straight line."""
    tenth = math.pi / 5
    angle = torch.atan2(x, -y)
    folded = (angle - 2 * tenth * (angle / (2 * tenth)).round()).abs()
    distance = (x.square() + y.square()).sqrt()
    along, across = distance * folded.cos(), distance * folded.sin()
    run, rise = 1 - NOTCH * math.cos(tenth), NOTCH * math.sin(tenth)
    return ((r - along) * rise - across * run) / math.hypot(run, rise)


def _ring(x: Tensor, y: Tensor, r: Tensor) -> Tensor:
    distance = (x.square() + y.square()).sqrt()
    return torch.minimum(r - distance, distance - HOLE * r)


def darkness(scene: Scene) -> Tensor:
    """Return how dark every pixel of a scene is, `[n, 32, 32]` in [0, 1]."""
    x, y = ((places - SIDE / 2) / (SIDE / 2) for places in pixel_places())
    covered = coverage(scene)
    ground, object_ = scene.ground[:, None, None], scene.object[:, None, None]
    light = scene.light[:, 0, None, None] * x + scene.light[:, 1, None, None] * y
    return ground + (object_ - ground) * covered + light


def chroma(hue: Tensor) -> Tensor:
    """Return the colour without its brightness: RGB `[n, 3]` in [-1, 1] that add up to 0, for hues `[n]` in turns."""
    return (2 * math.pi * (hue[:, None] - torch.arange(3) / 3)).cos()


def photographs(scene: Scene, generator: torch.Generator) -> Tensor:
    """Return photographs `[n, 3, 32, 32]` in [-1, 1], with a faint colour for the ground and one for the object.

    The mean of red, green and blue is 1 less the darkness, whatever the colours.

    Args:
        scene: what they show.
        generator: of the colours.
    """
    covered = coverage(scene)[:, None]
    hue, strength = torch.rand(2, 2, len(scene), generator=generator)
    ground, object_ = (
        (largest * share)[:, None] * chroma(turn) for largest, share, turn in zip(TINT, strength, hue, strict=True)
    )
    ground, object_ = ground[:, :, None, None], object_[:, :, None, None]
    shown = 1 - darkness(scene)[:, None] + ground + (object_ - ground) * covered
    return 2 * shown.clamp(0, 1) - 1
