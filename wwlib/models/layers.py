"""Building blocks of the three networks: equalised layers, up and down sampling, and the blocks made of them.

Equalised learning rate (Karras et al. 2018): weights start as N(0, 1) and are scaled when used, so that Adam's
step means the same in every layer. The gain sqrt(2) of the leaky ReLU sits in that scale, since
`lrelu(g x) = g lrelu(x)` for g > 0: one pass over memory less.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.2


def leaky(x: Tensor) -> Tensor:
    """Apply a leaky ReLU with slope 0.2 to `x` in place, and return it; nothing else may need the old values."""
    return F.leaky_relu_(x, SLOPE)


class EqualisedLinear(nn.Module):
    """Linear layer whose N(0, 1) weights are scaled by `gain / sqrt(inputs)` at run time.

    Args:
        inputs, outputs: widths.
        gain: sqrt(2) before a leaky ReLU, 1 before none.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.gain = gain
        self.scale = gain * inputs**-0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.gain)


class EqualisedConv(nn.Module):
    """Convolution with equalised weights that can also double ("up") or halve ("down") the resolution.

    Nearest-neighbour doubling followed by a k x k convolution equals one transposed convolution of stride 2 whose
    kernel is the k x k kernel summed over a 2 x 2 box. "up" computes the latter, with less than half of the products.
    "down" has a 4 x 4 kernel of stride 2. (Averaging 2 x 2 pixels here, before any nonlinearity, would cancel the
    finest texture exactly, and the discriminator would never notice pixel noise that a generator draws.)

    Args:
        inputs, outputs: channels.
        kernel: odd kernel side; "down" always has 4.
        resample: "keep", "up" or "down".
        gain: sqrt(2) before a leaky ReLU, 1 before none.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, resample: str = "keep", gain: float = 2**0.5):
        super().__init__()
        if resample not in ("keep", "up", "down"):
            raise ValueError(f"resample must be 'keep', 'up' or 'down', got {resample!r}")
        kernel = 4 if resample == "down" else kernel
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.resample, self.gain = resample, gain
        self.scale = gain * (inputs * kernel * kernel) ** -0.5

    def forward(self, x: Tensor) -> Tensor:
        weight, bias = self.weight * self.scale, self.bias * self.gain
        padding = (weight.shape[-1] - 1) // 2
        if self.resample == "up":
            weight = box_sum(weight).flip(2, 3).transpose(0, 1)
            return F.conv_transpose2d(x, weight, bias, stride=2, padding=padding)
        if self.resample == "down":
            return F.conv2d(x, weight, bias, stride=2, padding=padding)
        return F.conv2d(x, weight, bias, padding=padding)


def box_sum(kernel: Tensor) -> Tensor:
    """Return `[..., k + 1, k + 1]`: the kernel `[..., k, k]` convolved with a 2 x 2 box of ones."""
    padded = F.pad(kernel, (1, 1, 1, 1))
    return padded[..., 1:, 1:] + padded[..., :-1, 1:] + padded[..., 1:, :-1] + padded[..., :-1, :-1]


class ResConv(nn.Module):
    """`ResConv-up/id/down`: the sum of `layers` 3 x 3 convolutions and a 1 x 1 skip connection.

    The skip's 1 x 1 convolution runs at the smaller resolution. The order does not matter for nearest-neighbour
    upsampling (nor, up to the activation, for average pooling), so a quarter of the work gives the same map.

    Args:
        inputs, outputs: channels.
        resample: "keep", "up" or "down".
        layers: convolutions in the main path; the first one resamples.
    """

    def __init__(self, inputs: int, outputs: int, resample: str = "keep", layers: int = 1):
        super().__init__()
        self.resample = resample
        first = EqualisedConv(inputs, outputs, resample=resample)
        self.main = nn.ModuleList([first, *(EqualisedConv(outputs, outputs) for _ in range(layers - 1))])
        self.skip = EqualisedConv(inputs, outputs, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        skip = x
        if self.resample == "down":
            skip = F.avg_pool2d(skip, 2)
        skip = leaky(self.skip(skip))
        if self.resample == "up":
            skip = F.interpolate(skip, scale_factor=2, mode="nearest")
        for conv in self.main:
            x = leaky(conv(x))
        return x + skip


class NoiseConv(nn.Module):
    """`Noise-1`: a 3 x 3 convolution plus one channel of noise, the same for all channels, with a learned strength.

    Args:
        inputs, outputs: channels.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.conv = EqualisedConv(inputs, outputs)
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        return leaky(self.conv(x) + self.strength * noise)


class GlobalStyle(nn.Module):
    """`C_global-n`: codes without masks, which restyle the whole feature map (the ablation of "where").

    A 3 x 3 convolution whose weights are modulated by the codes and demodulated (Karras et al. 2020).

    Args:
        channels: channels in and out.
        codes: number of codes n.
    """

    def __init__(self, channels: int, codes: int):
        super().__init__()
        self.codes = codes
        self.style = EqualisedLinear(codes, channels)
        self.weight = nn.Parameter(torch.randn(channels, channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.scale = (channels * 9) ** -0.5

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        style = 1 + self.style(code)
        weight = self.weight * self.scale
        energy = torch.einsum("oikl,bi->bo", weight.square(), style.square())
        x = F.conv2d(x * style[:, :, None, None], weight, padding=1)
        x = x * (energy + 1e-8).rsqrt()[:, :, None, None] * 2**0.5
        return leaky(x + self.bias[:, None, None])


class MinibatchDeviation(nn.Module):
    """Append one channel that says how much the images of a group differ from each other (Karras et al. 2018).

    Groups are runs of neighbours in the batch, so real and generated images can share one call without mixing, as long
    as each kind comes in whole groups (`Config` asks for a batch that is a multiple of 4).

    Args:
        group: images in a group; a batch is split into equal groups no larger than this.
    """

    def __init__(self, group: int = 4):
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        group = max(size for size in range(1, self.group + 1) if batch % size == 0)
        # in float16, 1e-8 would be 0, and the slope of the root infinite where the images of a group are equal
        groups = x.reshape(batch // group, group, -1)
        groups = groups.float() if x.dtype in (torch.float16, torch.bfloat16) else groups
        deviation = (groups.var(dim=1, unbiased=False) + 1e-8).sqrt().mean(dim=1).to(x.dtype)
        return torch.cat([x, deviation.repeat_interleave(group).view(-1, 1, 1, 1).expand(-1, 1, height, width)], dim=1)
