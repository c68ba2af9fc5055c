"""The style explorer: choose a photo and two paintings, and walk from the style of the one to that of the other."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.appearance.style import StyleModel
from wwlib.base.device import headless
from wwlib.base.sliders import choice, explorer_frame, png_bytes, show_widget
from wwlib.base.viz import Picture, grid, to_pixels

STEPS = 8  # of the way from one style to another


def on_the_way(one: Tensor, other: Tensor, share: Tensor) -> Tensor:
    """Return codes of length 1 at shares of the straight way from one code to another, `[S, 8]`.

    Halfway between two opposite codes there is no direction; they keep the first one's.

    Args:
        one, other: of length 1, `[8]`.
        share: `[S]` in [0, 1].
    """
    mixed = torch.lerp(one, other, share[:, None])
    return torch.where(mixed.norm(dim=1, keepdim=True) > 1e-6, F.normalize(mixed, dim=1), one)


@torch.no_grad()
def walk_in_style(model: StyleModel, photo: Tensor, references: Tensor, share: Tensor) -> Tensor:
    """Return a photo `[3, 32, 32]` painted at shares of the way from one style to the other, `[S, 3, 32, 32]`.

    Args:
        model: trained.
        photo: to be painted.
        references: two paintings, `[2, 3, 32, 32]`.
        share: `[S]` in [0, 1].
    """
    one, other = model.style(references)
    codes = on_the_way(one, other, share)
    return model.decode(model.content(photo[None]).expand(len(share), -1, -1, -1), codes)


def explore_styles(model: StyleModel, photos: Tensor, references: Tensor, side: int = 128) -> Picture:
    """Show sliders for a photo, two paintings and the way between their styles, above what is drawn.

    Pictures are drawn when a slider moves. Where nobody can move sliders, the same call gives a static sheet.

    Args:
        model: trained.
        photos: `[n, 3, 32, 32]`.
        references: two paintings or more, `[m, 3, 32, 32]`.
        side: of one picture on the page, pixels.

    Returns:
        The sheet: the first two photos on the way from the first painting's style to the second one's.

    Raises:
        ValueError: for no photo, or fewer than two paintings.
    """
    if not len(photos):
        raise ValueError(f"photos must be one or more, got {len(photos)}")
    if len(references) < 2:
        raise ValueError(f"references must be two paintings or more, got {len(references)}")
    if not headless():
        show_widget(lambda: style_widget(model, photos, references, side))
    return style_walk_sheet(model, photos[:2], references[:2])


def style_widget(model: StyleModel, photos: Tensor, references: Tensor, side: int = 128):
    """Return the widget that `explore_styles` shows; it has the same arguments."""
    photo, way = choice("photo", len(photos) - 1), choice("way", STEPS)
    style, other = choice("style", len(references) - 1), choice("other style", len(references) - 1, first=1)

    def picture() -> bytes:
        two, share = references[[style.value, other.value]], torch.tensor([way.value / STEPS])
        drawn = walk_in_style(model, photos[photo.value], two, share)
        shown = torch.cat([photos[photo.value][None], two[:1], drawn, two[1:]])
        return png_bytes(np.concatenate(list(to_pixels(shown, side)), axis=1))

    return explorer_frame(
        (photo, style, other, way),
        picture,
        lambda: ("photo", "style", "drawn", "other style"),
        lambda: f"Photo {photo.value}, {way.value} of {STEPS} steps from style {style.value} to style {other.value}.",
        side,
    )


def style_walk_sheet(model: StyleModel, photos: Tensor, references: Tensor, side: int = 56) -> Picture:
    """Return a sheet: two paintings, and every photo on the way from the first one's style to the second one's.

    Args:
        model: trained.
        photos: `[n, 3, 32, 32]`.
        references: two paintings, `[2, 3, 32, 32]`.
        side: of one picture on the page, pixels.
    """
    share = torch.linspace(0, 1, STEPS + 1)
    rows = [
        torch.cat([photo[None], references[:1], walk_in_style(model, photo, references, share), references[1:]])
        for photo in photos
    ]
    alt = (
        f"{len(photos)} rows. Each shows a photo, a painting, the photo in {STEPS + 1} styles from that painting's to "
        "another one's, and the other painting."
    )
    labels = ["photo", "style", *[""] * (STEPS + 1), "style"]
    caption = "Photos on the way from one style to another."
    return grid(torch.stack(rows), alt, column_labels=labels, side=side, caption=caption)
