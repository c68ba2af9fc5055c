"""The pose explorer: move a puppet's limbs and change its appearance, and see the drawn picture and the right one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import torch
from torch import Tensor

from wwlib.appearance.vunet import VUNet
from wwlib.base.device import headless
from wwlib.base.sliders import choice, explorer_frame, png_bytes, show_widget
from wwlib.base.viz import Picture, grid, to_pixels
from wwlib.datasets.poses import POSE_FACTORS, RANGES, Pose, standing
from wwlib.datasets.puppet import Appearance, render, skeleton

MOVED = ("left arm", "right thigh", "lean")  # what the sliders move


def poses_between(factors: Sequence[str] = MOVED, steps: int = 5) -> Pose:
    """Return every combination of `steps` values of some factors, the last one fastest; the others stand still."""
    values = standing().values.repeat(steps ** len(factors), 1)
    for row, combination in enumerate(product(range(steps), repeat=len(factors))):
        for name, step in zip(factors, combination, strict=True):
            low, high = RANGES[name]
            values[row, POSE_FACTORS.index(name)] = low + (high - low) * step / (steps - 1)
    return Pose(values)


def drawn_and_right(model: VUNet, looks: Appearance, poses: Pose) -> tuple[Tensor, Tensor]:
    """Return what a model draws and what is right, both `[looks, poses, 3, 32, 32]`.

    Args:
        model: trained.
        looks: appearances; each is given by one picture of the figure standing.
        poses: to be drawn.
    """
    given, n = standing(len(looks)), len(poses)
    codes = model.encode(render(given, looks).images, skeleton(given), torch.Generator().manual_seed(0))
    skips = model.unet.read(skeleton(poses))[0]
    drawn, right = [], []
    for k in range(len(looks)):
        own = [None if code is None else code[k : k + 1].expand(n, -1, -1, -1) for code in codes]
        drawn.append(model.unet(skips, *own).clamp(-1, 1))
        right.append(render(poses, looks[torch.full((n,), k)]).images)
    return torch.stack(drawn), torch.stack(right)


def explore_poses(
    model: VUNet, looks: Appearance, factors: Sequence[str] = MOVED, steps: int = 5, side: int = 160
) -> Picture:
    """Show sliders for appearance and pose above three pictures: the given one, the drawn one, the right one.

    Every picture is drawn beforehand. Where nobody can move sliders, the same call gives a static sheet.

    Args:
        model: trained.
        looks: appearances to choose from.
        factors: of the pose that the sliders move, names of `POSE_FACTORS`.
        steps: positions of each slider.
        side: of one picture on the page, pixels.

    Returns:
        The sheet: for two appearances, what is drawn and what is right while the first factor moves.
    """
    sheet = pose_sheet(model, looks[:2], factors[0])
    if not headless():
        show_widget(lambda: pose_widget(model, looks, factors, steps, side))
    return sheet


def pose_widget(model: VUNet, looks: Appearance, factors: Sequence[str] = MOVED, steps: int = 5, side: int = 160):
    """Return the widget that `explore_poses` shows; it has the same arguments."""
    frames = pose_frames(model, looks, factors, steps, side)
    look = choice("appearance", len(looks) - 1)
    limbs = [choice(name, steps - 1, steps // 2) for name in factors]

    def frame() -> bytes:
        position = 0
        for limb in limbs:
            position = position * steps + limb.value
        return frames[look.value][position]

    def words() -> str:
        return f"Appearance {look.value}: {', '.join(f'{limb.description} {limb.value}' for limb in limbs)}."

    return explorer_frame([look, *limbs], frame, lambda: ("given", "drawn", "right"), words, side)


def pose_frames(model: VUNet, looks: Appearance, factors: Sequence[str], steps: int, side: int) -> list[list[bytes]]:
    """Return the PNG bytes of every strip, `[appearance][pose]`, poses in the order of `poses_between`."""
    given = to_pixels(render(standing(len(looks)), looks).images, side)
    drawn, right = (images for images in drawn_and_right(model, looks, poses_between(factors, steps)))
    return [
        [
            png_bytes(np.concatenate([picture, *pair], axis=1))
            for pair in zip(to_pixels(d, side), to_pixels(r, side), strict=True)
        ]
        for picture, d, r in zip(given, drawn, right, strict=True)
    ]


def pose_sheet(model: VUNet, looks: Appearance, factor: str, steps: int = 7, side: int = 64) -> Picture:
    """Return a static sheet: for each appearance a drawn row and a right row while one factor of the pose moves.

    Args:
        model: trained.
        looks: a few appearances.
        factor: name of what moves.
        steps: positions.
        side: of one picture on the page, pixels.
    """
    drawn, right = drawn_and_right(model, looks, poses_between((factor,), steps))
    given = render(standing(len(looks)), looks).images
    rows = [torch.cat([given[k : k + 1], images[k]]) for k in range(len(looks)) for images in (drawn, right)]
    alt = (
        f"The first column holds a given picture of each appearance. Beside it, in pairs of rows, what the model draws "
        f"and what is right while the {factor} moves."
    )
    labels = [word for _ in range(len(looks)) for word in ("drawn", "right")]
    return grid(torch.stack(rows), alt, row_labels=labels, column_labels=["given"], side=side)
