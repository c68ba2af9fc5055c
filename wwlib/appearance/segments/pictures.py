"""Pictures of segments: slots and parts in colour, and what is drawn with another figure's looks."""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.appearance.discovery import DiscoveryModel, segment
from wwlib.appearance.landmarks.pictures import film_beside, landmark_colours
from wwlib.base.viz import Picture, grid


def coloured_slots(slots: Tensor, n: int) -> Tensor:
    """Return slots `[B, S, S]` as pictures `[B, 3, S, S]` in [-1, 1]: slot 0 black, each other one in its colour.

    Args:
        slots: of every pixel, whole numbers.
        n: how many slots there are, slot 0 among them; 7 for the puppet's parts.
    """
    colours = torch.cat([torch.zeros(1, 3), landmark_colours(n - 1)]).to(slots.device)
    return 2 * colours[slots].movedim(-1, 1) - 1


@torch.no_grad()
def segment_sheet(model: DiscoveryModel, images: Tensor, mapping: Tensor, parts: Tensor, side: int = 64) -> Picture:
    """Return a sheet of pictures: as given, their slots, the slots as parts, the true parts, and drawn anew.

    Args:
        model: trained.
        images: `[B, 3, 32, 32]`, a column each.
        mapping: part of each slot, as `fit_mapping` gives it.
        parts: true parts, `[B, 32, 32]`.
        side: of one picture on the page, pixels.
    """
    slots = segment(model, images)
    rows = [
        images,
        coloured_slots(slots, model.slots),
        coloured_slots(mapping[slots], 7),
        coloured_slots(parts, 7),
        model.transfer(images, images),
    ]
    alt = (
        f"Five rows of {len(images)} figures: as given; {model.slots} slots in colours; the slots in the colours of "
        "the parts that they are mapped to; the true parts; drawn anew from masks and looks."
    )
    return grid(torch.stack(rows), alt, row_labels=["given", "slots", "as parts", "true", "drawn"], side=side)


@torch.no_grad()
def repaint_sheet(
    model: DiscoveryModel, given: Tensor, onto: Tensor, repainted: dict[str, list[int] | None], side: int = 64
) -> Picture:
    """Return a sheet of repainted figures: those that give looks, those that take them, and a row a repainting.

    Args:
        model: trained.
        given, onto: pictures `[B, 3, 32, 32]`, a column each.
        repainted: label of a row to the slots that get the looks of `given`; None for all.
        side: of one picture on the page, pixels.
    """
    rows = [given, onto, *(model.transfer(given, onto, slots) for slots in repainted.values())]
    alt = (
        f"{len(given)} columns. The first row gives looks, the second takes them. Below it, the second row's figures "
        f"with the first row's look in: {', '.join(repainted)}."
    )
    return grid(torch.stack(rows), alt, row_labels=["gives", "takes", *repainted], side=side)


@torch.no_grad()
def segment_film(model: DiscoveryModel, frames: Tensor, looks_of: Tensor, times: int = 3) -> Picture:
    """Return a moving picture: a film, beside it its slots, and the film in the looks of other figures.

    Args:
        model: trained.
        frames: of the film, `[T, 3, 32, 32]`.
        looks_of: pictures whose looks are taken, `[n, 3, 32, 32]`, each a column after the first two.
        times: larger than the frames.
    """
    slots = coloured_slots(segment(model, frames), model.slots)
    return film_beside(model, frames, slots, "slots in colours", looks_of, times)
