"""What a generator offers to the tools that draw with it: traversals, lengths of paths, FID."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class GeneratorLike(Protocol):
    """Draws images from codes: a GAN's generator, or the decoder of an autoencoder."""

    codes: int

    def __call__(self, codes: Tensor, noise: list[Tensor] | None = None) -> Tensor:
        """Return images `[B, C, H, W]` of codes `[B, d]`, about in [-1, 1] and not clipped.

        Args:
            codes: a row for each image.
            noise: as `sample_noise` gives it.
        """

    def sample_noise(
        self, batch: int, generator: torch.Generator | None = None, device: torch.device | str | None = None
    ) -> list[Tensor]:
        """Return noise maps `[B, 1, R, R]`, one for each layer that adds noise; an empty list if none does.

        Args:
            batch: B.
            generator: of the draw, on the CPU.
            device: of the maps that are returned; that of the weights if left out.
        """
