"""Training a variational autoencoder of any family, and saving it."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from wwlib.base.device import Compute, own_modes
from wwlib.base.files import save_tensors
from wwlib.base.seeds import drawn_from
from wwlib.datasets.factors import FactorData
from wwlib.models.vae_losses import dip_penalty, kl_divergence, permute_codes, reconstruction_loss, total_correlation
from wwlib.models.vaes import VAE, Critic, VAEConfig
from wwlib.training.batch import at_least_float32


class VAETraining:
    """The state of one run: networks, optimisers, one random stream.

    Args:
        config: what to train.
        data: where images come from.
        compute: device and number format.
    """

    def __init__(self, config: VAEConfig, data: FactorData, compute: Compute):
        self.config, self.data, self.compute = config, data, compute
        with drawn_from(config.seed):
            self.model = VAE(config).to(compute.device)
            self.critic = Critic(config.codes, config.critic_width).to(compute.device)
        fused = compute.device.type != "mps"
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=config.learning_rate, fused=fused)
        self.critic_optimiser = torch.optim.Adam(self.critic.parameters(), lr=1e-4, betas=(0.5, 0.9), fused=fused)
        self.random = torch.Generator().manual_seed(config.seed + 1)
        self.scaler = compute.scaler()
        self.step_number = 0

    @own_modes()
    def step(self) -> dict[str, Tensor]:
        """Take one step (FactorVAE: also one of its critic); return the losses as tensors on the device."""
        config = self.config
        images = self.data.sample_images(config.batch, self.random).to(self.compute.device)
        with self.compute.autocast():
            mean, log_variance = self.model.encoder(images)
            mean, log_variance = at_least_float32(mean), at_least_float32(log_variance)
            z = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=self.random).to(mean.device)
            reconstruction = reconstruction_loss(at_least_float32(self.model.decoder.logits(z)), images)
            kl = kl_divergence(mean, log_variance).sum()
            pressure = self._pressure(z, mean, log_variance, kl)
        self._update(self.optimiser, reconstruction + kl + pressure)
        losses = dict(reconstruction=reconstruction.detach(), kl=kl.detach(), pressure=pressure.detach())
        if config.family == "factor-vae":
            losses["critic"] = self._critic_step(z.detach())
        self.step_number += 1
        return losses

    def _pressure(self, z: Tensor, mean: Tensor, log_variance: Tensor, kl: Tensor) -> Tensor:
        """Return the term that the family adds to the evidence lower bound."""
        strength, family = self.config.strength, self.config.family
        if family == "beta-vae":
            return (strength - 1) * kl
        if family == "beta-tcvae":
            return (strength - 1) * total_correlation(z, mean, log_variance)
        if family == "factor-vae":
            return (
                strength * at_least_float32(self.critic(z)).mean()
            )  # the logit estimates the log of q(z) over the product of its marginals
        covariance = torch.cov(mean.t(), correction=0)
        if family == "dip-vae-i":
            return dip_penalty(covariance, strength, 10 * strength)
        return dip_penalty(covariance + log_variance.exp().mean(dim=0).diag(), strength, strength)

    def _critic_step(self, z: Tensor) -> Tensor:
        with self.compute.autocast():
            logits = at_least_float32(self.critic(torch.cat([z, permute_codes(z, self.random)])))
            true, shuffled = logits.split(len(z))
            loss = (F.softplus(-true).mean() + F.softplus(shuffled).mean()) / 2
        self._update(self.critic_optimiser, loss)
        return loss.detach()

    def _update(self, optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        # this also drops the gradients that the other network's loss has left in these parameters
        optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.scaler.step(optimiser)
        self.scaler.update()


def train_vae(config: VAEConfig, data: FactorData, compute: Compute, path: str | Path | None = None) -> VAE:
    """Train one autoencoder from nothing and return it; with `path`, also write it and its run record.

    Raises:
        FloatingPointError: if the losses stop being finite.
    """
    state, start, log = VAETraining(config, data, compute), time.perf_counter(), []
    for step in range(1, config.steps + 1):
        losses = state.step()
        if step % 50 == 0 or step == config.steps:
            entry = {name: value.item() for name, value in losses.items()}
            if not all(map(math.isfinite, entry.values())):
                raise FloatingPointError(f"losses are not finite at step {step}: {entry}")
            log.append({"images": step * config.batch, **{name: round(value, 3) for name, value in entry.items()}})
    if path:
        save_vae(path, state, time.perf_counter() - start, log)
    return state.model.eval().requires_grad_(False)


def save_vae(path: str | Path, state: VAETraining, seconds: float, log: list[dict]) -> None:
    """Write an autoencoder and its run record, whole or not at all.

    Args:
        path: of the file.
        state: of the run.
        seconds: of training.
        log: losses along the run.
    """
    about = dict(
        kind="vae",
        config=asdict(state.config),
        images=state.step_number * state.config.batch,
        seconds=round(seconds, 1),
        device=str(state.compute),
        versions=dict(torch=torch.__version__),
        log=log,
    )
    save_tensors(path, state.model.state_dict(), about)
