"""The transfer explorer: choose a model, an appearance and a moment of a motion, and see transfer and truth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from wwlib.appearance.robust import RobustModel, transfer
from wwlib.base.device import headless
from wwlib.base.sliders import choice, explorer_frame, png_bytes, show_widget
from wwlib.base.viz import Picture, grid, to_pixels
from wwlib.datasets.poses import Pose, standing
from wwlib.datasets.puppet import Appearance, render


def transfers(model: RobustModel, motion: Pose, driver: Appearance, looks: Appearance) -> tuple[Tensor, Tensor]:
    """Return what a model draws and what would be right, both `[looks, moments, 3, 32, 32]`.

    Args:
        model: trained.
        motion: poses of the driver, one for each moment.
        driver: one appearance; its figure makes the motion.
        looks: appearances that the motion is carried to; each is given by a picture of the figure standing.
    """
    moments, n = len(motion), len(looks)
    poses = render(motion, driver[[0] * moments]).images
    given = render(standing(n), looks).images
    drawn = transfer(model, poses.repeat(n, 1, 1, 1), given.repeat_interleave(moments, 0))
    rows = torch.arange(n).repeat_interleave(moments)
    truth = render(Pose(motion.values.repeat(n, 1)), looks[rows]).images
    return drawn.unflatten(0, (n, moments)), truth.unflatten(0, (n, moments))


def explore_transfers(
    models: Mapping[str, RobustModel], motion: Pose, driver: Appearance, looks: Appearance, side: int = 128
) -> Picture:
    """Show sliders that choose model, appearance and moment, above a strip of four pictures.

    The strip holds the driver, the given appearance, the model's transfer and the truth. Every strip is drawn
    beforehand. Where nobody can move sliders, the same call gives a static sheet.

    Args:
        models: by the name that is shown.
        motion, driver, looks: as `transfers`'s.
        side: of one picture on the page, pixels.

    Returns:
        The sheet: the driver above, then each model's transfers of the first appearance, then the truth.
    """
    sheet = transfer_sheet(models, motion, driver, looks[[0]])
    if not headless():
        show_widget(lambda: transfer_widget(models, motion, driver, looks, side))
    return sheet


def transfer_widget(
    models: Mapping[str, RobustModel], motion: Pose, driver: Appearance, looks: Appearance, side: int = 128
):
    """Return the widget that `explore_transfers` shows; it has the same arguments."""
    names, frames = list(models), transfer_frames(models, motion, driver, looks, side)
    model, look = choice("model", len(names) - 1), choice("appearance", len(looks) - 1)
    moment = choice("moment", len(motion) - 1)
    return explorer_frame(
        (model, look, moment),
        lambda: frames[model.value][look.value][moment.value],
        lambda: ("pose", "appearance", "transfer", "truth"),
        lambda: f"Trained with {names[model.value]}: appearance {look.value}, moment {moment.value}.",
        side,
    )


def transfer_frames(
    models: Mapping[str, RobustModel], motion: Pose, driver: Appearance, looks: Appearance, side: int
) -> list[list[list[bytes]]]:
    """Return the PNG bytes of every strip, `[model][appearance][moment]`."""
    poses = to_pixels(render(motion, driver[[0] * len(motion)]).images, side)
    given = to_pixels(render(standing(len(looks)), looks).images, side)
    frames = []
    for model in models.values():
        drawn, truth = (to_pixels(images, side) for images in transfers(model, motion, driver, looks))
        frames.append(
            [
                [
                    png_bytes(np.concatenate([poses[k], given[i], drawn[i, k], truth[i, k]], axis=1))
                    for k in range(len(motion))
                ]
                for i in range(len(looks))
            ]
        )
    return frames


def transfer_sheet(
    models: Mapping[str, RobustModel], motion: Pose, driver: Appearance, look: Appearance, side: int = 64
) -> Picture:
    """Return a static sheet for one appearance: the driver above, a row for each model, and the truth below."""
    rows, truth = [render(motion, driver[[0] * len(motion)]).images], torch.empty(0)
    for model in models.values():
        drawn, truth = transfers(model, motion, driver, look)
        rows.append(drawn[0])
    alt = (
        "The first row holds a figure in motion. Each further row holds what one model draws when it "
        "carries this motion to another appearance. The last row holds the truth."
    )
    return grid(torch.stack([*rows, truth[0]]), alt, row_labels=["pose from", *models, "truth"], side=side)
