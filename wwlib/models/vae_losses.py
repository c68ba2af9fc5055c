"""The losses of the autoencoder families: reconstruction, KL divergence, and each family's penalty."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def reconstruction_loss(logits: Tensor, images: Tensor) -> Tensor:
    """Return the Bernoulli negative log-likelihood of images in [-1, 1], summed over pixels, batch mean."""
    return F.binary_cross_entropy_with_logits(logits, (images + 1) / 2, reduction="sum") / len(images)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return the divergence of each code from N(0, 1) in nats, `[d]`, batch mean."""
    return 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).mean(dim=0)


def total_correlation(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return an estimate of KL(q(z) || prod_j q(z_j)) from one batch (Chen et al. 2018, beta-TCVAE).

    The density of the aggregate posterior at each sample is averaged over the encodings of the batch. The constant
    that the size of the data set adds is left out, as in disentanglement_lib: it has no gradient.

    Args:
        z: samples `[B, d]`.
        mean, log_variance: of their encodings `[B, d]`.
    """
    difference = z[:, None] - mean[None]
    density = -0.5 * (difference.square() * (-log_variance)[None].exp() + log_variance[None] + math.log(2 * math.pi))
    joint = density.sum(dim=2).logsumexp(dim=1)
    product = density.logsumexp(dim=1).sum(dim=1)
    return (joint - product).mean()


def dip_penalty(covariance: Tensor, off_diagonal: float, diagonal: float) -> Tensor:
    """Return the distance of a covariance `[d, d]` from the identity (Kumar et al. 2018, DIP-VAE).

    Args:
        covariance: of the means (first kind) or of the codes (second kind).
        off_diagonal, diagonal: weights lambda_od and lambda_d.
    """
    variances = covariance.diagonal()
    off = covariance.square().sum() - variances.square().sum()
    return off_diagonal * off + diagonal * (variances - 1).square().sum()


def permute_codes(z: Tensor, generator: torch.Generator) -> Tensor:
    """Return `z` `[B, d]` with every code shuffled over the batch on its own: samples of prod_j q(z_j)."""
    order = torch.rand(z.shape, generator=generator).argsort(dim=0).to(z.device)
    return z.gather(0, order)
