"""Traversals and masks of a generator, and the sheet that shows both, with one row for each code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wwlib.base.viz import Picture, grid, mask_images
from wwlib.models.interface import GeneratorLike
from wwlib.models.layers import GlobalStyle
from wwlib.models.masks import SpatialConstriction
from wwlib.models.networks import Generator

ASLEEP = 0.1  # length of a row; along a shorter one nobody sees anything move


def has_masks(generator) -> bool:
    """Return whether a generator has a Spatial Constriction module; an autoencoder's decoder never has one."""
    return any(isinstance(block, SpatialConstriction) for block in getattr(generator, "blocks", ()))


@torch.no_grad()
def traversal(generator: GeneratorLike, base: Tensor, span: float = 2.0, steps: int = 7, noise=None) -> Tensor:
    """Return frames `[d, steps, C, H, W]` in which each code in turn runs from -span to span, the others at `base`."""
    d = base.shape[0]
    codes = base.repeat(d, steps, 1)
    values = torch.linspace(-span, span, steps, device=base.device)
    for k in range(d):
        codes[k, :, k] = values
    noise = generator.sample_noise(1, torch.Generator().manual_seed(0)) if noise is None else noise
    # a few at a time, since all frames of a large generator at once need more memory than its training
    parts = [
        generator(some, [n.expand(len(some), -1, -1, -1) for n in noise]) for some in codes.flatten(0, 1).split(16)
    ]
    return torch.cat(parts).unflatten(0, (d, steps))


@torch.no_grad()
def code_masks(generator: Generator, codes: Tensor, resolution: int | None = None, noise=None) -> Tensor:
    """Return every code's mask `[B, d, R, R]` at one resolution R; all ones for a code without a mask (`C_global`).

    Args:
        generator: G.
        codes: `[B, d]`.
        resolution: R; the generator's own if left out.
        noise: as `sample_noise` gives it: masks after a Noise layer depend on it. Seed 0 if left out.
    """
    resolution = resolution or generator.resolution
    if noise is None:
        noise = generator.sample_noise(len(codes), torch.Generator().manual_seed(0))
    _, masks = generator(codes, noise, return_masks=True)
    masks = iter(masks)
    everywhere = codes.new_ones(len(codes), 1, resolution, resolution)
    parts = []
    for block in generator.blocks:
        if isinstance(block, SpatialConstriction):
            parts.append((mask_images(next(masks), resolution)[:, :, 0] + 1) / 2)
        elif isinstance(block, GlobalStyle):
            parts.append(everywhere.expand(-1, block.codes, -1, -1))
    return torch.cat(parts, dim=1)


def row_lengths(frames: Tensor) -> Tensor:
    """Return how far the picture moves along each row `[d]`: the distances of neighbouring frames, added up.

    A distance is the root of the mean squared difference of two pictures in [-1, 1], so that of black to white is 2.

    Args:
        frames: `[d, steps, C, H, W]`, as `traversal` gives them.
    """
    return (frames[:, 1:] - frames[:, :-1]).square().mean(dim=(2, 3, 4)).sqrt().sum(dim=1)


def traversal_sheet(
    generator: Generator,
    base: Tensor,
    alt: str = "",
    names: Sequence[str] = (),
    span: float = 2.0,
    steps: int = 7,
    caption: str = "",
) -> Picture:
    """Show every code's traversal ("what") and its mask, stretched to full contrast ("where"), side by side.

    The longest row comes first. A row along which the picture hardly moves is called asleep, since its stretched mask
    looks like any other.

    Args:
        generator: G.
        base: `[d]`, the codes from which each code in turn moves.
        alt: what the picture shows; left out, it is the caption and the labels.
        names: labels of the codes.
        span, steps: of the traversal.
        caption: a short text below the picture.

    Raises:
        ValueError: if there is neither an alt text nor a caption.
    """
    frames = traversal(generator, base, span, steps)
    masks = code_masks(generator, base[None])[0]
    masks = mask_images(masks, frames.shape[-1], stretch=True).expand(-1, frames.shape[2], -1, -1)
    lengths = row_lengths(frames.clamp(-1, 1))
    order = lengths.argsort(descending=True)
    named = [f"{k}" + (f"  {names[k]}" if names else "") for k in range(len(frames))]
    labels = [named[k] + (" (asleep)" if lengths[k] < ASLEEP else "") for k in order]
    values = [f"{v:+.1f}" for v in np.linspace(-span, span, steps)]
    rows = torch.cat([frames, masks[:, None]], dim=1)[order]
    return grid(rows, alt, row_labels=labels, column_labels=[*values, "mask"], caption=caption)
