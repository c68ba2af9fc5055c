"""The measure of "what": can the recogniser tell which code moved?"""

from __future__ import annotations

import torch

from wwlib.base.checks import check_whole
from wwlib.models.interface import GeneratorLike
from wwlib.models.losses import perturb


@torch.no_grad()
def naming_accuracy(generator: GeneratorLike, recogniser, scale: float = 2.0, n: int = 2048, seed: int = 0) -> float:
    """Return how often the code that the recogniser sees change most is the one that moved, in [0, 1].

    Chance is one over the number of codes. Two images of a pair share their noise.

    Args:
        generator, recogniser: G and Q.
        scale: standard deviation of the move; 2 stays near the prior, the PS loss trains with 6.
        n: number of pairs.
        seed: of codes and moves.

    Raises:
        ValueError: for fewer than one pair.
    """
    check_whole(n=n)
    random = torch.Generator().manual_seed(seed)
    codes = torch.randn(n, generator.codes, generator=random)
    moved, k = perturb(codes, scale, random)
    right = 0
    for first, second, positions in zip(codes.split(256), moved.split(256), k.split(256), strict=True):
        noise = generator.sample_noise(len(first), random)
        change = recogniser(generator(second, noise)) - recogniser(generator(first, noise))
        right += (change.abs().argmax(dim=1) == positions).sum().item()
    return right / n
