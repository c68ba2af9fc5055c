"""Judges: classifiers that read the known factors from a picture, to check what a model draws.

A judge is trained on labelled pictures with a seed of its own, on other pictures than the model under test. It is
never part of that model.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.base.descent import descend
from wwlib.base.seeds import drawn_from
from wwlib.datasets.factors import FactorData


class Judge(nn.Module):
    """A small convolutional classifier with one head for each factor.

    Args:
        factor_sizes: number of values of each factor.
        channels: of the images.
        resolution: side of the images, a multiple of 8.
        features: length of the feature vector.
        width: channels of the first convolution.
    """

    def __init__(
        self,
        factor_sizes: tuple[int, ...],
        channels: int = 3,
        resolution: int = 32,
        features: int = 64,
        width: int = 16,
    ):
        super().__init__()
        widths = (4 * channels, width, 2 * width, 2 * width)  # the input is blocks of 2 x 2 pixels
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(widths))
        self.hidden = nn.Linear(2 * width * (resolution // 8) ** 2, features)
        self.heads = nn.ModuleList(nn.Linear(features, size) for size in factor_sizes)

    def preactivations(self, images: Tensor) -> Tensor:
        """Return the feature vectors `[B, features]` of images in [-1, 1] before the last ReLU."""
        first, second, third = self.convolutions
        x = F.relu(first(F.pixel_unshuffle(images, 2)))
        x = F.relu(F.max_pool2d(second(x), 2))
        return self.hidden(F.relu(F.max_pool2d(third(x), 2)).flatten(1))

    def features(self, images: Tensor) -> Tensor:
        """Return the feature vectors `[B, features]` of images in [-1, 1]."""
        return F.relu(self.preactivations(images))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the logits `[B, size]` of every factor."""
        features = self.features(images)
        return [head(features) for head in self.heads]

    @torch.no_grad()
    def verdict(self, images: Tensor) -> Tensor:
        """Return the most likely factors `[B, K]` of images."""
        return torch.stack([logits.argmax(dim=1) for logits in self(images)], dim=1)


def half_soft(images: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    """Return images `[B, C, H, W]` of which the first half is blurred and made noisy, as drawings of a model are.

    Args:
        images: of which the first B // 2 change.
        noise: standard deviation of what is added to each pixel.
        generator: of the noise.
    """
    half = len(images) // 2
    soft = F.avg_pool2d(F.pad(images[:half], (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return torch.cat([soft + noise * torch.randn(soft.shape, generator=generator), images[half:]])


def train_judge(judge: Judge, data: FactorData, steps: int, seed: int, batch: int = 64, rate: float = 2e-3) -> Judge:
    """Train a judge on labelled pictures and return it frozen.

    Half of the pictures are blurred and made noisy, since drawings of a model are a little blurred too.

    Args:
        judge: to be trained.
        data: pictures and labels; other ones than those of the model under test.
        steps, batch, rate: of Adam, whose rate falls linearly to 0.
        seed: of the pictures.
    """
    random = torch.Generator().manual_seed(seed)

    def loss_at(_: int) -> Tensor:
        factors = data.sample_factors(batch, random)
        images = data.images(factors)
        images = half_soft(images, 0.1, random)
        # a judge may have fewer heads than there are factors; it then ignores the last ones
        return sum(F.cross_entropy(logits, factors[:, k]) for k, logits in enumerate(judge(images)))

    descend(judge, loss_at, steps, rate)
    return judge


def new_judge(factor_sizes: tuple[int, ...], seed: int, **sizes: int) -> Judge:
    """Return an untrained judge whose weights are drawn from a seed."""
    with drawn_from(seed):
        return Judge(factor_sizes, **sizes)
