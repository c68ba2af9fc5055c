"""Pictures of lesson 15's section on drawings: slots beside the artist's layers, and beside where codes act."""

from __future__ import annotations

import torch

from wwlib.appearance.segments.pictures import coloured_slots
from wwlib.base.files import load_json
from wwlib.base.shelf import named_run
from wwlib.base.viz import Picture, grid, stretched
from wwlib.datasets.portraits import REGIONS
from wwlib.experiments.portrait_parts.places import draw_acting
from wwlib.experiments.portrait_parts.runs import TEST_SEED, WARP_SEED, load_record, load_slots
from wwlib.experiments.portrait_parts.tables import NAMES, by_fit
from wwlib.experiments.portrait_parts.truth import Sitters, draw_sitters


def part_sheet(n: int = 6, side: int = 64) -> Picture:
    """Return a sheet of portraits as drawn and the same ones warped: the artist's layers, slots, and both named.

    Args:
        n: portraits of each kind.
        side: of one picture on the page, pixels.
    """
    drawn = draw_sitters(n, TEST_SEED)
    warped = drawn.warped(WARP_SEED)
    sitters = Sitters(torch.cat([drawn.images, warped.images]), torch.cat([drawn.shares, warped.shares]))
    regions = lambda labels: coloured_slots(labels, len(REGIONS))  # noqa: E731
    slots, names = load_slots("slots")
    landmarks, landmark_names = load_slots("landmarks")
    seen, near = slots(sitters.images), landmarks(sitters.images)
    rows = {
        "portraits": sitters.images,
        "artist's layers": regions(sitters.regions),
        "slots": coloured_slots(seen, len(names)),
        "slots, named": regions(names[seen]),
        "landmarks, named": regions(landmark_names[near]),
    }
    alt = (
        f"{2 * n} columns, {n} portraits as drawn and the same ones warped. Rows: {', '.join(rows)}. Background is "
        "black, and hair, face and clothes have a colour each."
    )
    return grid(torch.stack(list(rows.values())), alt, row_labels=list(rows), side=side)


def where_sheet(case: str = "slots", pictures: int = 2, seed: int = 1, side: int = 64) -> Picture:
    """Return a sheet of generated portraits: for each active code its mask, its change, and what fits it best.

    Args:
        case: the segmenter, "slots" or "landmarks".
        pictures: portraits, one group of columns each.
        seed: of their codes.
        side: of one picture on the page, pixels.
    """
    lines = by_fit(named_run(load_record(), case))
    slots, names = load_slots(case)
    acting, called = draw_acting(pictures, seed), load_json(NAMES)["codes"]
    seen, codes = slots(acting.images), [line["code"] for line in lines]
    white = lambda places: (2 * places.float() - 1)[:, :, None].expand(-1, -1, 3, -1, -1)  # noqa: E731
    columns = {
        "portrait": acting.images[:, None].expand(-1, len(codes), -1, -1, -1),
        "mask": white(stretched(acting.masks[:, codes])),
        "change": white(acting.changes[:, codes]),
        "best slot": white(torch.stack([seen == line["slot"]["number"] for line in lines], dim=1)),
        "best region": white(torch.stack([names[seen] == line["region"]["number"] for line in lines], dim=1)),
    }
    alt = (
        f"{len(codes)} rows, one for each code that acts, and {len(columns)} columns for each of {pictures} generated "
        "portraits: the portrait, the code's mask in the generator, the pixels that change with the code, and the "
        "segmenter's slot and region that fit the change best."
    )
    sheet = torch.stack(list(columns.values()), dim=1).transpose(0, 2)  # [code, column, picture, 3, 32, 32]
    labels = [f"{code}: {called[code]}" for code in codes]
    return grid(sheet.transpose(1, 2).flatten(1, 2), alt, row_labels=labels, column_labels=[*columns] * pictures,
                side=side)  # fmt: skip
