"""The latent explorer: choose a code, move a slider, see what changes and where."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from wwlib.base.device import headless
from wwlib.base.viz import mask_images, png_bytes, show_widget, swapping_picture, to_pixels
from wwlib.models.traversals import code_masks, traversal, traversal_sheet


def explore(generator, base: Tensor, names: Sequence[str] = (), span: float = 2.0, steps: int = 13, side: int = 224):
    """Show sliders that choose a code and its value, above the image and the code's mask.

    Every frame is drawn beforehand, so moving a slider only swaps a picture, also where each move is a round trip to a
    distant machine. Where nobody can move sliders (tests, GitHub), the same call gives a static sheet.

    Args:
        generator: G.
        base: `[d]`, the codes from which each code in turn moves.
        names: labels of the codes.
        span, steps: range and positions of the slider.
        side: size of one picture on the page, pixels.

    Returns:
        A widget, shown above the static sheet; when headless or without ipywidgets, the sheet alone.
    """
    alt = (
        f"Traversal of {len(base)} codes, one row each, from {-span:g} to {span:g}; the last column is the code's mask."
    )
    sheet = traversal_sheet(generator, base, alt, names, span)
    if headless():
        return sheet
    show_widget(lambda: explorer_widget(generator, base, names, span, steps, side))
    return sheet


def explorer_widget(
    generator, base: Tensor, names: Sequence[str] = (), span: float = 2.0, steps: int = 13, side: int = 224
):
    """Return the widget that `explore` shows; it has the same arguments.

    Raises:
        ValueError: if there are fewer than two steps.
    """
    import ipywidgets as widgets

    if steps < 2:
        raise ValueError(f"steps must be at least 2, got {steps}")

    frames = explorer_frames(generator, base, span, steps, side)
    values, gap = np.linspace(-span, span, steps, retstep=True)
    # A slider, since in JupyterLab the arrow keys on a dropdown move to another cell of the notebook.
    code = widgets.IntSlider(0, min=0, max=len(frames) - 1, description="code")
    value = widgets.FloatSlider(
        values[steps // 2], min=-span, max=span, step=gap, description="value", readout_format="+.2f"
    )
    name = widgets.Label(names[0] if names else "")
    if names:
        code.observe(lambda change: setattr(name, "value", names[code.value]), names="value")
    nearest = lambda: frames[code.value][np.abs(values - value.value).argmin()]  # noqa: E731  (typed: between steps)
    return widgets.VBox([widgets.HBox([code, name]), value, swapping_picture([code, value], nearest, 2 * side)])


@torch.no_grad()
def explorer_frames(generator, base: Tensor, span: float, steps: int, side: int) -> list[list[bytes]]:
    """Return the PNG bytes of every frame, `[code][step]`: the image with the code's mask on its right."""
    images = to_pixels(traversal(generator, base, span, steps), side)
    masks = to_pixels(mask_images(code_masks(generator, base[None])[0], generator.resolution, stretch=True), side)
    return [
        [png_bytes(np.concatenate([frame, mask], axis=1)) for frame in row]
        for row, mask in zip(images, masks, strict=True)
    ]
