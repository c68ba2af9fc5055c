"""Pictures of lesson 16's section on artists: one face in three hands, and what a model draws beside real drawings."""

from __future__ import annotations

import torch

from wwlib.appearance.styles.measures import painted
from wwlib.base.viz import Picture, grid
from wwlib.datasets.styles.artists import ARTISTS, Drawings
from wwlib.experiments.artist_styles.nearest import nearest_drawings
from wwlib.experiments.artist_styles.runs import draw_gallery, load_artist_styles

SHOWN_SEED = 6_101  # of the drawings on the sheets; scores use others


def hands_sheet(n: int = 10, seed: int = SHOWN_SEED, side: int = 64) -> Picture:
    """Return a sheet of real drawings: the same attributes in a column, one artist in a row.

    Args:
        n: columns.
        seed: of the attributes.
        side: of one picture on the page, pixels.
    """
    drawings = Drawings()
    factors = drawings.sample_factors(n, torch.Generator().manual_seed(seed))
    rows = []
    for artist in range(len(ARTISTS)):
        factors[:, 0] = artist
        rows.append(drawings.images(factors))
    alt = f"{n} columns of real drawings. Every column shows the same attributes in three hands: {', '.join(ARTISTS)}."
    return grid(torch.stack(rows), alt, row_labels=ARTISTS, side=side, caption="Real drawings by three artists.")


def transfer_sheet(n: int = 9, seed: int = SHOWN_SEED, side: int = 64) -> Picture:
    """Return a sheet of what the shipped model draws from held-out attributes, beside real drawings.

    Rows: the photo, which is a drawing by another artist; the reference; what is drawn; the drawing by the reference's
    artist that lies nearest to it among all that the model learned from; and the right answer.

    Args:
        n: columns; the artists take turns.
        seed: of the drawings.
        side: of one picture on the page, pixels.
    """
    pictures, drawings = draw_gallery(20 * n, seed), Drawings()
    artist = pictures.asked[:, 0]
    first = [(artist == k).nonzero()[: -(-n // len(ARTISTS)), 0] for k in range(len(ARTISTS))]
    columns = torch.cat(first)[:n]
    photos, references, right = (images[columns] for images in (pictures.photos, pictures.references, pictures.right))
    drawn = painted(load_artist_styles(), photos, references)
    near = drawings.images(nearest_drawings(drawn, artist[columns]))
    rows = {
        "photo": photos,
        "reference": references,
        "drawn": drawn,
        "nearest real drawing": near,
        "right answer": right,
    }
    alt = (
        f"{n} columns. Rows: {', '.join(rows)}. A photo is a face drawn by another artist than the reference; what is "
        "drawn should show the photo's attributes in the reference's hand, as the right answer does. The nearest real "
        "drawing would show whether the model copies one that it learned from."
    )
    caption = "Faces in another artist's hand, and the real drawings that are nearest to what is drawn."
    return grid(torch.stack(list(rows.values())), alt, row_labels=list(rows), side=side, caption=caption)
