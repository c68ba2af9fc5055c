"""Experts that are fused with an image model: each describes a picture, and none is trained together with the model.

Two are labels that a person gives (which domain, which attributes), one is a network (where the glyph lies), one is a
filter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.base.descent import descend
from wwlib.base.seeds import drawn_from
from wwlib.datasets.domains import STYLE, STYLES, Domains

ATTRIBUTES = [0, 1, 2]  # digit, ink and paper


class LayoutNetwork(nn.Module):
    """A network from images `[B, 3, 32, 32]` to the logits `[B, 2, 32, 32]` of paper and glyph at every pixel.

    Args:
        width: channels of the hidden layers, at 16 x 16; two of them are dilated, to see the inside of a glyph.
        seed: of the weights.
    """

    def __init__(self, width: int = 32, seed: int = 0):
        super().__init__()
        with drawn_from(seed):
            self.layers = nn.Sequential(
                nn.PixelUnshuffle(2),
                nn.Conv2d(12, width, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=2, dilation=2),
                nn.ReLU(),
                nn.Conv2d(width, width, 3, padding=2, dilation=2),
                nn.ReLU(),
                nn.Conv2d(width, 8, 3, padding=1),
                nn.PixelShuffle(2),
            )

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `[B, 2, H, W]` of images in [-1, 1]."""
        return self.layers(images)


def train_layout(data: Domains, steps: int = 1500, seed: int = 5, batch: int = 32, rate: float = 4e-3) -> LayoutNetwork:
    """Train a layout network on the true layouts of both domains, and return it frozen.

    Args:
        data: pictures and their layouts.
        steps, batch, rate: of Adam, whose rate falls linearly to 0.
        seed: of weights and pictures.
    """
    network, random = LayoutNetwork(seed=seed), torch.Generator().manual_seed(seed)

    def loss_at(_: int) -> Tensor:
        factors = data.sample_factors(batch, random)
        return F.cross_entropy(network(data.images(factors)), data.layout(factors))

    descend(network, loss_at, steps, rate)
    return network


def hard(logits: Tensor) -> Tensor:
    """Return the argmax of logits as maps `[B, C, H, W]`: 1 where a class has the highest logit, 0 elsewhere."""
    return F.one_hot(logits.argmax(dim=1), logits.shape[1]).movedim(-1, 1).to(torch.get_default_dtype())


def edges(images: Tensor) -> Tensor:
    """Return the strength of edges `[B, 1, H, W]`: the length of Sobel's gradient of the mean colour.

    Args:
        images: `[B, C, H, W]` in [-1, 1].
    """
    across = images.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
    grey = F.pad(images.mean(dim=1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    return F.conv2d(grey, torch.stack([across, across.t()])[:, None]).square().sum(dim=1, keepdim=True).sqrt()


def one_hots(factors: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Return vectors `[n, sum of sizes]` with a 1 for the value of each factor.

    Args:
        factors: whole numbers `[n, K]`.
        sizes: number of values of each factor, K of them.
    """
    return torch.cat([F.one_hot(f, size) for f, size in zip(factors.t(), sizes, strict=True)], dim=1).to(
        torch.get_default_dtype()
    )


def with_label(label: Tensor, maps: Tensor) -> Tensor:
    """Return maps `[n, L + C, H, W]`: a vector `[n, L]` as constant channels, before maps `[n, C, H, W]`."""
    return torch.cat([label[:, :, None, None].expand(-1, -1, *maps.shape[2:]), maps], dim=1)


def other_label(conditions: Tensor) -> Tensor:
    """Return conditions `[n, 2 or more, ...]` with the two domains' entries, which come first, exchanged."""
    return torch.cat([conditions[:, :2].flip(1), conditions[:, 2:]], dim=1)


@dataclass(frozen=True)
class Expert:
    """A function from pictures `[n, 3, 32, 32]` or a person's labels `[n, 7]` to answers about the pictures.

    Args:
        name: shown to people.
        shape: of one answer.
        read: images and factors to answers `[n, *shape]`; uses one of the two.
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[Tensor, Tensor], Tensor]

    @torch.no_grad()
    def __call__(self, images: Tensor, factors: Tensor) -> Tensor:
        """Return the answers `[n, *shape]`; n may be large."""
        parts = zip(images.split(512), factors.split(512), strict=True)
        return torch.cat([self.read(*part) for part in parts])


def make_experts(layout: LayoutNetwork) -> dict[str, Expert]:
    """Return the experts by key; the layout network is two of them, with its argmax and with its logits.

    Args:
        layout: frozen.
    """
    sizes, side = tuple(Domains().factor_sizes[k] for k in ATTRIBUTES), Domains.resolution
    label = lambda factors: one_hots(factors[:, [STYLE]], (len(STYLES),))  # noqa: E731
    return {
        "domain": Expert("domain label", (2,), lambda _, f: label(f)),
        "argmax": Expert("layout, argmax", (2, side, side), lambda images, _: hard(layout(images))),
        "logits": Expert("layout, logits", (2, side, side), lambda images, _: layout(images)),
        "edges": Expert("edges", (1, side, side), lambda images, _: edges(images)),
        "attributes": Expert("attributes", (sum(sizes),), lambda _, f: one_hots(f[:, ATTRIBUTES], sizes)),
        "both": Expert(
            "label and layout", (4, side, side), lambda images, f: with_label(label(f), hard(layout(images)))
        ),
    }
