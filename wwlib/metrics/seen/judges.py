"""The judges of rooms: networks that name the true factors of a picture, to say what a generator draws.

They are trained on real rooms alone, with seeds of their own, and no model is ever trained with them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.base.paths import DATA
from wwlib.base.seeds import drawn_from
from wwlib.base.shelf import Shelf
from wwlib.datasets.factors import FactorData
from wwlib.datasets.shapes3d import Shapes3D
from wwlib.models.judges import Judge, half_soft, train_judge

SHELF = Shelf(DATA / "seen-weights.safetensors", DATA / "seen.json", "python -m wwlib remake seen")
RESOLUTIONS = (32, 64)
FOLDS = 10  # one room of ten is shown to no judge
Reader = Callable[[Tensor], list[Tensor]]  # images in [-1, 1] to the logits [B, size] of every factor
NOISE = 0.1  # standard deviation of what is added to the soft pictures


class StridedJudge(Judge):
    """A judge that reads through three strided convolutions, without pooling.

    Args:
        factor_sizes: number of values of each factor.
        channels: of the images.
        resolution: side of the images, a multiple of 32.
        features: length of the feature vector.
        width: channels of the first convolution.

    Raises:
        ValueError: for another resolution.
    """

    def __init__(
        self,
        factor_sizes: tuple[int, ...],
        channels: int = 3,
        resolution: int = 32,
        features: int = 64,
        width: int = 16,
    ):
        if resolution < 32 or resolution % 32:
            raise ValueError(f"resolution must be a multiple of 32, got {resolution}")
        super().__init__(factor_sizes, channels, 32, features, width)  # the last map has 4 x 4 places at any resolution
        widths, step = (channels, width, 2 * width, 2 * width), resolution // 16
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 2 * stride, stride, padding=stride // 2)
            for (a, b), stride in zip(pairwise(widths), (step, 2, 2), strict=True)
        )

    def preactivations(self, images: Tensor) -> Tensor:
        """Return the feature vectors `[B, features]` of images in [-1, 1] before the last ReLU."""
        x = images
        for convolution in self.convolutions:
            x = F.relu(convolution(x))
        return self.hidden(x.flatten(1))


@dataclass(frozen=True)
class JudgePlan:
    """How a judge is made.

    Args:
        resolution: side of the pictures that it reads.
        seed: of its weights and of its pictures.
        steps, batch: of the training.
    """

    resolution: int
    seed: int
    steps: int = 3_000
    batch: int = 128

    @property
    def name(self) -> str:
        """Return the name under which its weights are stored."""
        return f"judge-{self.resolution}"


PLANS = tuple(JudgePlan(resolution, seed=20_000 + resolution) for resolution in RESOLUTIONS)


class PartOfRooms(Shapes3D):
    """Rooms of which every tenth is held out: those whose factors sum to a multiple of ten.

    Every value of every factor is as frequent in both parts, and so is every pair of values.

    Args:
        resolution: side of the images.
        held_out: draw the held-out rooms; otherwise all others.
    """

    def __init__(self, resolution: int, held_out: bool):
        super().__init__(resolution)
        self.held_out = held_out

    def sample_factors(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Draw `n` factor vectors `[n, 6]` uniformly from this part of the rooms."""
        factors = super().sample_factors(n, generator)
        # one floor hue of ten makes the sum a multiple of ten, whatever the other factors are
        remainder = 0 if self.held_out else torch.randint(1, FOLDS, (n,), generator=generator)
        factors[:, 0] = (remainder - factors[:, 1:].sum(dim=1)) % FOLDS
        return factors


def new_room_judge(resolution: int, seed: int = 0) -> StridedJudge:
    """Return a judge of all six factors, with random weights.

    Args:
        resolution: side of the pictures that it reads, one of `RESOLUTIONS`.
        seed: of the weights.

    Raises:
        ValueError: for another resolution.
    """
    if resolution not in RESOLUTIONS:
        raise ValueError(f"resolution must be one of {RESOLUTIONS}, got {resolution!r}")
    with drawn_from(seed):
        return StridedJudge(Shapes3D.factor_sizes, resolution=resolution)


def train_room_judge(plan: JudgePlan) -> Judge:
    """Train a judge on rooms that are not held out, and return it frozen.

    Half of the pictures are blurred and made noisy, as drawings of a model are.
    """
    rooms = PartOfRooms(plan.resolution, held_out=False)
    return train_judge(new_room_judge(plan.resolution, plan.seed), rooms, plan.steps, plan.seed, plan.batch)


def load_room_judge(resolution: int) -> Judge:
    """Return the shipped judge of rooms of a resolution, frozen.

    Raises:
        ValueError: for a resolution that has none.
        FileNotFoundError: where the shipped file is missing.
    """
    return SHELF.load(JudgePlan(resolution, seed=0).name, new_room_judge(resolution))


@torch.no_grad()
def readings(judge: Reader, images: Tensor) -> list[Tensor]:
    """Return the judge's probabilities `[B, size]` of every factor's values, for images in [-1, 1], clipped."""
    return [logits.softmax(dim=1) for logits in judge(images.clamp(-1, 1))]


def confidence(judge: Reader, images: Tensor) -> list[float]:
    """Return the mean probability of the value that the judge names, for every factor `[K]`."""
    return [float(p.amax(dim=1).mean()) for p in readings(judge, images)]


@dataclass(frozen=True)
class Fitness:
    """How well a judge reads real rooms that it never saw: shares of right readings `[K]`, and confidence `[K]`.

    `accuracy` and `confidence` are of clear pictures, `soft_accuracy` and `soft_confidence` of blurred and noisy ones.
    """

    accuracy: list[float]
    confidence: list[float]
    soft_accuracy: list[float]
    soft_confidence: list[float]


@torch.no_grad()
def fitness(judge: Reader, rooms: FactorData, n: int = 2_000, seed: int = 0) -> Fitness:
    """Measure how well a judge reads real rooms.

    Args:
        judge: a network, or the observer.
        rooms: where the pictures come from: held-out rooms.
        n: number of clear pictures, and of soft ones.
        seed: of the pictures.
    """
    random = torch.Generator().manual_seed(seed)
    factors = rooms.sample_factors(2 * n, random)
    soft, clear = half_soft(rooms.images(factors), NOISE, random).split(n)
    parts = []
    for images, truth in ((clear, factors[n:]), (soft, factors[:n])):
        named = torch.stack([p.argmax(dim=1) for p in readings(judge, images)], dim=1)
        parts += [(named == truth).float().mean(dim=0).tolist(), confidence(judge, images)]
    return Fitness(*parts)
