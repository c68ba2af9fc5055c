"""The pairs that lesson 15 learns from, and worlds in which shape and colours are harder to tell apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from wwlib.appearance.robust import Pairs
from wwlib.appearance.warps import pixel_centres
from wwlib.datasets.motions import sample_pairs
from wwlib.datasets.poses import RANGES, Pose
from wwlib.datasets.puppet import Appearance, hsv_to_rgb, render


@dataclass(frozen=True)
class World:
    """What pairs are like.

    Args:
        textured: whether waves cross the background.
        correlated: whether both poses of a pair lean as their figure's torso is coloured.
    """

    textured: bool = False
    correlated: bool = False


def draw_pairs(n: int, seed: int, world: World | None = None) -> Pairs:
    """Return `n` pairs of pictures, each of one figure in two poses, drawn from a seed."""
    world = world or World()
    generator = torch.Generator().manual_seed(seed)
    first, second, looks = sample_pairs(n, generator, textured=world.textured)
    if world.correlated:
        first, second, looks = correlated(first, second, looks, generator)
    return Pairs(*(torch.cat([render(pose[rows], looks[rows]).images for rows in torch.arange(n).split(500)])
                   for pose in (first, second)))  # fmt: skip


def correlated(
    first: Pose, second: Pose, looks: Appearance, generator: torch.Generator
) -> tuple[Pose, Pose, Appearance]:
    """Return poses and looks of figures whose colour tells how they stand: the redder, the further to the right.

    A number t in [0, 1] of each figure sets the torso's hue, from blue to red, and the middle of `across` and `lean`
    in both poses; each pose varies about it by a fifth of the range.
    """
    t = torch.rand(len(looks), generator=generator)
    colours = looks.colours.clone()
    colours[:, 2] = hsv_to_rgb(0.66 * (1 - t), torch.full_like(t, 0.9), torch.full_like(t, 0.9))
    return (_placed(first, t, generator), _placed(second, t, generator), replace(looks, colours=colours))


def _placed(pose: Pose, t: Tensor, generator: torch.Generator) -> Pose:
    """The poses with `across` and `lean` drawn about a share t of their ranges."""
    values = pose.values.clone()
    for column, factor in ((0, "across"), (3, "lean")):
        low, high = RANGES[factor]
        share = (0.8 * t + 0.2 * torch.rand(len(t), generator=generator)).clamp(0, 1)
        values[:, column] = low + (high - low) * share
    return Pose(values)


def waves(looks: Appearance, resolution: int = 8) -> Tensor:
    """Return the heights of the backgrounds' waves, as if no figure stood before them, `[n, S, S]`."""
    x, y = pixel_centres(resolution).unbind(dim=-1)
    height, across, down, phase = (column[:, None, None] for column in looks.texture.T)
    return height * (2 * torch.pi * (across * x / 2 + down * y / 2 + phase)).sin()
