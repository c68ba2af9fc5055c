"""Measures of a transfer whose right answer is known: distance to it, colours by part, and what a code gives away."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def psnr(images: Tensor, targets: Tensor) -> float:
    """Return the peak signal-to-noise ratio of pictures `[n, C, H, W]` in [-1, 1], in dB; 0 dB is an error of 2."""
    return float(10 * (4 / (images - targets).square().mean()).log10())


def part_colours(images: Tensor, footprint: Tensor) -> Tensor:
    """Return the mean colour of every part, `[n, parts, 3]`.

    Args:
        images: `[n, 3, H, W]`.
        footprint: share of every pixel that shows each part, `[n, parts, H, W]`.
    """
    total = torch.einsum("nchw,nphw->npc", images, footprint)
    return total / footprint.sum(dim=(2, 3)).clamp_min(1e-6)[:, :, None]


def colour_r2(images: Tensor, targets: Tensor, footprint: Tensor) -> list[float]:
    """Return, for each part, how well its mean colour in `images` follows that in `targets`: R^2, 1 for equal.

    A part that is grey whatever the target gives about 0. Pictures that show less than three pixels of a part are left
    out of its value.

    Args:
        images, targets: `[n, 3, H, W]`.
        footprint: of the targets, `[n, parts, H, W]`.
    """
    seen, true = part_colours(images, footprint), part_colours(targets, footprint)
    enough = footprint.sum(dim=(2, 3)) >= 3
    values = []
    for part in range(footprint.shape[1]):
        s, t = seen[enough[:, part], part], true[enough[:, part], part]
        values.append(float(1 - (s - t).square().sum() / (t - t.mean(dim=0)).square().sum()))
    return values


def colour_spread(images: Tensor, targets: Tensor, footprint: Tensor) -> list[float]:
    """Return, for each part, the spread of its mean colour over pictures, over that in the targets."""
    seen, true = part_colours(images, footprint), part_colours(targets, footprint)
    ratio = seen.std(dim=0).square().sum(dim=1) / true.std(dim=0).square().sum(dim=1)
    return ratio.sqrt().tolist()


def probe(codes: Tensor, targets: Tensor, train: int) -> tuple[float, float]:
    """Return how well codes predict targets on rows that were not learned from: R^2 of a linear and an RBF probe.

    Both are ridge regressions. Strength of the penalty and width of the kernel are chosen on the last quarter of the
    learned rows. R^2 is over all columns together; below 0 is worse than the mean.

    Args:
        codes: `[n, ...]`, drawn with their noise: the means would give away what noise hides from the decoder.
        targets: `[n, ...]`.
        train: rows to learn from; the rest are scored.
    """
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import Ridge

    x, t = (values.flatten(1).double().cpu().numpy() for values in (codes, targets))
    x = (x - x[:train].mean(axis=0)) / (x[:train].std(axis=0) + 1e-9)
    middle = t[:train].mean(axis=0)
    t = t - middle
    linear = [lambda a=a: Ridge(alpha=a) for a in (1.0, 10.0, 100.0, 1000.0)]
    curved = [
        lambda a=a, width=width: KernelRidge(alpha=a, kernel="rbf", gamma=width / x.shape[1])
        for a in (0.01, 0.1, 1.0)
        for width in (0.1, 0.5)
    ]
    fitted = train * 3 // 4

    def best(makers) -> float:
        chosen = max(makers, key=lambda make: _r2(make().fit(x[:fitted], t[:fitted]), x[fitted:train], t[fitted:train]))
        return _r2(chosen().fit(x[:train], t[:train]), x[train:], t[train:])

    return best(linear), best(curved)


def _r2(model, x: np.ndarray, targets: np.ndarray) -> float:
    return float(1 - np.square(model.predict(x) - targets).sum() / np.square(targets - targets.mean(axis=0)).sum())


def in_batches(function: Callable[..., Tensor], *images: Tensor) -> Tensor:
    """Return what a function gives for pictures, 100 of them at a time."""
    return torch.cat([function(*some) for some in zip(*(each.split(100) for each in images), strict=True)])
