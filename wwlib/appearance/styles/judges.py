"""The judge of paintings: it reads family, shape, hue and the stripes' angle. It never sees what a model draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.base.descent import descend
from wwlib.datasets.styles.paintings import FAMILIES, paintings, sample_styles
from wwlib.datasets.styles.scenes import SHAPES, chroma, sample_scenes
from wwlib.models.judges import Judge, half_soft, new_judge

HEADS = (len(FAMILIES), len(SHAPES), 2, 2)  # hue and angle are points on a circle
STRIPES = FAMILIES.index("stripes")


@dataclass(frozen=True)
class Verdict:
    """What a judge reads from `n` paintings: positions in `FAMILIES` and `SHAPES`, the hue in turns, the stripes' angle
    in half turns; what it reads as an angle means nothing where there are no stripes."""

    family: Tensor
    shape: Tensor
    hue: Tensor
    angle: Tensor


def new_style_judge(seed: int = 0) -> Judge:
    """Return an untrained judge of paintings `[B, 3, 32, 32]`."""
    return new_judge(HEADS, seed, features=96, width=24)


def on_circle(turns: Tensor) -> Tensor:
    """Return the points `[n, 2]` of a circle that lie at shares of a turn."""
    return torch.stack([(2 * math.pi * turns).cos(), (2 * math.pi * turns).sin()], dim=1)


def train_style_judge(steps: int = 1_500, seed: int = 900) -> Judge:
    """Train a judge of paintings and return it frozen; half of its pictures are blurred, since drawn ones may be.

    Args:
        steps: of Adam, with 64 pictures each.
        seed: of weights and pictures.
    """
    judge, generator = new_style_judge(seed), torch.Generator().manual_seed(seed)

    def loss_at(_: int) -> Tensor:
        scenes, styles = sample_scenes(64, generator), sample_styles(64, generator, angles=True)
        family, shape, hue, angle = judge(half_soft(paintings(scenes, styles), 0.05, generator))
        striped = styles.family == STRIPES
        wrong_hue = (hue - on_circle(styles.hue)).square().sum(dim=1).mean()
        wrong_angle = (angle - on_circle(styles.angle / math.pi)).square().sum(dim=1)
        wrong = wrong_hue + (wrong_angle * striped).mean()
        return F.cross_entropy(family, styles.family) + F.cross_entropy(shape, scenes.shape) + wrong

    descend(judge, loss_at, steps, rate=2e-3, falls_from=0.3)
    return judge


@torch.no_grad()
def verdict(judge: Judge, images: Tensor) -> Verdict:
    """Return what a judge reads from paintings `[n, 3, 32, 32]` in [-1, 1]."""
    read = [torch.cat(parts) for parts in zip(*(judge(some) for some in images.split(200)), strict=True)]
    hue, angle = (torch.atan2(point[:, 1], point[:, 0]) / (2 * math.pi) % 1 for point in read[2:])
    return Verdict(read[0].argmax(dim=1), read[1].argmax(dim=1), hue, angle)


def mean_hue(images: Tensor) -> Tensor:
    """Return the hue of the mean colour of pictures `[n, 3, H, W]`, in turns: a judge that has learned nothing."""
    first, second = (images.mean(dim=(2, 3)) @ chroma(torch.tensor([0.0, 0.25])).T).unbind(dim=1)
    return torch.atan2(second, first) / (2 * math.pi) % 1
