"""The latent explorer: a slider for every code, and beside them the drawing and the mask of the code moved last."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from wwlib.base.device import headless
from wwlib.base.sliders import amount, explorer_frame, png_bytes, show_widget
from wwlib.base.viz import mask_images, to_pixels
from wwlib.models.traversals import ASLEEP, code_masks, row_lengths, traversal, traversal_sheet

STEP = 0.1  # of a slider


def explore(generator, base: Tensor, names: Sequence[str] = (), span: float = 2.0, side: int = 192):
    """Show a slider for every code, beside the drawing and the mask of the code that was moved last.

    The code whose row of the traversal is longest stands first. The picture is drawn when a slider moves, which takes
    some milliseconds, so that codes can be moved together. Where nobody can move sliders (tests, GitHub), the same call
    gives a static sheet.

    Args:
        generator: G.
        base: `[d]`, where the sliders stand at first, rounded to their steps.
        names: labels of the codes.
        span: the sliders run from `-span` to `span`.
        side: size of one picture on the page, pixels.

    Returns:
        A widget, shown above the static sheet; when headless or without ipywidgets, the sheet alone.
    """
    base = on_sliders(base, span)
    alt = (
        f"Traversal of {len(base)} codes, one row each, from {-span:g} to {span:g}; the last column is the code's mask."
    )
    sheet = traversal_sheet(generator, base, alt, names, span)
    if headless():
        return sheet
    show_widget(lambda: explorer_widget(generator, base, names, span, side))
    return sheet


def explorer_widget(generator, base: Tensor, names: Sequence[str] = (), span: float = 2.0, side: int = 192):
    """Return the widget that `explore` shows; it has the same arguments."""
    import ipywidgets as widgets

    order, asleep = by_length(generator, on_sliders(base, span), span)
    start = on_sliders(base, span).tolist()
    titles = [f"code {k}" + (f": {names[k]}" if names else "") for k in range(len(start))]
    sliders = {k: amount(titles[k] + " (asleep)" * asleep[k], start[k], span, STEP) for k in order}
    last = [order[0]]

    def note(code: int, change: dict) -> None:
        if abs(change["new"] - change["old"]) > STEP / 2:  # the page corrects a value by a rounding error
            last[0] = code

    for code, slider in sliders.items():
        slider.observe(partial(note, code), names="value")

    def picture() -> bytes:
        return drawing(generator, torch.tensor([sliders[k].value for k in range(len(start))]), last[0], side)

    def words() -> str:
        moved = [
            f"{titles[k]} to {sliders[k].value:+.1f}" for k in order if abs(sliders[k].value - start[k]) > STEP / 2
        ]
        return f"Moved: {', '.join(moved)}." if moved else "No code is moved."

    def back(button) -> None:
        for code, slider in sliders.items():
            slider.value = start[code]

    again = widgets.Button(description="back to the start")
    again.on_click(back)
    return explorer_frame(
        list(sliders.values()), picture, lambda: ("drawing", f"mask of {titles[last[0]]}"), words, side, [again]
    )


def on_sliders(base: Tensor, span: float = 2.0) -> Tensor:
    """Return codes `[..., d]` moved to positions that sliders have: multiples of 0.1 from `-span` to `span`."""
    return ((base / STEP).round() * STEP).clamp(-span, span)


def by_length(generator, base: Tensor, span: float = 2.0) -> tuple[list[int], list[bool]]:
    """Return the codes in the order of how far the picture moves along their rows, and which codes are asleep."""
    lengths = row_lengths(traversal(generator, base, span).clamp(-1, 1))
    return lengths.argsort(descending=True).tolist(), (lengths < ASLEEP).tolist()


@torch.no_grad()
def drawing(generator, codes: Tensor, code: int, side: int) -> bytes:
    """Return the drawing of codes `[d]`, with the mask of one code on its right, as PNG."""
    image = generator(codes[None], generator.sample_noise(1, torch.Generator().manual_seed(0)))[0]
    mask = mask_images(code_masks(generator, codes[None])[0, code], generator.resolution, stretch=True)
    return png_bytes(np.concatenate([to_pixels(image, side), to_pixels(mask, side)], axis=1))


@torch.no_grad()
def calmest(generator, candidates: Tensor, span: float = 2.0) -> Tensor:
    """Return the codes `[d]` of `candidates` `[n, d]` whose drawing is least colourful, at positions of sliders."""
    candidates = on_sliders(candidates, span)
    noise = generator.sample_noise(len(candidates), torch.Generator().manual_seed(0))
    return candidates[colourfulness(generator(candidates, noise).clamp(-1, 1)).argmin()]


def colourfulness(images: Tensor) -> Tensor:
    """Return how colourful images `[n, 3, H, W]` in [-1, 1] look, `[n]`: 0 for grey ones, above 100 for garish ones.

    The spread of the pixels along the axes red to green and yellow to blue, and 0.3 times the distance of their mean
    from grey (Hasler and Suesstrunk 2003, M3).
    """
    red, green, blue = ((images + 1) * 127.5).flatten(2).unbind(1)
    axes = torch.stack([red - green, (red + green) / 2 - blue])
    return axes.var(dim=2).sum(dim=0).sqrt() + 0.3 * axes.mean(dim=2).square().sum(dim=0).sqrt()
