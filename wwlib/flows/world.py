"""The frozen networks of lesson 20, image model, judge and experts, together with encoded pictures."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wwlib.datasets.domains import Domains
from wwlib.flows.experts import Expert, LayoutNetwork, make_experts
from wwlib.flows.latents import Latents, encode_pictures
from wwlib.models.autoencoder import Autoencoder
from wwlib.models.judges import Judge

JUDGED = (10, 10, 10, 3, 3, 2)  # values of digit, ink, paper, across, down and style
FACTORS = Domains.factor_names[: len(JUDGED)]
PICTURES, TESTED = 40_000, 2_000


@dataclass(frozen=True)
class World:
    """The frozen networks, and the image model's codes of the pictures to learn from and of those to test on."""

    image_model: Autoencoder
    judge: Judge
    experts: dict[str, Expert]
    latents: Latents
    factors: Tensor
    tested: Latents
    tested_factors: Tensor

    def conditions(self, name: str, unseen: bool = False) -> Tensor:
        """Return an expert's answers about the pictures to learn from or, with `unseen`, to test on, `[n, ...]`."""
        factors = self.tested_factors if unseen else self.factors
        images = torch.cat([Domains().images(part) for part in factors.split(512)])
        return self.experts[name](images, factors)

    @torch.no_grad()
    def verdict(self, z: Tensor) -> Tensor:
        """Return the factors `[n, 6]` that the judge sees in the drawings of codes `[n, 32]`."""
        return torch.cat([self.judge.verdict(self.image_model.decode(part)) for part in z.split(256)])

    @torch.no_grad()
    def features(self, z: Tensor) -> Tensor:
        """Return the judge's features `[n, 64]` of the drawings of codes `[n, 32]`."""
        return torch.cat([self.judge.features(self.image_model.decode(part)) for part in z.split(256)])


def make_world(
    image_model: Autoencoder, judge: Judge, layout: LayoutNetwork, pictures: int = PICTURES, tested: int = TESTED
) -> World:
    """Encode all pictures once, so that no fusion needs the image model's encoder, and return the world.

    Args:
        image_model, judge, layout: frozen.
        pictures, tested: number of pictures to learn from, and to test on; no recorded run has learned from the latter.
    """
    data, experts = Domains(), make_experts(layout)
    latents, factors = encode_pictures(image_model, data, pictures, ("style",), seed=100)
    shipped = data.sample_factors(PICTURES, torch.Generator().manual_seed(100))  # what the recorded runs learned from
    unseen, unseen_factors = encode_pictures(
        image_model, data, tested, ("style",), seed=200, without=torch.cat([factors, shipped])
    )
    return World(image_model, judge, experts, latents, factors, unseen, unseen_factors)
