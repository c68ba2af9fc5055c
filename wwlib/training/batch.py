"""One batch of a training: what is drawn for it at random, what the three networks lose on it, and whose gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from wwlib.base.device import Compute
from wwlib.datasets.factors import FactorData
from wwlib.models.config import Config
from wwlib.models.losses import OBJECTIVES, Readings, discriminator_loss, generator_loss, perturb, r1_penalty
from wwlib.models.networks import Discriminator, Generator, Recogniser

Networks = tuple[Generator, Discriminator, Recogniser]


@dataclass(frozen=True)
class Batch:
    """What one step takes: real images, and all its random numbers, on the CPU.

    Args:
        codes: c `[B, d]`.
        perturbed, k: c' `[B, d]` and the changed position `[B]`, for an objective on pairs; else None.
        noise: the generator's noise maps; those for c come first and those for c' after them.
        recogniser_noise: what is added to the drawings before Q sees them, in the same order; None for nothing.
        real: images `[B, C, H, W]`; a process that shares the batch with others has its own rows only.
    """

    codes: Tensor
    perturbed: Tensor | None
    k: Tensor | None
    noise: list[Tensor]
    recogniser_noise: Tensor | None
    real: Tensor

    def part(self, rows: slice, first: int, device: torch.device) -> Batch:
        """Return some rows of the batch on a device; `first` is the row of the batch that `real` begins with."""

        def cut(tensor: Tensor) -> Tensor:
            return None if tensor is None else tensor[rows].to(device)

        def cut_pairs(tensor: Tensor) -> Tensor:
            return None if tensor is None else tensor.unflatten(0, (-1, len(self.codes)))[:, rows].flatten(0, 1)

        noise, real = [cut_pairs(n).to(device) for n in self.noise], self.real[rows.start - first : rows.stop - first]
        real = real.to(device).contiguous(memory_format=torch.channels_last)
        return Batch(cut(self.codes), cut(self.perturbed), cut(self.k), noise, cut_pairs(self.recogniser_noise), real)


def draw_batch(
    config: Config, generator: Generator, data: FactorData, random: torch.Generator, rows: slice | None = None
) -> Batch:
    """Draw a step's codes, perturbations, noise and real images.

    Args:
        config: of the training.
        generator: G, which says how many codes and noise maps there are.
        data: as `Training` takes it.
        random: the source of everything.
        rows: of the real images, for a process that shares the batch with others; all if left out.
    """
    rows = slice(0, config.batch) if rows is None else rows
    codes, perturbed, k = torch.randn(config.batch, generator.codes, generator=random), None, None
    if OBJECTIVES[config.objective].pairs:
        perturbed, k = perturb(codes, config.perturbation, random)
    drawings = config.batch if perturbed is None else 2 * config.batch
    if perturbed is not None and config.share_noise:
        noise = [torch.cat([n, n]) for n in generator.sample_noise(config.batch, random, "cpu")]
    else:
        noise = generator.sample_noise(drawings, random, "cpu")
    recogniser_noise = None
    if config.recogniser_noise:
        shape = (drawings, config.channels, config.resolution, config.resolution)
        recogniser_noise = torch.randn(shape, generator=random)
    if hasattr(data, "sample_rows"):
        real = data.sample_rows(config.batch, random, rows)
    else:
        real = data.sample_images(config.batch, random)[rows]
    return Batch(codes, perturbed, k, noise, recogniser_noise, real)


def loss_of_generator(networks: Networks, batch: Batch, config: Config) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Return the loss of G and Q, the drawings that D will learn from, and the parts of the loss.

    Args:
        networks: G, D and Q.
        batch: on the networks' device.
        config: of the training.
    """
    generator, discriminator, recogniser = networks
    objective = OBJECTIVES[config.objective]
    drawn = torch.cat([batch.codes, batch.perturbed]) if objective.pairs else batch.codes
    drawings = generator(drawn, batch.noise)
    # D judges only c: the far-away c' are no sample of the prior
    fake = drawings[: len(batch.codes)] if objective.pairs else drawings
    adversarial = generator_loss(at_least_float32(discriminator(fake)))
    seen = drawings if objective.reaches_generator else drawings.detach()
    if batch.recogniser_noise is not None:  # so that G cannot hide a code in invisibly faint texture
        seen = seen + config.recogniser_noise * batch.recogniser_noise.to(seen)
    recognised, *of_perturbed = at_least_float32(recogniser(seen)).split(len(batch.codes))
    what = objective.loss(Readings(batch.codes, recognised, batch.perturbed, batch.k, *of_perturbed), config)
    return adversarial + config.C_lambda * what, fake.detach(), {"G": adversarial, "what": what}


def loss_of_discriminator(
    discriminator: Discriminator, real: Tensor, fake: Tensor, config: Config, penalised: bool, compute: Compute
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of D, and its parts. R1 is computed in float32, since it squares small gradients.

    Args:
        discriminator: D.
        real, fake: images `[B, C, H, W]`.
        config: of the training.
        penalised: whether R1 is due in this step.
        compute: device and number format.
    """
    with compute.autocast():
        logits = at_least_float32(discriminator(torch.cat([real, fake.to(real.dtype)])))
        loss = discriminator_loss(*logits.split(len(real)))
    if not penalised:
        return loss, {"D": loss}
    penalty = r1_penalty(discriminator, real, config.gamma)
    return loss + config.r1_every * penalty, {"D": loss, "R1": penalty}


def add_gradients(
    networks: Networks,
    batch: Batch,
    config: Config,
    penalised: bool,
    compute: Compute,
    backward: Callable[[Tensor], None] = torch.Tensor.backward,
) -> dict[str, Tensor]:
    """Add the gradients of one batch to the networks' own: first those of G and Q, then D's; return the losses' parts.

    D learns from the images that G drew before its own step, so all gradients are known before any optimiser steps.

    Args:
        networks, batch, config: as for `loss_of_generator`.
        penalised, compute: as for `loss_of_discriminator`.
        backward: is given each loss and adds its gradients.
    """
    discriminator = networks[1]
    discriminator.requires_grad_(False)  # it answers G, and does not learn from that
    with compute.autocast():
        loss, fake, parts = loss_of_generator(networks, batch, config)
    backward(loss)
    discriminator.requires_grad_(True)
    loss, more = loss_of_discriminator(discriminator, batch.real, fake, config, penalised, compute)
    backward(loss)
    return parts | more


def at_least_float32(x: Tensor) -> Tensor:
    """Return half-precision numbers as float32 and others as they are, for losses in full precision."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
