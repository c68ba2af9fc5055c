"""Pictures of styles: photos in the styles of paintings, and the hues that are drawn beside those that were asked."""

from __future__ import annotations

import torch
from matplotlib.figure import Figure
from torch import Tensor

from wwlib.appearance.style import StyleModel
from wwlib.base.viz import ACCENT, FAINT, Picture, figure_picture, grid
from wwlib.datasets.styles.paintings import FAMILIES


@torch.no_grad()
def transfer_sheet(
    models: dict[str, StyleModel], photos: Tensor, references: Tensor, caption: str, side: int = 64
) -> Picture:
    """Return a sheet: photos, the paintings that give the style, and a row for what each model makes of both.

    Args:
        models: trained ones by name.
        photos, references: `[n, 3, 32, 32]`, a column each.
        caption: a short text below the picture.
        side: of one picture on the page, pixels.
    """
    rows = [photos, references, *(model.transfer(photos, references) for model in models.values())]
    alt = (
        f"{len(photos)} columns. The first row shows photos, the second paintings; below them the photos in the "
        f"paintings' styles, by: {', '.join(models)}."
    )
    return grid(torch.stack(rows), alt, row_labels=["photo", "style", *models], side=side, caption=caption)


@torch.no_grad()
def every_style_sheet(model: StyleModel, photos: Tensor, references: Tensor, side: int = 64) -> Picture:
    """Return a table of pictures: every photo, one a row, in the style of every reference, one a column.

    Args:
        model: trained.
        photos: `[n, 3, 32, 32]`.
        references: `[m, 3, 32, 32]`.
        side: of one picture on the page, pixels.
    """
    drawn = [model.transfer(photo.expand(len(references), -1, -1, -1), references) for photo in photos.split(1)]
    rows = [torch.cat([torch.ones_like(photos[:1]), references])]
    rows += [torch.cat([photo, row]) for photo, row in zip(photos.split(1), drawn, strict=True)]
    alt = (
        f"A table of pictures. Its first row shows {len(references)} paintings, its first column {len(photos)} photos; "
        "where they meet is the photo in that style."
    )
    return grid(torch.stack(rows), alt, side=side, caption="Every photo, one a row, in every style, one a column.")


def hue_plot(asked: Tensor, drawn: Tensor, families: Tensor, caption: str) -> Picture:
    """Return a panel for each family: the hue of every reference across, the hue that was drawn upwards.

    What is copied lies on the diagonal. Private agreements are level lines: many hues are asked, one or two are drawn.

    Args:
        asked, drawn: hues in turns, `[n]`.
        families: of the references, `[n]`, positions in `FAMILIES`.
        caption: a short text below the picture.
    """
    figure = Figure(figsize=(7.2, 2.6))
    axes = figure.subplots(1, len(FAMILIES), sharey=True)
    for family, (name, axis) in enumerate(zip(FAMILIES, axes, strict=True)):
        rows = families == family
        axis.plot([0, 1], [0, 1], color=FAINT, linewidth=1)
        axis.scatter(asked[rows], drawn[rows], s=5, color=ACCENT)
        axis.set(title=name, xlim=(0, 1), ylim=(0, 1), xlabel="hue asked, turns")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("hue drawn, turns")
    return figure_picture(figure, caption=caption)
