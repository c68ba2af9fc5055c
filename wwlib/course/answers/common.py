"""What the exercises of several lessons share: random inputs, and how an open exercise is written down."""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.course.exercise import Exercise, Mistake


def image_batch(n: int, side: int = 8):
    return lambda g: torch.rand(n, 3, side, side, generator=g) * 2 - 1


def random_table(d: int, k: int):
    return lambda g: torch.rand(d, k, generator=g)


SIZES = (10, 10, 10, 8, 4, 15)  # of 3D Shapes


def random_of(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_pictures(seed: int, n: int = 6, side: int = 32) -> Tensor:
    return torch.rand(n, 3, side, side, generator=random_of(seed)) * 1.8 - 0.9


def rooms(n: int, seed: int) -> Tensor:
    from wwlib.datasets.shapes3d import Shapes3D

    return Shapes3D(32).sample_images(n, random_of(seed))


def factors_of(seed: int, n: int = 6_000) -> Tensor:
    random = random_of(seed)
    return torch.stack([torch.randint(size, (n,), generator=random) for size in SIZES], dim=1)


def factor_vae(answer, seed):
    from wwlib.metrics.factor_vae import factor_vae_score

    factors = factors_of(seed)
    return factor_vae_score(answer(factors).float(), factors, random_of(seed), train_votes=600, test_votes=300).score


def box(top: int, left: int, size: int = 6, side: int = 16) -> Tensor:
    box = torch.zeros(1, side, side)
    box[:, top : top + size, left : left + size] = 1
    return box


def open_exercise(id: str, title: str, example, properties, *mistakes) -> Exercise:
    """An open exercise; each mistake is given with the number of the property that it breaks."""
    wrong = tuple(Mistake(properties[number].what, function) for number, function in mistakes)
    return Exercise(id, title, example, mistakes=wrong, properties=properties)
