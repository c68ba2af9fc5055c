"""How content and style learn in lesson 16: one step of the critic and one of the drawing networks, in turn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wwlib.appearance.style import Critic, Schedule, StyleModel
from wwlib.appearance.styles.losses import (
    content_loss,
    contrast_loss,
    critic_loss,
    deception_loss,
    disentanglement_loss,
    feature_loss,
    fixpoint_triplet_loss,
    gradient_penalty,
    image_loss,
)
from wwlib.base.descent import falling_rate
from wwlib.base.device import Compute, own_modes
from wwlib.datasets.styles.paintings import FAMILIES, paintings, sample_styles, shifted
from wwlib.datasets.styles.scenes import photographs, sample_scenes

PENALISED = 4  # the gradient is penalised in one of so many steps, so many times as much
FALLS_FROM, NOTED = 0.6, 25  # share of the steps after which the rate falls; steps between two notes


@dataclass(frozen=True)
class Batch:
    """What a step sees: pictures `[2 B, 3, 32, 32]` in [-1, 1].

    Args:
        photos: the first half is x, the second half x'.
        references: paintings; the first half is y, the second half y'.
        partners: paintings in the styles of the references, from which the second crops of a contrast are taken.
        families: of the references, `[2 B]`.
    """

    photos: Tensor
    references: Tensor
    partners: Tensor
    families: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


def draw_batch(schedule: Schedule, generator: torch.Generator) -> Batch:
    """Return a batch of fresh photos and paintings, every one of another scene."""
    n = schedule.batch
    photos = photographs(sample_scenes(2 * n, generator), generator)
    families = torch.randint(len(FAMILIES), (2 * n,), generator=generator)
    same = torch.rand(n, generator=generator) < schedule.same_family
    families[n:] = torch.where(same, families[:n], families[n:])
    styles = sample_styles(2 * n, generator, families, schedule.angles)
    references = paintings(sample_scenes(2 * n, generator), styles)
    partners = references
    if schedule.siblings:
        partners = paintings(sample_scenes(2 * n, generator), shifted(styles, generator))
    return Batch(photos, references, partners, families)


def crops(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """Return a part `[B, C, side, side]` of every picture `[B, C, H, W]`, each at a random place."""
    height, width = images.shape[2:]
    rows = torch.randint(height - side + 1, (len(images),), generator=generator).tolist()
    columns = torch.randint(width - side + 1, (len(images),), generator=generator).tolist()
    return torch.stack(
        [image[:, y : y + side, x : x + side] for image, y, x in zip(images, rows, columns, strict=True)]
    )


def first_again(rows: Tensor, n: int) -> Tensor:
    """Return what belongs to the styles s, s', s of three drawings, for rows `[2 n, ...]` of s and s'."""
    return torch.cat([rows, rows[:n]])


def draw_three(
    model: StyleModel, batch: Batch, schedule: Schedule, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """Draw x1 = (x, s), x2 = (x, s') and x3 = (x', s); return them, and the losses that need no critic, not weighted.

    Args:
        model: in training.
        batch: n photos x, n photos x', n references y and n references y'.
        schedule: of the training.
        generator: of the crops.
    """
    n, some = schedule.batch, lambda images: crops(images, schedule.crop, generator)
    content, codes = model.content(batch.photos), model.style(some(batch.references))
    s, s_other = codes.split(n)
    terms = {}
    if schedule.contrast:
        terms["contrast"] = contrast_loss(codes, model.style(some(batch.partners)))
    content = torch.cat([content[:n], content])
    drawn = model.decode(content, torch.cat([s, s_other, s]))
    if schedule.contrast:
        s, s_other = s.detach(), s_other.detach()
    style = frozen(model.style) if schedule.contrast else model.style
    read, read_other, read_elsewhere = style(some(drawn)).split(n)
    photos = torch.cat([batch.photos[:n], batch.photos])
    terms["image"] = image_loss(drawn, photos, schedule.coloured)
    terms["content"] = content_loss(model.content(drawn), content)
    terms["triplet"] = fixpoint_triplet_loss(s, s_other, read, read_other, schedule.margin)
    terms["disentangle"] = disentanglement_loss(s, read, read_elsewhere)
    return drawn, terms


def frozen(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return a network as a function: gradients pass through it to its input, and none reach its parameters."""
    weights = {name: parameter.detach() for name, parameter in network.named_parameters()}
    return lambda images: torch.func.functional_call(network, weights, (images,))


class StyleTraining:
    """A model in training, and its critic."""

    def __init__(self, schedule: Schedule, compute: Compute | None = None):
        self.schedule, self.compute = schedule, compute or Compute(torch.device("cpu"))
        place = dict(device=self.compute.device, memory_format=torch.channels_last)
        self.model = StyleModel(schedule.seed, schedule.steered).to(**place)
        self.critic = Critic(schedule.seed + 1).to(**place)
        self.optimisers = [
            torch.optim.Adam(player.parameters(), lr=schedule.rate, betas=(0.5, 0.99), fused=True)
            for player in (self.model, self.critic)
        ]
        lengths = schedule.steps, max(1, schedule.steps - schedule.warm_up)
        self.falling = [
            falling_rate(optimiser, steps, FALLS_FROM)
            for optimiser, steps in zip(self.optimisers, lengths, strict=True)
        ]
        self.generator = torch.Generator().manual_seed(1_000 + schedule.seed)
        self.taken = 0

    def step(self, batch: Batch) -> dict[str, Tensor]:
        """Train both players on a batch; return what their losses are made of, not weighted."""
        self.critic.requires_grad_(False)
        with self.compute.autocast():
            drawn, loss, terms = self._drawing_loss(batch)
        self._move(0, loss)
        if self.critic_acts():
            self._step_critic(batch, drawn.detach(), terms)
        self.taken += 1
        return terms

    def critic_acts(self) -> bool:
        """Return whether the warm-up is over."""
        return self.taken >= self.schedule.warm_up

    def _step_critic(self, batch: Batch, drawn: Tensor, terms: dict[str, Tensor]) -> None:
        """Train the critic on real and drawn pictures, and add what its loss is made of to `terms`."""
        self.critic.requires_grad_(True)
        with self.compute.autocast():
            terms["critic"] = critic_loss(self.critic(batch.references), self.critic(drawn), batch.families)
        loss = terms["critic"]
        if self.taken % PENALISED == 0 and self.schedule.penalty:
            real = batch.references.clone().requires_grad_()
            terms["penalty"] = gradient_penalty(self.critic(real), real)  # a gradient of a gradient, in float32
            loss = loss + PENALISED * self.schedule.penalty / 2 * terms["penalty"]
        self._move(1, loss)

    def _move(self, player: int, loss: Tensor) -> None:
        optimiser = self.optimisers[player]
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_((self.model, self.critic)[player].parameters(), self.schedule.clip)
        optimiser.step()
        self.falling[player].step()

    def _drawing_loss(self, batch: Batch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """What the three networks draw of a batch, their loss, and what it is made of."""
        schedule = self.schedule
        drawn, terms = draw_three(self.model, batch, schedule, self.generator)
        if self.critic_acts():
            verdicts = self.critic(drawn)
            terms["real"], terms["family"] = deception_loss(verdicts, first_again(batch.families, schedule.batch))
            if schedule.features:
                references = first_again(batch.references, schedule.batch)
                terms["features"] = feature_loss(verdicts, self.critic(references))
        weights = vars(schedule) | dict(real=schedule.adversarial)
        return drawn, sum(weights[name] * term for name, term in terms.items()), terms


@own_modes()
def train_style(
    schedule: Schedule,
    compute: Compute | None = None,
    draw: Callable[[Schedule, torch.Generator], Batch] = draw_batch,
) -> tuple[StyleModel, list[dict]]:
    """Train content and style; return the model frozen, and its losses every 25 steps.

    Args:
        schedule: of the training.
        compute: where it runs and in which number format; codes, pictures and losses stay in float32.
        draw: the pictures of a step; photos and paintings of scenes, unless others are given.

    Raises:
        FloatingPointError: if a loss that is noted is not finite.
    """
    training, history = StyleTraining(schedule, compute), []
    for step in range(schedule.steps):
        terms = training.step(draw(schedule, training.generator).to(training.compute.device))
        if step % NOTED == 0 or step == schedule.steps - 1:
            history.append({"step": step} | {name: term.item() for name, term in terms.items()})
            if not all(map(math.isfinite, history[-1].values())):
                raise FloatingPointError(f"a loss is not finite at step {step}: {history[-1]}")
    return training.model.eval().requires_grad_(False), history
