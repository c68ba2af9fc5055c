"""Hosts: frozen networks to interpret, with `encode` from pictures to noisy hidden codes and `decode` from codes on.

An autoencoder of `wwlib.models.autoencoder` is a host as it is. A classifier decodes codes to logits; Part I's
recogniser and generator together serve as one autoencoder.
"""

from __future__ import annotations

import torch
from torch import Tensor

from wwlib.models.judges import Judge
from wwlib.models.shipped import Model


class ClassifierHost:
    """A classifier, cut before its last nonlinearity.

    Args:
        classifier: with one head.
        noise: standard deviation of the noise added to every feature; features vary by about 25.
    """

    def __init__(self, classifier: Judge, noise: float = 5.0):
        self.classifier, self.noise = classifier, noise

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features `[B, d]` before the last ReLU, and their noise."""
        mean = self.classifier.preactivations(images)
        return mean, torch.full_like(mean, self.noise)

    def decode(self, z: Tensor) -> Tensor:
        """Return the logits `[B, classes]` that features lead to."""
        return self.classifier.heads[0](z.relu())


class RecogniserHost:
    """Part I's recogniser Q as encoder and generator G as decoder; an odd d gets one dimension of pure noise.

    Args:
        model: trained.
        noise: standard deviation added to every code that Q reads.
    """

    def __init__(self, model: Model, noise: float = 0.1):
        self.model, self.noise, self.padding = model, noise, model.codes % 2
        self.maps = model.generator.sample_noise(1, torch.Generator().manual_seed(0))

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the codes `[B, d]` that Q reads, padded to an even d, and their noise."""
        codes = self.model.recogniser(images)
        padding = codes.new_zeros(len(codes), self.padding)
        return torch.cat([codes, padding], dim=1), torch.cat([torch.full_like(codes, self.noise), padding + 1], dim=1)

    def decode(self, z: Tensor) -> Tensor:
        """Return the images that G draws from codes `[B, d]`, with the same noise maps for all."""
        maps = [noise.expand(len(z), -1, -1, -1) for noise in self.maps]
        return self.model.generator(z[:, : self.model.codes], maps)
