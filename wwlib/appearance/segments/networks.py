"""The four networks of lesson 15: from a picture to a shape code, to masks, to looks, and back to a picture."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from wwlib.appearance.blocks import WIDTHS, Normal, Pyramid, block, doubled, normal_of

SIDE, CHANNELS, GLOBAL = 4, 16, 32  # side and channels of the shape code; length of one that has no places
LOOK = 12  # averages under a mask: red, green, blue and nine features
DRAWN = (64, 64, 48, 32, 24)  # channels of the mask decoder, at 4, 4, 8, 16 and 32 px


class ShapeEncoder(nn.Module):
    """Reads the shape code: 16 numbers and their noise at each of 4 x 4 places, from a picture and its coordinates.

    Args:
        channels: numbers at each place; 0 for 32 numbers of the whole picture.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.pyramid, self.more = Pyramid(3), block(WIDTHS[3], WIDTHS[3])
        outputs = 2 * (channels or GLOBAL)
        self.head = (
            nn.Conv2d(WIDTHS[3], outputs, 1)
            if channels
            else nn.Sequential(nn.Flatten(), nn.Linear(WIDTHS[3] * SIDE**2, outputs))
        )

    def forward(self, images: Tensor) -> Normal:
        """Return the distributions of the codes, `[B, channels, 4, 4]` or `[B, 32]`, of images `[B, 3, 32, 32]`."""
        return normal_of(self.head(self.more(self.pyramid(images)[-1])))


class MaskDecoder(nn.Module):
    """Draws the slots' logits at 32 px from a shape code and nothing else.

    Args:
        slots: how many.
        channels: of the shape code; 0 for 32 numbers without places.
    """

    def __init__(self, slots: int, channels: int):
        super().__init__()
        self.spread = None if channels else nn.Linear(GLOBAL, CHANNELS * SIDE**2)
        self.blocks = nn.ModuleList(block(a, b) for a, b in pairwise((channels or CHANNELS, *DRAWN)))
        self.draw = nn.Conv2d(DRAWN[-1], slots, 3, padding=1)
        with torch.no_grad():
            self.draw.weight.mul_(2)

    def forward(self, code: Tensor) -> Tensor:
        """Return logits `[B, P, 32, 32]` of shape codes."""
        h = code if self.spread is None else self.spread(code).unflatten(1, (CHANNELS, SIDE, SIDE))
        for k, step in enumerate(self.blocks):
            h = step(doubled(h) if k > 1 else h)  # the first two blocks are at 4 px
        return self.draw(h).float()


class LookReader(nn.Module):
    """Averages of a picture under each mask: three colours and nine features of one map that all slots share."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(block(3, 16), nn.Conv2d(16, LOOK - 3, 3, padding=1))

    def forward(self, images: Tensor, masks: Tensor) -> Tensor:
        """Return the looks `[B, P, 12]` of images `[B, 3, 32, 32]` under masks `[B, P, 32, 32]`."""
        return pooled(torch.cat([images, self.features(images).float()], dim=1), masks)


def pooled(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the mean of maps `[B, C, S, S]` under every mask, `[B, P, C]`.

    A mask with less than one pixel gives less than the mean, and an empty one 0: no division by almost nothing.

    Args:
        maps: to be averaged.
        masks: shares of the slots, `[B, P, S, S]`.
    """
    with torch.autocast(maps.device.type, enabled=False):
        total = masks.flatten(2) @ maps.flatten(2).transpose(1, 2)
    return total / masks.sum(dim=(2, 3)).clamp_min(1)[..., None]


def painted(looks: Tensor, masks: Tensor) -> Tensor:
    """Return each pixel's look, `[B, C, S, S]`: the looks `[B, P, C]` in the shares of masks `[B, P, S, S]`."""
    with torch.autocast(looks.device.type, enabled=False):
        return (looks.transpose(1, 2) @ masks.flatten(2)).unflatten(2, masks.shape[2:])


class Decoder(nn.Module):
    """Draws a picture from masks and painted looks: the painted colours, and what one 3 x 3 convolution adds.

    Its field of view is 3 pixels: more would let it draw parts that no mask shows.

    Args:
        slots: how many.
    """

    def __init__(self, slots: int):
        super().__init__()
        self.add = nn.Sequential(
            nn.Conv2d(slots + LOOK, 32, 3, padding=1), nn.SiLU(), nn.Conv2d(32, 32, 1), nn.SiLU(), nn.Conv2d(32, 3, 1)
        )

    def forward(self, masks: Tensor, looks: Tensor) -> Tensor:
        """Return pictures `[B, 3, 32, 32]` for masks `[B, P, 32, 32]` and looks `[B, P, 12]`."""
        paint = painted(looks, masks)
        return paint[:, :3] + self.add(torch.cat([masks, paint], dim=1)).float()
