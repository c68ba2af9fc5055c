"""A direct port of the official PS-SC step, to compare speeds with; it is not slowed on purpose.

It paints one code after another in the Spatial Constriction module, resamples with FIR filters, has bias and activation
as separate steps, calls the discriminator separately for real and generated images, and loops over codes in the loss.
Module list, channels, batch and data are those of the shipped 32 px configuration; discriminator and recogniser have
the official residual trunk.
"""

from __future__ import annotations

import copy
import re

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.models.config import Config
from wwlib.models.masks import rectangle_masks

FIR = torch.tensor([1.0, 3.0, 3.0, 1.0])


def fir_filter(x: Tensor, gain: float, padding: tuple[int, int]) -> Tensor:
    """Filter every channel with the separable [1, 3, 3, 1] kernel."""
    kernel = torch.outer(FIR, FIR) / FIR.sum() ** 2 * gain
    weight = kernel.to(x)[None, None].expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.pad(x, (*padding, *padding)), weight, groups=x.shape[1])


class Conv(nn.Module):
    """Equalised convolution, then bias, then leaky ReLU with gain sqrt(2)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, resample: str = "keep"):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.resample, self.scale = resample, (inputs * kernel * kernel) ** -0.5

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight * self.scale
        if self.resample == "up":
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2)
            x = fir_filter(x, 4.0, (1, 1))
        elif self.resample == "down":
            padding = (2, 2) if weight.shape[-1] == 3 else (1, 1)
            x = F.conv2d(fir_filter(x, 1.0, padding), weight, stride=2)
        else:
            x = F.conv2d(x, weight, padding=weight.shape[-1] // 2)
        return F.leaky_relu(x + self.bias[:, None, None], 0.2) * 2**0.5


class Linear(nn.Module):
    """Equalised linear layer."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(outputs, inputs)), nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.weight.shape[1] ** -0.5, self.bias)


class SequentialConstriction(nn.Module):
    """Spatial Constriction computed as it is defined, by a loop over codes."""

    def __init__(self, channels: int, resolution: int, codes: int, rectangles: int):
        super().__init__()
        self.codes, self.shape = codes, (codes, rectangles, 4, resolution)
        self.mask_weight = nn.Parameter(torch.randn(codes * rectangles * 4 * resolution, channels))
        self.styles = nn.ModuleList([nn.Linear(1, 2 * channels) for _ in range(codes)])
        for style in self.styles:
            nn.init.normal_(style.weight)
            nn.init.zeros_(style.bias)

    @torch.no_grad()
    def copy_weights(self, closed_form: nn.Module) -> None:
        """Take the weights of a `wwlib.models.masks.SpatialConstriction`, so that both compute the same."""
        self.mask_weight.copy_(closed_form.mask_weight)
        for i, style in enumerate(self.styles):
            style.weight.copy_(closed_form.style_weight[i][:, None])

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        logits = x.mean(dim=(2, 3)) @ self.mask_weight.t() * x.shape[1] ** -0.5
        masks = rectangle_masks(logits.view(-1, *self.shape))
        normal = x - x.mean(dim=(2, 3), keepdim=True)
        normal = normal * torch.rsqrt(normal.square().mean(dim=(2, 3), keepdim=True) + 1e-8)
        for i in range(self.codes):
            scale, shift = self.styles[i](code[:, i : i + 1])[:, :, None, None].chunk(2, dim=1)
            styled = normal * (1 + scale) + shift
            x = x * (1 - masks[:, i : i + 1]) + styled * masks[:, i : i + 1]
        return x


class ResConv(nn.Module):
    """`ResConv-up` or `ResConv-id`: the shortcut is upsampled before its 1 x 1 convolution."""

    def __init__(self, inputs: int, outputs: int, resample: str):
        super().__init__()
        self.main, self.skip, self.resample = Conv(inputs, outputs, 3, resample), Conv(inputs, outputs, 1), resample

    def forward(self, x: Tensor) -> Tensor:
        skip = F.interpolate(x, scale_factor=2) if self.resample == "up" else x
        return self.main(x) + self.skip(skip)


class Generator(nn.Module):
    """The generator of a module list with the blocks above, or with the library's Spatial Constriction."""

    def __init__(self, config: Config, closed_form: bool = False):
        super().__init__()
        from wwlib.models.masks import SpatialConstriction

        width, side = int(config.modules[0].split("-")[1]), 4
        self.const = nn.Parameter(torch.randn(1, width, 4, 4))
        blocks: list[nn.Module] = []
        for token in config.modules[1:]:
            if match := re.fullmatch(r"ResConv-(up|id)-1", token):
                side *= 2 if match[1] == "up" else 1
                blocks.append(ResConv(width, config.widths[side], match[1]))
                width = config.widths[side]
            else:
                _, rectangles, codes = token.split("-")
                kind = SpatialConstriction if closed_form else SequentialConstriction
                blocks.append(kind(width, side, int(codes), int(rectangles)))
        self.blocks = nn.ModuleList(blocks)
        self.to_image = nn.Conv2d(width, 3, 1)
        self.codes = sum(getattr(block, "codes", 0) for block in blocks)

    def forward(self, codes: Tensor) -> Tensor:
        x, used = self.const.expand(len(codes), -1, -1, -1), 0
        for block in self.blocks:
            if isinstance(block, ResConv):
                x = block(x)
            else:
                x = block(x, codes[:, used : used + block.codes])
                used += block.codes
        return self.to_image(x)


class Trunk(nn.Module):
    """The official residual trunk: FromRGB, then [3 x 3, 3 x 3 down] beside a 1 x 1 shortcut, times 1 / sqrt(2)."""

    def __init__(self, config: Config, outputs: int):
        super().__init__()
        side, width = config.resolution, config.widths[config.resolution]
        self.from_rgb = Conv(3, width, 1)
        self.blocks = nn.ModuleList()
        while side > 4:
            side //= 2
            out = config.discriminator_widths[side]
            parts = [Conv(width, width), Conv(width, out, 3, "down"), Conv(width, out, 1, "down")]
            self.blocks.append(nn.ModuleList(parts))
            width = out
        self.last = Conv(width + 1, width)
        self.dense, self.head = Linear(width * 16, config.features), Linear(config.features, outputs)

    def forward(self, images: Tensor) -> Tensor:
        x = self.from_rgb(images)
        for first, second, shortcut in self.blocks:
            x = (second(first(x)) + shortcut(x)) * 0.5**0.5
        groups = x.view(4, -1, *x.shape[1:])
        deviation = groups.var(dim=0, unbiased=False).add(1e-8).sqrt().mean(dim=(1, 2, 3))
        x = torch.cat([x, deviation.repeat(4)[:, None, None, None].expand(-1, 1, *x.shape[2:])], dim=1)
        x = F.leaky_relu(self.dense(self.last(x).flatten(1)), 0.2) * 2**0.5
        return self.head(x)


class OfficialStep:
    """The official training step: G and Q, then D on codes of its own, the average, and R1 as a separate step."""

    def __init__(self, config: Config, data, closed_form: bool = False):
        torch.manual_seed(config.seed)
        self.config, self.data, self.random = config, data, torch.Generator().manual_seed(0)
        self.generator = Generator(config, closed_form)
        self.discriminator, self.recogniser = Trunk(config, 1), Trunk(config, self.generator.codes)
        self.average = copy.deepcopy(self.generator)
        both = [*self.generator.parameters(), *self.recogniser.parameters()]
        self.g_optimiser = torch.optim.Adam(both, lr=0.002, betas=(0.0, 0.99))
        self.d_optimiser = torch.optim.Adam(self.discriminator.parameters(), lr=0.002, betas=(0.0, 0.99))
        self.number = 0

    def step(self) -> None:
        batch, d = self.config.batch, self.generator.codes
        codes = torch.randn(batch, d)
        k = torch.randint(d, (batch,))
        perturbed = codes.clone()
        for sample in range(batch):
            perturbed[sample, k[sample]] += 6 * torch.randn(())
        images = self.generator(torch.cat([codes, perturbed]))
        answers = self.recogniser(images)
        loss = F.softplus(-self.discriminator(images[:batch])).mean()
        loss = loss + self.config.C_lambda * self._ps_loss(codes, perturbed, k, answers[:batch], answers[batch:])
        self.g_optimiser.zero_grad()
        loss.backward()
        self.g_optimiser.step()

        real = self.data.sample_images(batch, self.random)
        with torch.no_grad():
            fake = self.generator(torch.randn(batch, d))
        d_loss = F.softplus(self.discriminator(fake)).mean() + F.softplus(-self.discriminator(real)).mean()
        self.d_optimiser.zero_grad()
        d_loss.backward()
        self.d_optimiser.step()
        with torch.no_grad():
            for averaged, current in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                averaged.copy_(current.lerp(averaged, 0.5 ** (batch / 10_000)))
        if self.number % 16 == 0:
            real = real.detach().requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.discriminator(real).sum(), real, create_graph=True)
            penalty = 16 * self.config.gamma / 2 * gradient.square().sum(dim=(1, 2, 3)).mean()
            self.d_optimiser.zero_grad()
            penalty.backward()
            self.d_optimiser.step()
        self.number += 1

    @staticmethod
    def _ps_loss(codes: Tensor, perturbed: Tensor, k: Tensor, r: Tensor, r2: Tensor) -> Tensor:
        total = 0.0
        for i in range(codes.shape[1]):
            changed = (k == i).float()
            mean = (r[:, i] + r2[:, i]) / 2
            first = changed * r[:, i] + (1 - changed) * mean
            second = changed * r2[:, i] + (1 - changed) * mean
            total = total + (codes[:, i] - first).square() + (perturbed[:, i] - second).square()
        return total.mean() / 2
