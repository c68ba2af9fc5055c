"""The fusion explorer: choose an expert, a content picture and an exemplar, and see what the image model draws."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.base.device import headless
from wwlib.base.sliders import choice, explorer_frame, png_bytes, show_widget
from wwlib.base.viz import Picture, grid, to_pixels
from wwlib.datasets.domains import STYLE, Domains, outline
from wwlib.flows.translation import Translation, carry
from wwlib.flows.world import World


def condition_pictures(world: World, name: str, factors: Tensor) -> Tensor:
    """Return an expert's answers about pictures as images to look at, `[n, 3, 32, 32]` in [-1, 1].

    A label is a square, filled or not; attributes are an upright digit; logits are grey where the network is unsure.

    Args:
        world: everything frozen.
        name: of the expert.
        factors: of the pictures `[n, 7]`.
    """
    images = Domains().images(factors)
    if name == "attributes":
        upright = factors.clone()
        upright[:, 3:] = torch.tensor([1, 1, 0, 1])
        return Domains().images(upright)
    answers = world.experts[name](images, factors)
    if name == "edges":
        maps = answers[:, 0] * 3
    elif name == "logits":
        maps = torch.sigmoid((answers[:, 1] - answers[:, 0]) / 4)
    else:
        square = F.pad(torch.ones(len(factors), 14, 14), (9, 9, 9, 9))
        maps = square if name == "domain" else answers[:, -1]
        if name != "argmax":
            maps = torch.where(factors[:, STYLE, None, None] == 1, outline(maps), maps)
    return (maps[:, None].expand(-1, 3, -1, -1) * 2 - 1).clamp(-1, 1)


@torch.no_grad()
def fused(world: World, fusion: Translation, name: str, content: Tensor, exemplars: Tensor, seed: int = 0) -> Tensor:
    """Return drawings `[contents, exemplars + 1, 3, 32, 32]` of each content with each exemplar, and with a fresh v.

    Args:
        world: everything frozen.
        fusion: of the expert.
        name: of the expert.
        content: factors of the pictures whose condition counts `[n, 7]`.
        exemplars: factors of the pictures whose v counts `[m, 7]`.
        seed: of the fresh v, one for each content.
    """
    data, expert = Domains(), world.experts[name]
    conditions, exemplar_conditions = (expert(data.images(factors), factors) for factors in (content, exemplars))
    z = world.image_model.encode(data.images(exemplars))[0]
    n, m = len(content), len(exemplars)
    every_exemplar = exemplar_conditions.repeat(n, *(1 for _ in exemplar_conditions.shape[1:]))
    guided = carry(fusion, z.repeat(n, 1), every_exemplar, conditions.repeat_interleave(m, 0))
    drawn = fusion.sample(conditions, torch.Generator().manual_seed(seed))
    return world.image_model.decode(torch.cat([guided.view(n, m, -1), drawn[:, None]], dim=1).flatten(0, 1)).unflatten(
        0, (n, m + 1)
    )


def explore_fusions(world: World, fusions: Mapping[str, Translation], content: Tensor, exemplars: Tensor, side=128):
    """Show sliders that choose expert, content and exemplar, above a strip of content, condition, exemplar and result.

    Every strip is drawn beforehand, as in `wwlib.models.explorer`. The exemplar's last position stands for a v that is
    drawn anew. Where nobody can move sliders, the same call gives a static sheet.

    Args:
        world: everything frozen.
        fusions: by name of the expert.
        content, exemplars: factors of the pictures to choose from, `[n, 7]` and `[m, 7]`.
        side: size of one picture on the page, pixels.

    Returns:
        The sheet: a row for each expert, its first content under every exemplar; the widget is shown above it.
    """
    sheet = fusion_sheet(world, fusions, content[:1], exemplars)
    if headless():
        return sheet
    show_widget(lambda: fusion_widget(world, fusions, content, exemplars, side))
    return sheet


def fusion_widget(
    world: World, fusions: Mapping[str, Translation], content: Tensor, exemplars: Tensor, side: int = 128
):
    """Return the widget that `explore_fusions` shows; it has the same arguments."""
    names, frames = list(fusions), fusion_frames(world, fusions, content, exemplars, side)
    expert, picture = choice("expert", len(names) - 1), choice("content", len(content) - 1)
    exemplar = choice("exemplar", len(exemplars))

    def words() -> str:
        source = "v drawn anew" if exemplar.value == len(exemplars) else f"exemplar {exemplar.value}"
        return f"{world.experts[names[expert.value]].name} of content {picture.value}, {source}."

    return explorer_frame(
        (expert, picture, exemplar),
        lambda: frames[expert.value][picture.value][exemplar.value],
        lambda: ("content", "condition", "exemplar", "result"),
        words,
        side,
    )


def fusion_frames(
    world: World, fusions: Mapping[str, Translation], content: Tensor, exemplars: Tensor, side: int
) -> list[list[list[bytes]]]:
    """Return the PNG bytes of every strip, `[expert][content][exemplar]`; the last exemplar stands for a fresh v."""
    data = Domains()
    none = torch.ones(1, 3, data.resolution, data.resolution)
    shown = to_pixels(data.images(content), side), to_pixels(torch.cat([data.images(exemplars), none]), side)
    frames = []
    for name, fusion in fusions.items():
        condition_pixels = to_pixels(condition_pictures(world, name, content), side)
        results = to_pixels(fused(world, fusion, name, content, exemplars), side)
        frames.append(
            [
                [
                    png_bytes(np.concatenate([shown[0][i], condition_pixels[i], shown[1][j], results[i, j]], axis=1))
                    for j in range(len(exemplars) + 1)
                ]
                for i in range(len(content))
            ]
        )
    return frames


def fusion_sheet(
    world: World, fusions: Mapping[str, Translation], content: Tensor, exemplars: Tensor, side: int = 56
) -> Picture:
    """Return a static sheet for one content picture: exemplars above, then a row for each expert.

    Args:
        world, fusions, exemplars: as `explore_fusions`'s.
        content: factors `[1, 7]`.
        side: size of one picture on the page, pixels.
    """
    data = Domains()
    none = torch.ones(1, 3, data.resolution, data.resolution)
    rows = [torch.cat([data.images(content), data.images(exemplars), none])]
    for name, fusion in fusions.items():
        drawn = fused(world, fusion, name, content, exemplars)[0]
        rows.append(torch.cat([condition_pictures(world, name, content), drawn]))
    labels = ["content, exemplars", *(world.experts[name].name for name in fusions)]
    columns = ["says", *(f"v of {j}" for j in range(len(exemplars))), "anew"]
    alt = (
        "The first row holds a content picture and the exemplars. Each further row shows what one expert says of the "
        "content, then what the image model draws for that with the residual of each exemplar, and with one drawn anew."
    )
    return grid(torch.stack(rows), alt, row_labels=labels, column_labels=columns, side=side)
