"""A picture for each of the ten systems: what stays, what is exchanged, what the network draws, and what is right.

The pictures are drawn from a seed, and no network has learned from them; each network is the shipped one of seed 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Tensor

from wwlib.appearance.discovery import segment
from wwlib.appearance.landmarks.pictures import over_figure
from wwlib.appearance.robust import transfer as exchange_codes
from wwlib.appearance.segments.pictures import coloured_slots
from wwlib.base.captions import alternative
from wwlib.base.codes import copy_codes
from wwlib.base.viz import FAINT, INK, Picture, figure_picture, grid, to_pixels
from wwlib.datasets.captions import STATED, write_all
from wwlib.datasets.domains import Domains, other_domain
from wwlib.datasets.factors import FactorData
from wwlib.datasets.glyphs import Glyphs
from wwlib.datasets.shapes3d import Shapes3D
from wwlib.experiments.discovery import runs as discovery
from wwlib.experiments.fusion import runs as fusion
from wwlib.experiments.hosts import load_host
from wwlib.experiments.interpretation.runs import load_interpretation
from wwlib.experiments.invariances import runs as invariances
from wwlib.experiments.landmarks import runs as landmarks
from wwlib.experiments.map.tables import FLAGSHIP, FUSION, ROBUST, STYLE, SYSTEMS
from wwlib.experiments.robust import runs as robust
from wwlib.experiments.style import runs as style
from wwlib.experiments.translation import runs as translation
from wwlib.experiments.vunet import runs as vunet
from wwlib.flows.experts import LayoutNetwork, make_experts, other_label
from wwlib.flows.flow import block_slices
from wwlib.flows.translation import carry
from wwlib.flows.world import PICTURES
from wwlib.models.editing import transfer as transfer_codes
from wwlib.models.shipped import load_model, seed_names, shipped_record

SEED = 16_000  # of all that is drawn here
DIGIT = 0  # its position among the factors of glyphs


@dataclass(frozen=True)
class Tiles:
    """How the picture of a system is made.

    Args:
        stays, exchanged: what the first and the second picture are.
        draw: from a number n, pictures `[n, 4, 3, 32, 32]`: the first, the second, the drawing, the right answer.
    """

    stays: str
    exchanged: str
    draw: Callable[[int], Tensor]

    @property
    def labels(self) -> tuple[str, str, str, str]:
        """Return what stands above the four pictures."""
        return self.stays, self.exchanged, "drawn", "right"


def _rooms(n: int) -> Tensor:
    """Rooms drawn anew with the wall's code of other rooms."""
    name, data = seed_names(FLAGSHIP)[0], Shapes3D(32)
    model, wall = load_model(name), data.factor_index("wall hue")
    factors = data.sample_factors(2 * n, torch.Generator().manual_seed(SEED))
    kept, taken, right = factors[:n], factors[n:], factors[:n].clone()
    right[:, wall] = taken[:, wall]
    code = shipped_record(name)["scores"]["iou_code"]["wall hue"]
    drawn = transfer_codes(model.generator, model.recogniser, data.images(kept), data.images(taken), [code])
    return torch.stack([data.images(kept), data.images(taken), drawn, data.images(right)], dim=1)


def _clothed(n: int) -> Tensor:
    """Puppets in the poses of skeletons."""
    asked = vunet.draw_triplets(n, SEED)
    drawn = vunet.load_vunet("coarse").transfer(
        asked.given.images, asked.y, asked.onto, torch.Generator().manual_seed(SEED)
    )
    return torch.stack([asked.given.images, 2 * asked.onto - 1, drawn, asked.answer.images], dim=1)


def _paired(n: int) -> Tensor:
    """Puppets in the poses of other puppets, by codes."""
    asked = robust.draw_unseen(n, SEED)
    drawn = exchange_codes(robust.load_robust(ROBUST), asked.others, asked.given)
    return torch.stack([asked.given, asked.others, drawn, asked.target], dim=1)


def _marked(n: int) -> Tensor:
    """Puppets in the poses of other puppets, by landmarks."""
    asked, model = landmarks.draw_figures(n, SEED), landmarks.load_landmarks("full")
    onto = asked.onto.images
    seen = over_figure(onto, model.heat(model.shape(onto), onto.shape[-1]))
    drawn = model.transfer(asked.given.images, onto)
    return torch.stack([asked.given.images, seen, drawn, asked.answer.images], dim=1)


def _segmented(n: int) -> Tensor:
    """Puppets in the poses of other puppets, by masks."""
    asked, model = discovery.draw_figures(n, SEED), discovery.load_discovery("full")
    seen = coloured_slots(segment(model, asked.onto.images), model.slots)
    drawn = model.transfer(asked.given.images, asked.onto.images)
    return torch.stack([asked.given.images, seen, drawn, asked.answer.images], dim=1)


def _painted(n: int) -> Tensor:
    """Photos painted in the styles of paintings."""
    asked = style.draw_gallery(n, SEED)
    drawn = style.load_style(STYLE).transfer(asked.photos, asked.references)
    return torch.stack([asked.photos, asked.references, drawn, asked.right], dim=1)


def _unseen(data: FactorData, n: int, pictures: int) -> tuple[Tensor, Tensor]:
    """Return factors of two times n pictures that are not among those which the networks of Part II learned from."""
    learned = data.sample_factors(pictures, torch.Generator().manual_seed(100))
    factors = data.sample_unseen(2 * n, torch.Generator().manual_seed(SEED), learned)
    return factors[:n], factors[n:]


def _digits(n: int, carried: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor], taken: slice) -> Tensor:
    """Digits with some factors of other digits.

    Args:
        n: how many.
        carried: the new codes, from codes and factors of the digits that stay, and of those that are taken from.
        taken: the factors that are.
    """
    data, host = Glyphs(), load_host("autoencoder")
    kept, other = _unseen(data, n, invariances.PICTURES)
    right = kept.clone()
    right[:, taken] = other[:, taken]
    z, z_other = (host.encode(data.images(factors))[0] for factors in (kept, other))
    drawn = host.decode(carried(z, z_other, kept, other))
    return torch.stack([data.images(kept), data.images(other), drawn, data.images(right)], dim=1)


def _swapped(n: int) -> Tensor:
    """Digits whose block of the digit comes from others."""
    flow, sizes = load_interpretation("autoencoder")
    block = block_slices(sizes)[1 + DIGIT]

    def carried(z: Tensor, z_other: Tensor, kept: Tensor, other: Tensor) -> Tensor:
        return flow.inverse(copy_codes(flow(z)[0], flow(z_other)[0], block))

    return _digits(n, carried, slice(DIGIT, DIGIT + 1))


def _explained(n: int) -> Tensor:
    """Digits with the logits of others."""
    case = invariances.LayerCase(invariances.MOMENTS[-1], "logits")
    classifier = invariances.load_classifiers()[case.moment]
    flow = invariances.load_explanation(case.moment, case.layer)

    def carried(z: Tensor, z_other: Tensor, kept: Tensor, other: Tensor) -> Tensor:
        said, asked = (invariances.conditions_of(classifier, case, factors) for factors in (kept, other))
        return carry(flow, z, said, asked)

    return _digits(n, carried, slice(DIGIT, DIGIT + 1))


def _translated(n: int) -> Tensor:
    """Digits with the captions of others."""
    encoder, flow = translation.load_encoder(), translation.load_translation("captions")

    def carried(z: Tensor, z_other: Tensor, kept: Tensor, other: Tensor) -> Tensor:
        said, asked = (encoder.embed(write_all(factors[:, : len(STATED)], SEED)) for factors in (kept, other))
        return carry(flow, z, said, asked)

    return _digits(n, carried, slice(0, len(STATED)))


def _fused(n: int) -> Tensor:
    """Digits of one domain turned into the other, their layout given."""
    data, model = Domains(), fusion.load_image_model()
    layout = fusion.SHELF.load("layout", LayoutNetwork())
    factors, _ = _unseen(data, n, PICTURES)
    images = data.images(factors)
    said = make_experts(layout)[FUSION](images, factors)
    drawn = model.decode(carry(fusion.load_fusion(FUSION), model.encode(images)[0], said, other_label(said)))
    shown = (2 * said[:, -1:] - 1).expand(-1, 3, -1, -1)
    return torch.stack([images, shown, drawn, data.images(other_domain(factors))], dim=1)


TILES = {
    "11": Tiles("room", "wall of", _rooms),
    "12": Tiles("looks of", "pose", _clothed),
    "13": Tiles("looks of", "pose of", _paired),
    "14": Tiles("looks of", "points", _marked),
    "15": Tiles("looks of", "masks", _segmented),
    "16": Tiles("photo", "style of", _painted),
    "17": Tiles("picture", "digit of", _swapped),
    "18": Tiles("picture", "answer to", _explained),
    "19": Tiles("picture", "caption of", _translated),
    "20": Tiles("picture", "layout", _fused),
}


@torch.no_grad()
def tiles_of(lesson: str, n: int) -> Tensor:
    """Return the pictures of a system, `[n, 4, 3, 32, 32]` in [-1, 1]: see `Tiles`.

    Args:
        lesson: of `SYSTEMS`.
        n: how many examples.

    Raises:
        ValueError: for another lesson.
    """
    if lesson not in TILES:
        raise ValueError(f"lesson must be one of {tuple(TILES)}, got {lesson!r}")
    return TILES[lesson].draw(n).clamp(-1, 1)


def system_picture(lesson: str, side: int = 80) -> Picture:
    """Return the picture of one system: what stays, what is exchanged, what is drawn, and what is right.

    Args:
        lesson: of `SYSTEMS`.
        side: of one of its four parts on the page, pixels.

    Raises:
        ValueError: for another lesson.
    """
    tiles = tiles_of(lesson, 1)
    caption = f"{_title(lesson)}: what stays, what is exchanged, what is drawn, and the right answer."
    return grid(tiles, column_labels=TILES[lesson].labels, side=side, caption=caption)


def _title(lesson: str) -> str:
    system = next(system for system in SYSTEMS if system.lesson == lesson)
    return f"{system.lessons} · {system.name}"


def map_sheet(lessons: tuple[str, ...] = tuple(TILES), side: int = 72, examples: int = 2) -> Picture:
    """Return the pictures of systems one below the other, the words for each part above it.

    Args:
        lessons: of `SYSTEMS`, a row each.
        side: of one picture on the page, pixels.
        examples: next to each other in a row.

    Raises:
        ValueError: for another lesson.
    """
    rows = [to_pixels(tiles_of(lesson, examples)).reshape(-1, 32, 32, 3) for lesson in lessons]
    across = len(rows[0])
    figure = Figure(figsize=(across * side / 100, len(rows) * 1.25 * side / 100))
    axes = figure.subplots(len(rows), across, squeeze=False, gridspec_kw=dict(wspace=0.06, hspace=0.3))
    for line, lesson, row in zip(axes, lessons, rows, strict=True):
        for place, (axis, pixels) in enumerate(zip(line, row, strict=True)):
            axis.imshow(pixels, interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set(color=FAINT, linewidth=0.5)
            axis.set_title(TILES[lesson].labels[place % 4], fontsize=8, color=INK, pad=2)
        line[0].set_ylabel(_title(lesson), rotation=0, ha="right", va="center", fontsize=9, color=INK)
    caption = "The ten systems: what stays, what is exchanged, what is drawn, and the right answer."
    described = [f"{_title(lesson)} ({', '.join(TILES[lesson].labels)})" for lesson in lessons]
    return figure_picture(figure, alternative("", caption, Rows=described), caption=caption)
