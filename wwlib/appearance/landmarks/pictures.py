"""Pictures of landmarks: where they lie over a figure, alone and in motion, and what is drawn from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from wwlib.appearance.parts import PartModel
from wwlib.base.viz import Picture, gif, grid
from wwlib.datasets.puppet import hsv_to_rgb


class Transfers(Protocol):
    """What draws the shape of one picture in the look of another: a model of lesson 14 or of lesson 15."""

    def transfer(self, x: Tensor, onto: Tensor) -> Tensor:
        """Return pictures `[B, 3, 32, 32]` with the shape of `onto` and the look of `x`."""


def landmark_colours(n: int) -> Tensor:
    """Return a colour for each of `n` landmarks, RGB `[n, 3]` in [0, 1], the hues evenly apart."""
    full = torch.ones(n)
    return hsv_to_rgb(torch.arange(n) / n, full, full)


def coloured_heat(heat: Tensor) -> Tensor:
    """Return heat maps `[B, K, S, S]` as pictures `[B, 3, S, S]` in [-1, 1]: black, and each landmark in its colour.

    Landmarks that lie on each other are seen as one white or mixed spot: the check for a collapse.
    """
    colours = landmark_colours(heat.shape[1]).to(heat.device)
    lit = torch.einsum("bkhw,kc->bchw", heat.square(), colours)
    return 2 * lit.clamp(0, 1) - 1


def over_figure(images: Tensor, heat: Tensor) -> Tensor:
    """Return grey pictures `[B, 3, S, S]` in [-1, 1] with the landmarks' spots over them."""
    grey = (images.mean(dim=1, keepdim=True) + 1) / 4  # darker than the spots
    spots = (coloured_heat(heat) + 1) / 2
    cover = heat.square().amax(dim=1, keepdim=True)
    return 2 * (grey * (1 - cover) + spots * cover) - 1


@torch.no_grad()
def landmark_sheet(model: PartModel, images: Tensor, side: int = 64) -> Picture:
    """Return a sheet of pictures: as given, their landmarks, the landmarks over them, and drawn anew from these.

    Args:
        model: trained.
        images: `[B, 3, 32, 32]`, a column each.
        side: of one picture on the page, pixels.
    """
    heat = model.heat(model.shape(images), images.shape[-1])
    rows = [images, coloured_heat(heat), over_figure(images, heat), model.transfer(images, images)]
    alt = (
        f"Four rows of {len(images)} figures: as given; their {heat.shape[1]} landmarks as coloured spots on black; "
        "the same spots over the grey figure; drawn anew from landmarks and looks."
    )
    return grid(torch.stack(rows), alt, row_labels=["given", "landmarks", "both", "drawn"], side=side)


@torch.no_grad()
def exchange_sheet(
    model: PartModel, given: Tensor, onto: Tensor, exchanged: dict[str, Sequence[int] | None], side: int = 64
) -> Picture:
    """Return a sheet of exchanged looks: the figures that give them, those that take them, and a row an exchange.

    Args:
        model: trained.
        given, onto: pictures `[B, 3, 32, 32]`, a column each.
        exchanged: label of a row to the landmarks whose look is exchanged; None for all and the background.
        side: of one picture on the page, pixels.
    """
    rows = [given, onto]
    rows += [model.transfer(given, onto, None if parts is None else list(parts)) for parts in exchanged.values()]
    alt = (
        f"{len(given)} columns. The first row gives looks, the second takes them. Below it, the second row's figures "
        f"with the first row's look of: {', '.join(exchanged)}."
    )
    return grid(torch.stack(rows), alt, row_labels=["gives", "takes", *exchanged], side=side)


@torch.no_grad()
def motion_picture(model: PartModel, frames: Tensor, looks_of: Tensor, times: int = 3) -> Picture:
    """Return a moving picture: a film, beside it its landmarks, and the film in the looks of other figures.

    Args:
        model: trained.
        frames: of the film, `[T, 3, 32, 32]`.
        looks_of: pictures whose looks are taken, `[n, 3, 32, 32]`, each a column after the first two.
        times: larger than the frames.
    """
    heat = model.heat(model.shape(frames), frames.shape[-1])
    return film_beside(model, frames, over_figure(frames, heat), "landmarks as coloured spots", looks_of, times)


@torch.no_grad()
def film_beside(model: Transfers, frames: Tensor, seen: Tensor, what: str, looks_of: Tensor, times: int) -> Picture:
    """Return a moving picture: a film, what a model sees in it, and the film in the looks of other figures.

    Args:
        model: trained.
        frames: of the film, `[T, 3, 32, 32]`.
        seen: what the model sees in every frame, `[T, 3, 32, 32]`.
        what: that is, in words.
        looks_of: pictures whose looks are taken, `[n, 3, 32, 32]`, each a column after the first two.
        times: larger than the frames.
    """
    columns = [frames, seen]
    columns += [model.transfer(look.expand(len(frames), -1, -1, -1), frames) for look in looks_of.split(1)]
    alt = (
        f"A film of {len(frames)} frames. From the left: the film, its {what}, and the same motion in the looks of "
        f"{len(looks_of)} other figures."
    )
    film = torch.cat(columns, dim=3)
    return gif(film, alt, side=times * film.shape[-1])
