"""The part explorer: choose a look, a part and a moment of a motion, and see the exchanged part and the right one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from wwlib.appearance.landmarks.pictures import over_figure
from wwlib.appearance.parts import PartModel
from wwlib.base.device import headless
from wwlib.base.sliders import choice, explorer_frame, png_bytes, show_widget
from wwlib.base.viz import Picture, grid, to_pixels
from wwlib.datasets.poses import Pose, standing
from wwlib.datasets.puppet import PARTS, Appearance, render

EVERYTHING = "everything"  # the name of the exchange of all looks, the background's too

Exchanges = Mapping[str, Sequence[int] | None]


def exchanges(part_of: Sequence[int]) -> dict[str, list[int] | None]:
    """Return what can be exchanged: everything (None), and each part with the landmarks that lie on it.

    Args:
        part_of: the part that each landmark lies on, positions in `PARTS`.
    """
    own = {PARTS[part]: [k for k, one in enumerate(part_of) if one == part] for part in sorted(set(part_of))}
    return {EVERYTHING: None, **own}


@torch.no_grad()
def exchanged(
    model: PartModel, motion: Pose, wearer: Appearance, looks: Appearance, name: str, landmarks: Sequence[int] | None
) -> tuple[Tensor, Tensor]:
    """Return what a model draws and what would be right, both `[looks, moments, 3, 32, 32]`.

    Args:
        model: trained.
        motion: poses of the figure, one for each moment.
        wearer: one appearance; its figure makes the motion and takes the look.
        looks: appearances that give the look, each by a picture of the figure standing.
        name: of the part, or `EVERYTHING`.
        landmarks: whose look is exchanged; None for all and the background.

    Raises:
        ValueError: for a name that is no part.
    """
    if name not in (EVERYTHING, *PARTS):
        raise ValueError(f"name must be one of {(EVERYTHING, *PARTS)}, got {name!r}")
    moments, n = len(motion), len(looks)
    onto = render(motion, wearer[[0] * moments]).images.repeat(n, 1, 1, 1)
    given = render(standing(n), looks).images.repeat_interleave(moments, 0)
    drawn = model.transfer(given, onto, None if landmarks is None else list(landmarks))
    new, right = looks[torch.arange(n).repeat_interleave(moments)], wearer[[0] * (n * moments)]
    if name == EVERYTHING:
        right = new
    else:
        right.colours[:, PARTS.index(name)] = new.colours[:, PARTS.index(name)]
    truth = render(Pose(motion.values.repeat(n, 1)), right).images
    return drawn.unflatten(0, (n, moments)), truth.unflatten(0, (n, moments))


def explore_parts(
    model: PartModel, motion: Pose, wearer: Appearance, looks: Appearance, parts: Exchanges, side: int = 112
) -> Picture:
    """Show sliders that choose look, part and moment, above a strip of five pictures.

    The strip holds the picture that gives the look, the figure that takes it, its landmarks, what the model draws and
    what is right. Every strip is drawn beforehand. Where nobody can move sliders, the same call gives a static sheet.

    Args:
        model, motion, wearer, looks: as `exchanged`'s.
        parts: name of each exchange to its landmarks, as `exchanges` gives them.
        side: of one picture on the page, pixels.

    Returns:
        The sheet: the figure and its landmarks above, then for each exchange of the first look what is drawn and what
        is right.
    """
    sheet = part_sheet(model, motion, wearer, looks[[0]], parts)
    if not headless():
        show_widget(lambda: part_widget(model, motion, wearer, looks, parts, side))
    return sheet


def part_widget(
    model: PartModel, motion: Pose, wearer: Appearance, looks: Appearance, parts: Exchanges, side: int = 112
):
    """Return the widget that `explore_parts` shows; it has the same arguments."""
    names, frames = list(parts), part_frames(model, motion, wearer, looks, parts, side)
    look, part = choice("look", len(looks) - 1), choice("part", len(names) - 1)
    moment = choice("moment", len(motion) - 1)
    return explorer_frame(
        (look, part, moment),
        lambda: frames[look.value][part.value][moment.value],
        lambda: ("gives", "takes", "landmarks", "drawn", "right"),
        lambda: f"Exchanged: {names[part.value]}, with look {look.value}, at moment {moment.value}.",
        side,
    )


def part_frames(
    model: PartModel, motion: Pose, wearer: Appearance, looks: Appearance, parts: Exchanges, side: int
) -> list[list[list[bytes]]]:
    """Return the PNG bytes of every strip, `[look][part][moment]`."""
    taking, spots = (to_pixels(images, side) for images in _figure_and_landmarks(model, motion, wearer))
    giving = to_pixels(render(standing(len(looks)), looks).images, side)
    frames: list[list[list[bytes]]] = [[] for _ in range(len(looks))]
    for name, landmarks in parts.items():
        drawn, right = (to_pixels(images, side) for images in exchanged(model, motion, wearer, looks, name, landmarks))
        for i in range(len(looks)):
            strips = zip(taking, spots, drawn[i], right[i], strict=True)
            frames[i].append([png_bytes(np.concatenate([giving[i], *strip], axis=1)) for strip in strips])
    return frames


def part_sheet(
    model: PartModel, motion: Pose, wearer: Appearance, look: Appearance, parts: Exchanges, side: int = 64
) -> Picture:
    """Return a static sheet for one look: the figure, its landmarks, and two rows for each exchange."""
    rows, labels = list(_figure_and_landmarks(model, motion, wearer)), ["takes", "landmarks"]
    for name, landmarks in parts.items():
        drawn, right = exchanged(model, motion, wearer, look, name, landmarks)
        rows += [drawn[0], right[0]]
        labels += [f"{name}: drawn", "right"]
    alt = (
        f"A figure in {len(motion)} moments of a motion, and its landmarks. Below, in pairs of rows, what the model "
        f"draws and what is right when the figure takes another one's look of: {', '.join(parts)}."
    )
    return grid(torch.stack(rows), alt, row_labels=labels, side=side)


@torch.no_grad()
def _figure_and_landmarks(model: PartModel, motion: Pose, wearer: Appearance) -> tuple[Tensor, Tensor]:
    images = render(motion, wearer[[0] * len(motion)]).images
    return images, over_figure(images, model.heat(model.shape(images), images.shape[-1]))
