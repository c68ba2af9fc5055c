"""Unsupervised part discovery (Braun, Esser, Ommer, GCPR 2020): pictures cut into slots that nobody has named.

Two pictures of one figure are given, in two poses. A shape code is read from each picture, and a decoder draws a mask
for every slot from the code alone. Under each mask the colours and features of the *other* picture are averaged, and
the picture is drawn from its masks and the other one's averages. That works only where a slot shows the same part in
both.

Our own, and not in the accounts of the paper that we could read: slot 0 is the background (it starts larger, and the
penalties on wide and close slots spare it), the penalty on the area of the other slots, and the penalty on close
slots. The paper reads each slot's appearance from the masked picture; here it is an average of one map of features.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple

import torch
from torch import Tensor, nn

from wwlib.appearance.blocks import Normal, kl
from wwlib.appearance.information_critic import Constraint
from wwlib.appearance.robust import Pairs
from wwlib.appearance.segments.critics import Critics
from wwlib.appearance.segments.losses import area_loss, compactness_losses, entropy_loss, hard, variation_loss
from wwlib.appearance.segments.networks import (
    CHANNELS,
    GLOBAL,
    LOOK,
    SIDE,
    Decoder,
    LookReader,
    MaskDecoder,
    ShapeEncoder,
)
from wwlib.appearance.warps import moments, sample_warp
from wwlib.base.checks import check_numbers, check_whole
from wwlib.base.descent import descend
from wwlib.base.device import Compute
from wwlib.base.seeds import drawn_from

HEAD_START = 2.5  # added to the background's logit
CPU = Compute(torch.device("cpu"), torch.bfloat16)


@dataclass(frozen=True)
class Schedule:
    """How slots are trained.

    Args:
        slots: how many there are, P.
        channels: of the shape code at each of 4 x 4 places; 0 for one code of 32 numbers without places.
        background: whether slot 0 has a head start, and is spared by the penalties on wide and close slots.
        warped: whether the second picture is a warped copy of the first, and no other pose.
        critic: whether T and T' watch shape and looks, and T's estimate must stay below `bound` nats.
        beta: weight of the shape code's divergence, per nat.
        rise: shares of the training between which beta, entropy and variation rise from 0 to their weights.
        area, entropy, trace, separation, variation: weights of the penalties on masks.
        area_rise: share of the training over which the penalty on area rises from 0; 0 for its whole weight at once.
        reach: distance below which two slots are too close; the picture is 2 wide.
        rebuilt: weight of the mean absolute error.
        noise: standard deviation of what is added to the logits in training.
        soft: share of the training with soft masks, before each pixel has one slot.
        bound, mu, multiplier_step: of the critic's constraint.
        steps, batch, rate, clip, falls_from: of Adam.
        seed: of weights, pictures and noise.

    Raises:
        ValueError: for a number that makes no sense; the message names the entry.
    """

    slots: int = 8
    channels: int = CHANNELS
    background: bool = True
    warped: bool = False
    critic: bool = True
    beta: float = 0.002
    rise: tuple[float, float] = (0.2, 0.5)
    area: float = 2.0
    area_rise: float = 0.0
    entropy: float = 0.3
    trace: float = 0.5
    separation: float = 0.3
    variation: float = 0.1
    reach: float = 0.15
    rebuilt: float = 100.0
    noise: float = 0.5
    soft: float = 0.3
    bound: float = 0.1
    mu: float = 0.5
    multiplier_step: float = 0.05
    steps: int = 1_750
    batch: int = 12
    rate: float = 2e-3
    clip: float = 20.0
    falls_from: float = 0.6
    seed: int = 0

    def __post_init__(self):
        check_whole(2, slots=self.slots)
        check_whole(2 if self.critic else 1, batch=self.batch)  # a critic mixes pairs
        check_whole(steps=self.steps)
        check_whole(0, channels=self.channels, seed=self.seed)
        check_numbers(self, ("rate", "clip", "reach", "mu", "multiplier_step"),
                      ("beta", "area", "entropy", "trace", "separation", "variation", "rebuilt", "noise", "soft",
                       "bound", "falls_from", "area_rise"))  # fmt: skip
        if self.falls_from >= 1:
            raise ValueError(f"falls_from must be below 1, a share of the training, got {self.falls_from!r}")
        shares = self.rise if isinstance(self.rise, (tuple, list)) and len(self.rise) == 2 else (1, 0)
        if not all(isinstance(share, Real) for share in shares) or not 0 <= shares[0] < shares[1] <= 1:
            raise ValueError(f"rise must be two rising shares of the training, got {self.rise!r}")
        object.__setattr__(self, "rise", tuple(self.rise))  # a record gives a list


class DiscoveryModel(nn.Module):
    """Shape encoder, mask decoder, reader of looks and decoder together.

    Args:
        schedule: says how many slots there are and what the shape code is like; its seed draws the weights.
    """

    def __init__(self, schedule: Schedule):
        super().__init__()
        with drawn_from(schedule.seed):
            self.encoder = ShapeEncoder(schedule.channels)
            self.mask_decoder = MaskDecoder(schedule.slots, schedule.channels)
            self.look_reader, self.decoder = LookReader(), Decoder(schedule.slots)
        self.slots, self.head_start = schedule.slots, HEAD_START if schedule.background else 0.0

    def shape(self, images: Tensor) -> Normal:
        """Return the distributions of the shape codes of pictures `[B, 3, 32, 32]` in [-1, 1]."""
        return self.encoder(images)

    def logits(self, code: Tensor) -> Tensor:
        """Return the slots' logits `[B, P, 32, 32]` for shape codes; slot 0 is first and has its head start."""
        logits = self.mask_decoder(code)
        return torch.cat([logits[:, :1] + self.head_start, logits[:, 1:]], dim=1)

    def masks(self, images: Tensor) -> Tensor:
        """Return the hard masks `[B, P, 32, 32]` of pictures, without any noise."""
        return hard(self.logits(self.shape(images).mean).softmax(dim=1))

    def looks(self, images: Tensor, masks: Tensor) -> Tensor:
        """Return the looks `[B, P, 12]` of pictures under their masks."""
        return self.look_reader(images, masks)

    def draw(self, masks: Tensor, looks: Tensor) -> Tensor:
        """Return pictures `[B, 3, 32, 32]` of masks and looks, not yet cut off at -1 and 1."""
        return self.decoder(masks, looks)

    def transfer(self, x: Tensor, onto: Tensor, slots: list[int] | None = None) -> Tensor:
        """Return pictures with the shape of `onto` and the looks of `x`.

        Args:
            x, onto: pictures `[B, 3, 32, 32]`.
            slots: whose look comes from `x`, the others keep that of `onto`; None for all.
        """
        masks = self.masks(onto)
        looks = self.looks(x, self.masks(x))
        if slots is not None:
            given, looks = looks, self.looks(onto, masks).clone()
            looks[:, slots] = given[:, slots]
        return self.draw(masks, looks).clamp(-1, 1)


class Seen(NamedTuple):
    """What a step of training sees: `codes`, distributions of the shape codes; `code`, drawn from them; `soft` masks
    `[B, P, 32, 32]`; `looks` `[B, P, 12]` and `drawn` pictures."""

    codes: Normal
    code: Tensor
    soft: Tensor
    looks: Tensor
    drawn: Tensor


def exchange(
    model: DiscoveryModel, images: Tensor, noise: float, straight: bool, generator: torch.Generator | None
) -> Seen:
    """Draw every picture from its own masks and the looks of the picture that belongs to it.

    Args:
        model: to be trained.
        images: `[2n, 3, 32, 32]`; picture i and picture n + i show one figure.
        noise: standard deviation of what is added to the logits.
        straight: whether masks are hard, with straight-through gradients.
        generator: of all noise.
    """
    codes = model.shape(images)
    code = codes.sample(generator)
    logits = model.logits(code)
    home = logits.device if generator is None else generator.device
    soft = (logits + noise * torch.randn(logits.shape, generator=generator, device=home).to(logits.device)).softmax(1)
    masks = hard(soft) if straight else soft
    looks = model.looks(images, masks).roll(len(images) // 2, dims=0)
    return Seen(codes, code, soft, looks, model.draw(masks, looks))


def discovery_loss(seen: Seen, images: Tensor, schedule: Schedule, done: float) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a step without the critic's part, and what it is made of, not weighted.

    Args:
        seen: what `exchange` gave.
        images: that should have been drawn.
        schedule: says the weights.
        done: share of the training that has passed.
    """
    start, end = schedule.rise
    risen = min(max((done - start) / (end - start), 0.0), 1.0)
    grown = min(done / schedule.area_rise, 1.0) if schedule.area_rise else 1.0
    trace, separation = compactness_losses(moments(seen.soft), schedule.reach, spared=int(schedule.background))
    terms = {
        "rebuilt": (seen.drawn - images).abs().mean(),
        "kl": kl(seen.codes).mean(),
        "area": area_loss(seen.soft),
        "entropy": entropy_loss(seen.soft),
        "trace": trace,
        "separation": separation,
        "variation": variation_loss(seen.soft),
    }
    weights = {
        "rebuilt": schedule.rebuilt,
        "kl": risen * schedule.beta,
        "area": grown * schedule.area,
        "entropy": risen * schedule.entropy,
        "trace": schedule.trace,
        "separation": schedule.separation,
        "variation": risen * schedule.variation,
    }
    return sum(weights[name] * term for name, term in terms.items()), terms


def train_discovery(
    pairs: Pairs, schedule: Schedule, compute: Compute = CPU
) -> tuple[DiscoveryModel, list[dict[str, float]]]:
    """Train slots on pairs of pictures; return the model frozen, and its losses every 25 steps.

    Args:
        pairs: two pictures of each figure.
        schedule: variant, steps and seed.
        compute: where it runs and in which number format; masks, moments and losses stay in float32.

    Raises:
        FloatingPointError: if the loss is not finite.
    """
    model = DiscoveryModel(schedule).to(compute.device, memory_format=torch.channels_last)
    length = SIDE**2 * schedule.channels or GLOBAL
    constraint = Constraint(schedule.bound, schedule.mu, schedule.multiplier_step)
    critics = Critics(length, schedule.slots * LOOK, constraint, schedule.seed, compute.device)
    generator = torch.Generator().manual_seed(1_000 + schedule.seed)
    history: list[dict[str, float]] = []

    def loss_at(step: int) -> Tensor:
        watched = (
            critics.learn() if schedule.critic and step else {}
        )  # on the last step's codes, whose gradients are done
        first, second = pairs.draw(schedule.batch, generator)
        if schedule.warped:
            second = sample_warp(len(first), generator).apply(first)
        images = torch.cat([first, second]).to(compute.device).contiguous(memory_format=torch.channels_last)
        done = step / schedule.steps
        with compute.autocast():
            seen = exchange(model, images, schedule.noise, done >= schedule.soft, generator)
        loss, terms = discovery_loss(seen, images, schedule, done)
        if schedule.critic:
            loss = loss + critics.penalty(seen.code[: len(first)], seen.looks[: len(first)])
        if step % 25 == 0 or step == schedule.steps - 1:
            history.append({"step": step} | {name: term.item() for name, term in terms.items()} | watched)
        return loss

    descend(model, loss_at, schedule.steps, schedule.rate, clip=schedule.clip, falls_from=schedule.falls_from)
    return model, history


def segment(model: DiscoveryModel, images: Tensor) -> Tensor:
    """Return the slot of every pixel, `[n, 32, 32]`, of pictures `[n, 3, 32, 32]`, 100 at a time."""
    with torch.no_grad():
        return torch.cat([model.masks(some).argmax(dim=1) for some in images.split(100)])
