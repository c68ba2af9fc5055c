"""Picture quality: how far drawings are from real pictures, measured by what a judge of their factors sees in them."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from wwlib.base.checks import check_whole
from wwlib.datasets.factors import FactorData
from wwlib.metrics.frechet import frechet_distance
from wwlib.models.interface import GeneratorLike
from wwlib.models.judges import Judge


@dataclass(frozen=True)
class PictureQuality:
    """Frechet distance of drawings to real pictures, and of real pictures to other real ones.

    Both are in the units of one judge's features, from equally many pictures.
    """

    distance: float
    real: float
    pictures: int

    @property
    def ratio(self) -> float:
        """How many times further drawings are from real pictures than other real pictures are. 1 is the best."""
        return self.distance / self.real


@torch.no_grad()
def picture_quality(
    generator: GeneratorLike, judge: Judge, data: FactorData, pictures: int = 2_000, seed: int = 0, batch: int = 50
) -> PictureQuality:
    """Return the Frechet distance between drawings and real pictures in a judge's features, and its floor.

    Codes are drawn from N(0, I); drawings are clipped to [-1, 1]. Twice as many real pictures are drawn: the distance
    is that of the drawings to the first half, the floor that of the second half to the first. Distances compare only
    if judge and number of pictures are the same. A judge sees what its factors need: what changes none of its
    readings, such as fine grain, weighs little.

    Args:
        generator: G, or the decoder of an autoencoder.
        judge: has `features`, images to `[B, F]`.
        data: real pictures, held out from the judge's training.
        pictures: drawings, and real ones in each half.
        seed: of codes, noise and pictures.
        batch: pictures at a time.

    Raises:
        ValueError: for fewer than two pictures.
    """
    check_whole(2, pictures=pictures)
    random = torch.Generator().manual_seed(seed)
    codes = torch.randn(pictures, generator.codes, generator=random)
    drawn = torch.cat(
        [judge.features(generator(c, generator.sample_noise(len(c), random)).clamp(-1, 1)) for c in codes.split(batch)]
    )
    factors = data.sample_factors(2 * pictures, random)
    first, second = torch.cat([judge.features(data.images(some)) for some in factors.split(batch)]).split(pictures)
    return PictureQuality(frechet_distance(drawn, first), frechet_distance(second, first), pictures)
