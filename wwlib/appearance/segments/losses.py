"""What soft segments are asked for in lesson 15: to be sure of every pixel, smooth, and no larger than they must be.

That they lie apart and are compact is asked of their moments, with the two losses of lesson 14.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.appearance.landmarks.losses import separation_loss, trace_loss
from wwlib.appearance.warps import Moments


def entropy_loss(masks: Tensor) -> Tensor:
    """Return the mean entropy of a pixel's shares, nats: 0 where each pixel has one slot, log P where all are equal.

    Args:
        masks: shares of the slots, `[B, P, S, S]`, which add up to 1 in every pixel.
    """
    return -(masks * masks.clamp_min(1e-8).log()).sum(dim=1).mean()


def variation_loss(masks: Tensor) -> Tensor:
    """Return the total variation of masks `[B, P, S, S]` a pixel: the shares that change to the right and below.

    A straight edge between two slots costs 2 for each pixel of its length, divided by all pixels of the picture.
    """
    across = (masks[..., :, 1:] - masks[..., :, :-1]).abs().sum(dim=(1, 2, 3))
    down = (masks[..., 1:, :] - masks[..., :-1, :]).abs().sum(dim=(1, 2, 3))
    return (across + down).mean() / (masks.shape[2] * masks.shape[3])


def area_loss(masks: Tensor) -> Tensor:
    """Return the share of pictures that slots other than slot 0 cover together, for masks `[B, P, S, S]`."""
    return masks[:, 1:].sum(dim=1).mean()


def compactness_losses(slots: Moments, reach: float, spared: int) -> tuple[Tensor, Tensor]:
    """Return the losses of wide slots and of slots that lie on each other.

    Args:
        slots: mean and covariance of each.
        reach: distance below which two slots are too close; the picture is 2 wide.
        spared: how many slots, the first ones, are not asked for anything.
    """
    asked = Moments(*(values[:, spared:] for values in slots))
    return trace_loss(asked), separation_loss(asked, reach)


def hard(masks: Tensor) -> Tensor:
    """Return masks `[B, P, S, S]` with 1 for each pixel's largest share and 0 elsewhere; gradients pass unchanged.

    The gradient of the hard masks is handed to the soft ones as if both were the same (straight-through).
    """
    chosen = torch.zeros_like(masks).scatter_(1, masks.argmax(dim=1, keepdim=True), 1.0)
    return chosen + (masks - masks.detach())  # in this order: 1 + a - a is not exactly 1
