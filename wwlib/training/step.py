"""The training step of all models of Part I (GAN, InfoGAN, PS, SC and PS-SC), and the state of a run."""

from __future__ import annotations

import copy
import time

import torch
from torch import Tensor, nn

from wwlib.base.device import Compute, own_modes
from wwlib.datasets.factors import FactorData
from wwlib.models.config import GROUP, Config, build_networks
from wwlib.training.batch import Batch, add_gradients, draw_batch
from wwlib.training.distributed import ALONE, Team


def ema_decay(batch: int, half_life: float) -> float:
    """Return the decay per step of a running average whose memory halves every `half_life` images."""
    return 0.5 ** (batch / half_life)


@torch.no_grad()
def update_average(average: nn.Module, current: nn.Module, decay: float) -> None:
    """Move the running average of a network's parameters towards their current values by 1 - decay, in place."""
    for averaged, parameter in zip(average.parameters(), current.parameters(), strict=True):
        averaged.lerp_(parameter, 1 - decay)


def learning_rate_share(progress: float, decay_from: float) -> float:
    """Return by how much to multiply the learning rate at `progress` in [0, 1] of a run: 1, then falling to 0."""
    if progress < decay_from or decay_from == 1:
        return 1.0
    return max(0.0, (1 - progress) / (1 - decay_from))


class Training:
    """The state of one run: three networks, the running average of G, two optimisers, one random stream, a log.

    Args:
        config: what to train.
        data: an object with `sample_images(n, generator) -> [n, C, H, W] in [-1, 1]`. If it has
            `sample_rows(n, generator, rows)` as well, each process makes only its own rows of the n images. If it has
            `seek(images)`, that is called with the number of images that the run has shown.
        compute: device and number format.
        micro_batch: real images that go through the networks at once, a multiple of 4; a smaller one needs less memory
            and gives the same result. None for all.
        team: the processes that share each batch.
    """

    def __init__(
        self, config: Config, data: FactorData, compute: Compute, micro_batch: int | None = None, team: Team = ALONE
    ):
        channels = getattr(data, "channels", config.channels)
        if channels != config.channels:
            raise ValueError(f"channels of the config must be those of the images, {channels}, got {config.channels}")
        self.config, self.data, self.compute, self.team = config, data, compute, team
        self.rows = team.rows(config.batch)
        self.micro_batch = check_micro_batch(micro_batch, self.rows.stop - self.rows.start)
        networks = [network.to(compute.device) for network in build_networks(config)]
        self.generator, self.discriminator, self.recogniser = networks
        self.average = copy.deepcopy(self.generator).requires_grad_(False)
        adam = dict(lr=config.learning_rate, betas=(0.0, 0.99), eps=1e-8, fused=compute.device.type != "mps")
        self.g_optimiser = torch.optim.Adam([*self.generator.parameters(), *self.recogniser.parameters()], **adam)
        self.d_optimiser = torch.optim.Adam(self.discriminator.parameters(), **adam)
        self.scaler = compute.scaler()
        self.random = torch.Generator().manual_seed(config.seed + 1)
        self.step_number = 0
        self.seconds = 0.0
        self.log: list[dict] = []
        self.sessions: list[dict] = []
        self.penalty = torch.zeros(())
        self.place_data()

    def place_data(self) -> None:
        """Move a data set that is a stream to the position of this run; other data sets need nothing."""
        if hasattr(self.data, "seek"):
            self.data.seek(self.step_number * self.config.batch)

    @own_modes()
    def step(self) -> dict[str, Tensor]:
        """Take one step of G, Q and D; return the losses as tensors on the device.

        All gradients are known before either optimiser steps (`add_gradients`): one sum over processes, and one
        decision whether to skip the step because float16 overflowed.
        """
        self._set_learning_rate()
        for optimiser in self.optimisers().values():
            optimiser.zero_grad(set_to_none=True)
        losses = self._add_gradients(self.draw())
        parameters = [p for o in self.optimisers().values() for p in o.param_groups[0]["params"] if p.grad is not None]
        gradients = [parameter.grad for parameter in parameters]
        self.team.add_up([*gradients, *losses.values()])
        if "R1" in losses:
            self.penalty = losses["R1"]
        losses["R1"] = self.penalty  # the latest one, since R1 is not computed in every step
        self._update(gradients)
        update_average(self.average, self.generator, ema_decay(self.config.batch, self.config.ema_images))
        self.step_number += 1
        return losses

    def draw(self) -> Batch:
        """Draw a step's codes, perturbations, noise and real images, the same in every process."""
        return draw_batch(self.config, self.generator, self.data, self.random, self.rows)

    def _add_gradients(self, batch: Batch) -> dict[str, Tensor]:
        """Add up gradients over this process's rows in micro-batches; return its shares of the batch's losses.

        Every loss is a mean over images, so a part of the batch counts by its share of the images.
        """
        networks = self.generator, self.discriminator, self.recogniser
        penalised = self.step_number % self.config.r1_every == 0
        losses: dict[str, Tensor] = {}
        for start in range(self.rows.start, self.rows.stop, self.micro_batch):
            rows = slice(start, min(start + self.micro_batch, self.rows.stop))
            part, share = batch.part(rows, self.rows.start, self.compute.device), (rows.stop - start) / len(batch.codes)

            def backward(loss: Tensor, share: float = share) -> None:
                self.scaler.scale(share * loss).backward()

            for name, value in add_gradients(networks, part, self.config, penalised, self.compute, backward).items():
                losses[name] = losses.get(name, 0) + share * value.detach()
        return losses

    def _update(self, gradients: list[Tensor]) -> None:
        """Step both optimisers, or neither if float16 overflowed; then adapt the gradient scale once."""
        for optimiser in self.optimisers().values():
            self.scaler.unscale_(optimiser)
        if not self.scaler.is_enabled() or torch.stack([g.isfinite().all() for g in gradients]).all():
            for optimiser in self.optimisers().values():
                self.scaler.step(optimiser)
        self.scaler.update()

    def _set_learning_rate(self) -> None:
        share = learning_rate_share(self.step_number / self.config.steps, self.config.decay_from)
        for optimiser in self.optimisers().values():
            optimiser.param_groups[0]["lr"] = self.config.learning_rate * share

    def networks(self) -> dict[str, nn.Module]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "recogniser": self.recogniser,
            "average": self.average,
        }

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"g_optimiser": self.g_optimiser, "d_optimiser": self.d_optimiser}

    def add_seconds(self, since: float) -> float:
        """Add the time since a value of `time.perf_counter` to the run's seconds; return the present value."""
        now = time.perf_counter()
        self.seconds += now - since
        return now

    def check_finite(self) -> None:
        """Raise FloatingPointError, naming the network, if any weight is NaN or infinite."""
        for name, network in self.networks().items():
            if not all(parameter.isfinite().all() for parameter in network.parameters()):
                raise FloatingPointError(f"weights of the {name} are not finite at step {self.step_number}")


def check_micro_batch(micro_batch: int | None, rows: int) -> int:
    """Return a micro-batch for `rows` images a step, all of them for None; ValueError unless it is a multiple of 4."""
    if micro_batch is None:
        return rows
    if micro_batch < GROUP or micro_batch % GROUP:
        raise ValueError(f"micro_batch must be a multiple of {GROUP}, whole groups of images, got {micro_batch}")
    return min(micro_batch, rows)
