"""The Variational U-Net (Esser, Sutter, Ommer, CVPR 2018): a picture from a skeleton and a code of appearance.

x is the picture, y its skeleton. The U-Net G reads y and draws; the encoder F reads x and y and gives q(z | x, y);
the prior p(z | y) is read from y alone. Where y already tells the shape, shape in z is paid for with divergence and
buys nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.appearance.blocks import WIDTHS, Modulation, Normal, Pyramid, block, doubled, kl, normal_of
from wwlib.base.descent import descend
from wwlib.base.device import Compute
from wwlib.base.seeds import drawn_from
from wwlib.datasets.poses import sample_pose
from wwlib.datasets.puppet import render, sample_appearance, skeleton

COARSE, FINE, STYLE = 8, 4, 96  # channels of z at 4 px and of z2 at 8 px; length of the vector that modulates


@dataclass(frozen=True)
class Schedule:
    """How a Variational U-Net is trained, and which codes it has.

    Args:
        coarse: whether there is a code z of 4 x 4 x 8.
        fine: whether there is a second code z2 of 8 x 8 x 4.
        beta: weight of the divergence, in units of the loss below, per nat.
        fine_weight: how many times more a nat of z2 costs.
        rise: shares of the training between which beta rises from 0 to its value.
        clothes: whether torso and arms share a colour, and legs do, so that there are three colours and not six.
        pooled: whether the encoder hands pooled colours on and z's mean is also read from the whole picture.
        modulated: whether z also modulates the decoder at 8, 16 and 32 px.
        weighted: whether pixels near the skeleton count four times as much.
        steps, batch, rate: of Adam.
        seed: of weights, pictures and noise.
    """

    coarse: bool = True
    fine: bool = False
    beta: float = 0.1
    fine_weight: float = 1.0
    rise: tuple[float, float] = (0.2, 0.5)
    clothes: bool = True
    pooled: bool = True
    modulated: bool = True
    weighted: bool = True
    steps: int = 1600
    batch: int = 32
    rate: float = 2e-3
    seed: int = 0


class AppearanceEncoder(nn.Module):
    """F of the paper: reads picture and skeleton, and gives q(z | x, y) and q(z2 | x, y).

    Args:
        schedule: says which codes there are.
    """

    def __init__(self, schedule: Schedule):
        super().__init__()
        self.pyramid = Pyramid(6)
        self.pooled = schedule.pooled
        seen = WIDTHS[3] + (12 if schedule.pooled else 0)
        self.local = nn.Conv2d(seen, 2 * COARSE, 3, padding=1)
        self.overall = nn.Linear(16 * seen, 16 * COARSE) if schedule.pooled else None
        self.fine = nn.Conv2d(WIDTHS[2], 2 * FINE, 3, padding=1) if schedule.fine else None

    def forward(self, x: Tensor, y: Tensor) -> tuple[Normal, Normal | None]:
        """Return the distributions of z `[B, 8, 4, 4]` and of z2 `[B, 4, 8, 8]`; None where there is no z2."""
        _, _, at_8, at_4 = self.pyramid(torch.cat([x, y], dim=1))
        if self.pooled:
            at_4 = torch.cat([at_4, pooled_colours(x, y)], dim=1)
        coarse = self.local(at_4)
        if self.overall is not None:
            mean, log_variance = coarse.chunk(2, dim=1)
            coarse = torch.cat([mean + self.overall(at_4.flatten(1)).view_as(mean), log_variance], dim=1)
        return normal_of(coarse), None if self.fine is None else normal_of(self.fine(at_8))


def pooled_colours(x: Tensor, y: Tensor) -> Tensor:
    """Return mean colours at 4 px, `[B, 12, 4, 4]`: of everything, and of what lies under each channel of `y`."""
    under = (x[:, None] * y[:, :, None]).flatten(1, 2)
    return torch.cat([F.avg_pool2d(x, 8), 4 * F.avg_pool2d(under, 8)], dim=1)


class UNet(nn.Module):
    """G of the paper: draws from a skeleton and codes, with skips from every resolution of the skeleton.

    Args:
        schedule: says which codes there are.
    """

    def __init__(self, schedule: Schedule):
        super().__init__()
        fine, medium, small, smallest = WIDTHS
        self.pyramid = Pyramid(3)
        self.prior = nn.Conv2d(smallest, 2 * COARSE, 1)
        nn.init.zeros_(self.prior.weight)
        nn.init.zeros_(self.prior.bias)
        self.join = block(smallest + (COARSE if schedule.coarse else 0), smallest)
        self.up = nn.ModuleList(
            (block(smallest + small, small), block(small + medium, medium), block(medium + fine, fine))
        )
        modulated = schedule.coarse and schedule.modulated
        self.style = nn.Linear(16 * COARSE, STYLE) if modulated else None
        self.modulate = nn.ModuleList(Modulation(STYLE, width) for width in (small, medium, fine) if modulated)
        self.add = nn.ModuleList(nn.Conv2d(FINE, width, 1) for width in (small, medium) if schedule.fine)
        self.draw = nn.Conv2d(fine, 3, 3, padding=1)
        self.coarse = schedule.coarse

    def read(self, y: Tensor) -> tuple[list[Tensor], Normal]:
        """Return the features of a skeleton, the finest first, and the prior p(z | y)."""
        skips = self.pyramid(y)
        mean, log_variance = self.prior(skips[-1]).float().chunk(2, dim=1)
        return skips, Normal(mean, log_variance)

    def forward(self, skips: list[Tensor], z: Tensor | None, z2: Tensor | None = None) -> Tensor:
        """Return pictures `[B, 3, 32, 32]`.

        Args:
            skips: features of the skeletons.
            z: codes `[B, 8, 4, 4]`; None for a model without one.
            z2: codes `[B, 4, 8, 8]`; None for a model without them.
        """
        h = self.join(torch.cat([skips[3], z], dim=1) if self.coarse and z is not None else skips[3])
        style = F.silu(self.style(z.flatten(1))) if self.style is not None and z is not None else None
        for k, (up, skip) in enumerate(zip(self.up, skips[2::-1], strict=True)):
            h = up(torch.cat([doubled(h), skip], dim=1))
            if z2 is not None and k < len(self.add):
                h = h + self.add[k](z2 if k == 0 else doubled(z2))
            if style is not None:
                h = self.modulate[k](h, style)  # at 32 px nothing normalises after it, so a colour can pass
        return self.draw(h)


class VUNet(nn.Module):
    """Encoder F and U-Net G together.

    Args:
        schedule: says which codes there are; its seed draws the weights.
    """

    def __init__(self, schedule: Schedule):
        super().__init__()
        with drawn_from(schedule.seed):
            self.encoder, self.unet = AppearanceEncoder(schedule), UNet(schedule)
        self.coarse = schedule.coarse

    def encode(self, x: Tensor, y: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor | None, ...]:
        """Return sampled codes z and z2 of pictures and their skeletons; None for a code that is not there."""
        q, q2 = self.encoder(x, y)
        return q.sample(generator) if self.coarse else None, None if q2 is None else q2.sample(generator)

    def transfer(self, x: Tensor, y: Tensor, onto: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Return pictures with the appearance of `x` (whose skeletons are `y`) in the poses of `onto`."""
        return self.unet(self.unet.read(onto)[0], *self.encode(x, y, generator)).clamp(-1, 1)

    def sample(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """Return pictures in the poses of `y` whose appearance is drawn from the priors."""
        skips, prior = self.unet.read(y)
        z2 = None
        if self.encoder.fine is not None:
            z2 = torch.randn(len(y), FINE, 8, 8, generator=generator, device=y.device)
        return self.unet(skips, prior.sample(generator) if self.coarse else None, z2).clamp(-1, 1)


def picture_loss(drawn: Tensor, x: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return 100 (w (|d| + 2 d^2) + |d| / 2 at half the resolution), d the difference to the picture.

    Args:
        drawn, x: `[B, 3, H, W]`.
        weight: w of every pixel, `[B, 1, H, W]`, mean 1; None for 1 everywhere.
    """
    difference = drawn.float() - x
    fine = difference.abs() + 2 * difference.square()
    coarse = F.avg_pool2d(difference, 2).abs().mean()
    return 100 * ((fine if weight is None else weight * fine).mean() + 0.5 * coarse)


def near_skeleton(y: Tensor) -> Tensor:
    """Return the weight of every pixel, `[B, 1, H, W]` with mean 1: four times as much near the lines of `y`."""
    near = 1 + 3 * F.max_pool2d(y.amax(dim=1, keepdim=True), 5, stride=1, padding=2)
    return near / near.mean()


def beta_at(progress: float, schedule: Schedule) -> float:
    """Return the weight of the divergence at a share of the training: 0, then a straight line up to `beta`."""
    start, end = schedule.rise
    return schedule.beta * min(1.0, max(0.0, (progress - start) / max(end - start, 1e-9)))


def vunet_loss(
    model: VUNet, x: Tensor, y: Tensor, beta: float, schedule: Schedule, generator: torch.Generator
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a batch and what it is made of, `rebuilt` and `nats` (of z and z2).

    Args:
        model: to be trained.
        x, y: pictures in [-1, 1] and their skeletons in [0, 1].
        beta: weight of the divergence.
        schedule: says what a nat of z2 costs and whether pixels are weighted.
        generator: of the noise.
    """
    skips, prior = model.unet.read(y)
    q, q2 = model.encoder(x, y)
    z = q.sample(generator) if model.coarse else None
    z2 = None if q2 is None else q2.sample(generator)
    rebuilt = picture_loss(model.unet(skips, z, z2), x, near_skeleton(y) if schedule.weighted else None)
    nats = kl(q, prior).mean() if model.coarse else torch.zeros(())
    nats2 = torch.zeros(()) if q2 is None else kl(q2).mean()
    loss = rebuilt + beta * (nats + schedule.fine_weight * nats2)
    return loss, dict(rebuilt=rebuilt, nats=nats, nats2=nats2)


def draw_batch(schedule: Schedule, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return a batch of fresh puppets `[B, 3, 32, 32]` in [-1, 1] and their skeletons in [0, 1]."""
    pose = sample_pose(schedule.batch, generator)
    appearance = sample_appearance(schedule.batch, generator, clothes=schedule.clothes)
    return render(pose, appearance).images, skeleton(pose)


def train_vunet(
    schedule: Schedule,
    batch_of: Callable[[Schedule, torch.Generator], tuple[Tensor, Tensor]] = draw_batch,
    compute: Compute | None = None,
) -> tuple[VUNet, list[dict]]:
    """Train a Variational U-Net; return it frozen, and its losses every 25 steps.

    Args:
        schedule: of the training.
        batch_of: gives a batch of pictures and shapes; puppets and skeletons unless other ones are given.
        compute: where it runs and in which number format; the divergence and the loss stay in float32.

    Raises:
        FloatingPointError: if the loss is not finite.
    """
    compute = compute or Compute(torch.device("cpu"))
    model = VUNet(schedule).to(compute.device, memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(1_000 + schedule.seed)
    history = []

    def loss_at(step: int) -> Tensor:
        x, y = (tensor.to(compute.device) for tensor in batch_of(schedule, generator))
        beta = beta_at(step / schedule.steps, schedule)
        with compute.autocast():
            loss, terms = vunet_loss(model, x, y, beta, schedule, generator)
        if step % 25 == 0 or step == schedule.steps - 1:
            history.append(dict(step=step, beta=beta) | {name: term.item() for name, term in terms.items()})
        return loss

    descend(model, loss_at, schedule.steps, schedule.rate, betas=(0.9, 0.99), clip=20.0, falls_from=0.6)
    return model, history
