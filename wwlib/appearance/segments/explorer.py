"""The repainting explorer: choose a figure, a slot and who gives its look, and see the slot and the new picture."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from wwlib.appearance.discovery import DiscoveryModel, segment
from wwlib.appearance.segments.pictures import coloured_slots
from wwlib.base.device import headless
from wwlib.base.sliders import choice, explorer_frame, png_bytes, show_widget
from wwlib.base.viz import Picture, grid, to_pixels


def repainted(model: DiscoveryModel, images: Tensor, givers: Tensor) -> Tensor:
    """Return every figure with one slot in another's look, `[slots, givers, figures, 3, 32, 32]`.

    Args:
        model: trained.
        images: figures to repaint, `[figures, 3, 32, 32]`.
        givers: pictures whose looks are taken, `[givers, 3, 32, 32]`.
    """
    with torch.no_grad():
        return torch.stack([
            torch.stack([model.transfer(giver.expand_as(images), images, [slot]) for giver in givers])
            for slot in range(model.slots)
        ])  # fmt: skip


def explore_slots(model: DiscoveryModel, images: Tensor, givers: Tensor, side: int = 128) -> Picture:
    """Show sliders for figure, slot and giver above four pictures: figure, slot, giver, and the figure repainted.

    Every picture is drawn beforehand. Where nobody can move sliders, the same call gives a static sheet.

    Args:
        model: trained.
        images: figures to repaint, `[figures, 3, 32, 32]`.
        givers: pictures whose looks are taken, `[givers, 3, 32, 32]`.
        side: of one picture on the page, pixels.

    Returns:
        The sheet: the first figure, its slots, and the figure with each slot in the first giver's look.
    """
    sheet = slot_sheet(model, images[:1], givers[:1])
    if not headless():
        show_widget(lambda: slot_widget(model, images, givers, side))
    return sheet


def slot_widget(model: DiscoveryModel, images: Tensor, givers: Tensor, side: int = 128):
    """Return the widget that `explore_slots` shows; it has the same arguments."""
    frames = slot_frames(model, images, givers, side)
    slot, giver = choice("slot", model.slots - 1), choice("look from", len(givers) - 1)
    figure = choice("figure", len(images) - 1)
    return explorer_frame(
        (slot, giver, figure),
        lambda: frames[slot.value][giver.value][figure.value],
        lambda: ("figure", "slot", "gives its look", "repainted"),
        lambda: f"Figure {figure.value} with the look of {giver.value} in slot {slot.value}.",
        side,
    )


def slot_frames(model: DiscoveryModel, images: Tensor, givers: Tensor, side: int) -> list[list[list[bytes]]]:
    """Return the PNG bytes of every strip, `[slot][giver][figure]`."""
    slots = segment(model, images)
    drawn = to_pixels(repainted(model, images, givers), side)
    figures, given = to_pixels(images, side), to_pixels(givers, side)
    frames = []
    for slot in range(model.slots):
        marked = to_pixels(_one_slot(slots, slot, model.slots), side)
        frames.append([
            [png_bytes(np.concatenate([figures[k], marked[k], given[g], drawn[slot, g, k]], axis=1))
             for k in range(len(images))]
            for g in range(len(givers))
        ])  # fmt: skip
    return frames


def slot_sheet(model: DiscoveryModel, image: Tensor, giver: Tensor, side: int = 64) -> Picture:
    """Return a static sheet: a column for each slot, with the slot above the figure that has it in another's look.

    Args:
        model: trained.
        image, giver: one picture each, `[1, 3, 32, 32]`.
        side: of one picture on the page, pixels.
    """
    slots = segment(model, image)
    marked = torch.cat([_one_slot(slots, slot, model.slots) for slot in range(model.slots)])
    rows = [torch.cat([image, marked]), torch.cat([giver, repainted(model, image, giver)[:, 0, 0]])]
    alt = (
        "Above: a figure, then each of its slots alone. Below: a figure that gives looks, then the first figure with "
        "the slot above in the other's look."
    )
    return grid(torch.stack(rows), alt, column_labels=["", *map(str, range(model.slots))], side=side)


def _one_slot(slots: Tensor, slot: int, n: int) -> Tensor:
    """One of `n` slots of figures in its colour, as pictures; slot 0 is white."""
    if slot:
        return coloured_slots(torch.where(slots == slot, slot, 0), n)
    return 2 * (slots == 0).float()[:, None].expand(-1, 3, -1, -1) - 1
