"""The three networks of Part I: a generator built from the paper's module list, a discriminator and a recogniser."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from wwlib.models.layers import (
    EqualisedConv,
    EqualisedLinear,
    GlobalStyle,
    MinibatchDeviation,
    NoiseConv,
    ResConv,
    leaky,
)
from wwlib.models.masks import SpatialConstriction

RESAMPLE = {"up": "up", "id": "keep", "down": "down"}


class Generator(nn.Module):
    """G: codes to images, `[B, d]` to `[B, channels, H, W]`, roughly in [-1, 1] (no output activation).

    Args:
        modules: the paper's module list: `Const-C` (learned 4 x 4 map of C channels), `ResConv-up-L`, `ResConv-id-L`,
            `Noise-L` (L convolutions with noise), `C_spgroup-J-n` (Spatial Constriction: J rectangles, n codes),
            `C_global-n` (no mask). `ResConv-id-1@64` has 64 channels, and so has what follows at that resolution:
            the paper lets channels follow the position in the list.
        widths: channels at each resolution, such as `{8: 64, 16: 32, 32: 16}`.
        channels: image channels.

    Raises:
        ValueError: for an unknown or misplaced token, or a resolution without a width.
    """

    def __init__(self, modules: tuple[str, ...], widths: dict[int, int], channels: int = 3):
        super().__init__()
        self.const = nn.Parameter(torch.randn(1, first_channels(modules), 4, 4))
        self.blocks, self.noise_resolutions = nn.ModuleList(), []
        width, self.resolution, widths = self.const.shape[1], 4, dict(widths)
        for token in single_layers(modules[1:]):
            name, outputs, self.resolution = read_token(token, width, self.resolution, widths)
            self.blocks.append(make_block(name, width, outputs, self.resolution))
            self.noise_resolutions += [self.resolution] * isinstance(self.blocks[-1], NoiseConv)
            width = outputs
        self.to_image = EqualisedConv(width, channels, kernel=1, gain=1.0)
        self.codes = count_codes(modules)

    def forward(self, codes: Tensor, noise: list[Tensor] | None = None, return_masks: bool = False):
        """Return images; with `return_masks` also one mask `[B, n, R, R]` per Spatial Constriction module.

        Args:
            codes: `[B, d]`; low positions act at coarse resolutions.
            noise: as `sample_noise` gives it; drawn afresh when left out.
            return_masks: also return the masks.
        """
        if codes.dim() != 2 or codes.shape[1] != self.codes:
            raise ValueError(f"codes must be [B, {self.codes}], got {tuple(codes.shape)}")
        noise = iter(self.sample_noise(len(codes), device=codes.device) if noise is None else noise)
        x = self.const.expand(len(codes), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        parts = iter(codes.split([block.codes for block in self.blocks if hasattr(block, "codes")], dim=1))
        masks = []
        for block in self.blocks:
            if isinstance(block, SpatialConstriction):
                x, mask = block(x, next(parts), return_masks=True)
                masks.append(mask)
            elif isinstance(block, GlobalStyle):
                x = block(x, next(parts))
            elif isinstance(block, NoiseConv):
                x = block(x, next(noise))
            else:
                x = block(x)
        images = self.to_image(x)
        return (images, masks) if return_masks else images

    def sample_noise(self, batch: int, generator: torch.Generator | None = None, device=None) -> list[Tensor]:
        """Draw the noise maps `[B, 1, R, R]`, one for each Noise layer."""
        maps = [torch.randn(batch, 1, side, side, generator=generator) for side in self.noise_resolutions]
        return [one.to(device or self.const.device) for one in maps]


def count_codes(modules: tuple[str, ...]) -> int:
    """Return how many codes a module list consumes: the sum of n over its `C_spgroup-J-n` and `C_global-n`."""
    return sum(int(token.rsplit("-", 1)[1]) for token in modules if token.startswith("C_"))


def first_channels(modules: tuple[str, ...]) -> int:
    """Return the channels of the learned map that a module list begins with.

    Raises:
        ValueError: if it begins with anything else.
    """
    start = re.fullmatch(r"Const-(\d+)", modules[0]) if modules else None
    if not start:
        raise ValueError(f"modules must begin with 'Const-<channels>', got {modules[:1]}")
    return int(start[1])


def single_layers(modules: tuple[str, ...]) -> list[str]:
    """Return the list with every `Noise-L` written as L times `Noise-1`; channels after an `@` stay."""
    layers = []
    for token in modules:
        noise = re.fullmatch(r"Noise-([1-9]\d*)(@\d+)?", token)
        layers += [f"Noise-1{noise[2] or ''}"] * int(noise[1]) if noise else [token]
    return layers


def read_token(token: str, width: int, resolution: int, widths: dict[int, int]) -> tuple[str, int, int]:
    """Return a token without its channels, and the channels and the resolution after its block.

    Channels after an `@` replace those of the resolution in `widths`.

    Args:
        token: of a module list, with one layer.
        width, resolution: channels and resolution before its block.
        widths: channels at each resolution.

    Raises:
        ValueError: for misplaced channels, or a resolution without a width.
    """
    name, _, channels = token.partition("@")
    resolution *= 2 if name.startswith("ResConv-up") else 1
    convolves = name.startswith(("ResConv-", "Noise-"))
    if channels and not (convolves and channels.isdecimal()):
        raise ValueError(f"modules: only ResConv and Noise take channels, as in Noise-1@64, got {token!r}")
    if channels:
        widths[resolution] = int(channels)
    if name.startswith("ResConv-") and resolution not in widths and resolution != 4:
        raise ValueError(f"widths must name resolution {resolution}, got {sorted(widths)}")
    return name, widths.get(resolution, width) if convolves else width, resolution


def make_block(token: str, inputs: int, outputs: int, resolution: int) -> nn.Module:
    """Build the block that a token names; codes leave the number of channels as it is.

    Args:
        token: `ResConv-up-L`, `ResConv-id-L`, `Noise-1`, `C_spgroup-J-n` or `C_global-n`.
        inputs, outputs: channels before and after it.
        resolution: side of the map after it.

    Raises:
        ValueError: for another token.
    """
    if match := re.fullmatch(r"ResConv-(up|id)-(\d+)", token):
        return ResConv(inputs, outputs, RESAMPLE[match[1]], layers=int(match[2]))
    if match := re.fullmatch(r"C_spgroup-(\d+)-(\d+)", token):
        return SpatialConstriction(inputs, resolution, codes=int(match[2]), rectangles=int(match[1]))
    if match := re.fullmatch(r"C_global-(\d+)", token):
        return GlobalStyle(inputs, codes=int(match[1]))
    if token == "Noise-1":
        return NoiseConv(inputs, outputs)
    raise ValueError(f"modules: {token!r} is none of ResConv-up-L, ResConv-id-L, Noise-L, C_spgroup-J-n, C_global-n")


class Trunk(nn.Module):
    """Convolutions from images to a feature vector; discriminator and recogniser have one each, of the same form.

    Args:
        resolution: image side, pixels; a power of two from 8.
        widths: channels after each halving: `{16: 32, 8: 64, 4: 128}` for 32 px images.
        residual: add a residual 3 x 3 convolution at each of these resolutions.
        features: length of the feature vector.
        channels: image channels.
        deviation: append the minibatch deviation (discriminator only, since it depends on the batch's other images).
    """

    def __init__(
        self,
        resolution: int,
        widths: dict[int, int],
        residual: tuple[int, ...] = (),
        features: int = 128,
        channels: int = 3,
        deviation: bool = False,
    ):
        super().__init__()
        if resolution < 8 or resolution & (resolution - 1):
            raise ValueError(f"resolution must be a power of two from 8, got {resolution}")
        self.expected = (channels, resolution, resolution)
        self.blocks = nn.ModuleList()
        width, side = channels, resolution
        while side > 4:
            side //= 2
            if side not in widths:
                raise ValueError(f"widths must name resolution {side}, got {sorted(widths)}")
            self.blocks.append(EqualisedConv(width, widths[side], resample="down"))
            width = widths[side]
            if side in residual:
                self.blocks.append(Residual(width))
        self.deviation = MinibatchDeviation() if deviation else None
        self.final = EqualisedLinear((width + deviation) * 16, features, gain=2**0.5)

    def forward(self, images: Tensor) -> Tensor:
        if images.dim() != 4 or tuple(images.shape[1:]) != self.expected:
            sizes = ", ".join(map(str, self.expected))
            raise ValueError(f"images must be [B, {sizes}], got {tuple(images.shape)}")
        x = images
        for block in self.blocks:
            x = block(x) if isinstance(block, Residual) else leaky(block(x))
        if self.deviation:
            x = self.deviation(x)
        return leaky(self.final(x.flatten(1)))


class Residual(nn.Module):
    """`(x + lrelu(conv(x))) / sqrt(2)` at one resolution."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = EqualisedConv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return (x + leaky(self.conv(x))) * 0.5**0.5


class Discriminator(nn.Module):
    """D: images `[B, C, H, W]` to one logit each `[B]`, high for real. Arguments as `Trunk`'s."""

    def __init__(self, resolution: int, widths: dict[int, int], residual: tuple[int, ...] = (), **options):
        super().__init__()
        self.trunk = Trunk(resolution, widths, residual, deviation=True, **options)
        self.head = EqualisedLinear(self.trunk.final.weight.shape[0], 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.trunk(images))[:, 0]


class Recogniser(nn.Module):
    """Q: images `[B, C, H, W]` to the codes they were made from `[B, d]`. Arguments as `Trunk`'s.

    The minibatch deviation is off: a code must not depend on the other images of the batch.
    """

    def __init__(self, codes: int, resolution: int, widths: dict[int, int], residual: tuple[int, ...] = (), **options):
        super().__init__()
        self.trunk = Trunk(resolution, widths, residual, **options)
        self.head = EqualisedLinear(self.trunk.final.weight.shape[0], codes)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.trunk(images))
