"""The losses of the three networks of Part I, as plain functions of tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Return the logistic loss of D: `softplus(-D(real)) + softplus(D(fake))`, batch mean (Goodfellow et al. 2014)."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Return the non-saturating loss of G: `softplus(-D(fake))`, batch mean."""
    return F.softplus(-fake_logits).mean()


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor, gamma: float) -> Tensor:
    """Return `gamma / 2` times the mean squared gradient of D at real images (Mescheder et al. 2018, R1).

    Args:
        discriminator: images `[B, C, H, W]` to logits `[B]`.
        real: images in [-1, 1].
        gamma: weight; 1 suits simple rendered images, 100 photographs at 128 px.
    """
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gamma / 2 * gradient.square().sum(dim=(1, 2, 3)).mean()


def perturb(codes: Tensor, scale: float, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Change one code of each sample: `c' = c + p e_k`, k uniform, `p ~ N(0, scale^2)`.

    Args:
        codes: `[B, d]`.
        scale: standard deviation of p; the paper's runs use 6, far outside the prior N(0, 1).
        generator: CPU generator of k and p.

    Returns:
        `c'` `[B, d]` and `k` `[B]`.
    """
    batch, d = codes.shape
    k = torch.randint(d, (batch,), generator=generator).to(codes.device)
    p = scale * torch.randn(batch, generator=generator).to(codes.device)
    return codes + p[:, None] * F.one_hot(k, d), k


def perceptual_simplicity_loss(
    codes: Tensor, perturbed: Tensor, k: Tensor, recognised: Tensor, recognised_perturbed: Tensor, average: bool = True
) -> Tensor:
    """Return the PS loss `L_I` (Zhu et al. 2021, perceptual simplicity), batch mean.

    Q must name the changed code in each image of the pair, and all the others from the *average* of its two answers:
    `1/2 [(c_k - r_k)^2 + (c'_k - r'_k)^2] + sum_{i != k} (c_i - (r_i + r'_i) / 2)^2`.

    Args:
        codes: c `[B, d]`.
        perturbed: c' `[B, d]`, equal to c but for position k.
        k: `[B]`, the changed position.
        recognised: r = Q(G(c)) `[B, d]`.
        recognised_perturbed: r' = Q(G(c')) `[B, d]`.
        average: False regresses every code from each image alone (the ablation).

    Raises:
        ValueError: if the shapes differ.
    """
    shapes = {tuple(t.shape) for t in (codes, perturbed, recognised, recognised_perturbed)}
    if len(shapes) != 1 or tuple(k.shape) != (codes.shape[0],):
        raise ValueError(
            f"codes and answers must share one shape [B, d] and k be [B], got {shapes} and {tuple(k.shape)}"
        )
    changed = F.one_hot(k, codes.shape[1]).bool()
    mean = (recognised + recognised_perturbed) / 2 if average else None
    answer = torch.where(changed, recognised, mean) if average else recognised
    answer_perturbed = torch.where(changed, recognised_perturbed, mean) if average else recognised_perturbed
    return ((codes - answer).square() + (perturbed - answer_perturbed).square()).sum(dim=1).mean() / 2


def infogan_loss(codes: Tensor, recognised: Tensor) -> Tensor:
    """Return InfoGAN's loss: the distance `||Q(G(c)) - c||_2`, not squared, batch mean (Chen et al. 2016)."""
    return (recognised - codes).norm(dim=1).mean()


def untrained_ps_loss(d: int, scale: float) -> float:
    """Return the expected PS loss of a recogniser that always answers 0: `d + scale^2 / 2`.

    Each of the d codes has mean square 1, and the changed one adds the perturbation's variance, halved.
    """
    return d + scale**2 / 2


@dataclass(frozen=True)
class Readings:
    """What a step gives an objective: the codes that G drew from and what Q read in the images.

    Args:
        codes: c `[B, d]`.
        recognised: Q(G(c)) `[B, d]`.
        perturbed, k, recognised_perturbed: c', the changed position and Q(G(c')), for an objective on pairs; else None.
    """

    codes: Tensor
    recognised: Tensor
    perturbed: Tensor | None = None
    k: Tensor | None = None
    recognised_perturbed: Tensor | None = None


class Weights(Protocol):
    """The entries of a training's `Config` that losses read: an objective's own weight or switch is one more."""

    average: bool


@dataclass(frozen=True)
class Objective:
    """What a training adds to the adversarial losses, `C_lambda` times.

    Args:
        loss: readings and config to the batch mean, one number.
        pairs: whether the step also draws c' = c with one code perturbed; D sees only the images of c.
        reaches_generator: False keeps the gradient from G, so that Q only watches.
    """

    loss: Callable[[Readings, Weights], Tensor]
    pairs: bool = False
    reaches_generator: bool = True


def _of_pairs(seen: Readings, config: Weights) -> Tensor:
    return perceptual_simplicity_loss(
        seen.codes, seen.perturbed, seen.k, seen.recognised, seen.recognised_perturbed, average=config.average
    )


def _of_single_images(seen: Readings, config: Weights) -> Tensor:
    return infogan_loss(seen.codes, seen.recognised)


OBJECTIVES: dict[str, Objective] = {
    "ps": Objective(_of_pairs, pairs=True),
    "infogan": Objective(_of_single_images),
    "gan": Objective(_of_single_images, reaches_generator=False),
}
