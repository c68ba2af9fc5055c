"""What the networks of lessons 12 and 13 share: blocks, a pyramid of features, modulation, noisy codes."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTHS = (16, 32, 48, 64)  # channels at 32, 16, 8 and 4 px
NOISE = -4.0  # log-variance that a code starts with: little noise, so that a decoder can begin to read it


def block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Return a 3 x 3 convolution, group normalisation and SiLU; `stride` 2 halves the resolution."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.GroupNorm(4, outputs), nn.SiLU(inplace=True)
    )


def with_coordinates(images: Tensor) -> Tensor:
    """Return images `[B, C, H, W]` with two more channels that hold x and y of every pixel, from -1 to 1."""
    height, width = images.shape[2:]
    y = torch.linspace(-1, 1, height, device=images.device, dtype=images.dtype)
    x = torch.linspace(-1, 1, width, device=images.device, dtype=images.dtype)
    grid = torch.stack(torch.meshgrid(y, x, indexing="ij")).flip(0)
    return torch.cat([images, grid.expand(len(images), -1, -1, -1)], dim=1)


class Pyramid(nn.Module):
    """Features of images `[B, C, 32, 32]` at 32, 16, 8 and 4 px: `WIDTHS` channels.

    Args:
        channels: C of the images; coordinates are added.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.enter = block(channels + 2, WIDTHS[0])
        self.halve = nn.ModuleList(block(above, below, stride=2) for above, below in pairwise(WIDTHS))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the four maps, the finest first."""
        maps = [self.enter(with_coordinates(images))]
        for halve in self.halve:
            maps.append(halve(maps[-1]))
        return maps


class Modulation(nn.Module):
    """Scale and shift every channel of a map by a code: h (1 + a) + b.

    Args:
        code: length of the code.
        channels: of the map.
    """

    def __init__(self, code: int, channels: int):
        super().__init__()
        self.affine = nn.Linear(code, 2 * channels)

    def forward(self, h: Tensor, code: Tensor) -> Tensor:
        """Return the modulated map `[B, channels, H, W]` for codes `[B, code]`."""
        a, b = self.affine(code)[:, :, None, None].chunk(2, dim=1)
        return h * (1 + a) + b


class Normal(NamedTuple):
    """Independent normal distributions: `mean` and `log_variance` of the same shape."""

    mean: Tensor
    log_variance: Tensor

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """Return one draw from each; the noise comes from where the generator lives, so that a seed means the same."""
        home = self.mean.device if generator is None else generator.device
        noise = torch.randn(self.mean.shape, generator=generator, device=home).to(self.mean.device)
        return self.mean + (0.5 * self.log_variance).exp() * noise


def normal_of(maps: Tensor) -> Normal:
    """Return the distributions that a map `[B, 2C, ...]` describes: C means, C log-variances less `NOISE`."""
    mean, log_variance = maps.float().chunk(2, dim=1)
    return Normal(mean, (log_variance + NOISE).clamp(-12, 6))


def kl(q: Normal, p: Normal | None = None) -> Tensor:
    """Return the divergence KL(q | p) of every row in nats, `[B]`; without `p`, from N(0, 1)."""
    mean, log_variance = q
    if p is None:
        p = Normal(torch.zeros_like(mean), torch.zeros_like(mean))
    surprise = (log_variance.exp() + (mean - p.mean).square()) / p.log_variance.exp()
    return 0.5 * (p.log_variance - log_variance + surprise - 1).flatten(1).sum(dim=1)


def doubled(h: Tensor) -> Tensor:
    """Return a map at twice its resolution, every pixel repeated."""
    return F.interpolate(h, scale_factor=2.0)
