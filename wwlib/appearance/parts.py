"""Part-based shape and appearance (Lorenz, Bereska, Milbich, Ommer, CVPR 2019): landmarks and a look for each of them.

A picture x is seen twice: warped, and recoloured. A U-Net reads K landmarks from each view: places with a spread.
Under each landmark the colours and features of the view are averaged. The decoder draws the warped view in the other
colours from the landmarks of the one and the averages of the other, and the reverse.

Three things are not in the paper: the penalties on landmarks that lie close together and on wide ones, a vector of
averages for the background, and painting at full resolution. The paper draws through a patch discriminator and looks
only at pixels near landmarks; both are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.appearance.blocks import block, doubled, with_coordinates
from wwlib.appearance.landmarks.losses import covariance_loss, mean_loss, separation_loss, trace_loss
from wwlib.appearance.warps import (
    Jitter,
    Moments,
    Warp,
    heat_maps,
    moments,
    sample_jitter,
    sample_warp,
    spatial_softmax,
)
from wwlib.base.checks import check_numbers, check_whole
from wwlib.base.descent import descend
from wwlib.base.device import Compute
from wwlib.base.seeds import drawn_from
from wwlib.datasets.poses import sample_pose
from wwlib.datasets.puppet import render, sample_appearance

READ, DRAWN = 16, (8, 16, 32)  # px: where landmarks are read, and where appearance is painted
LOOK = 16  # averages under a landmark: red, green, blue and 13 features
BACKGROUND = 0.02  # share of a pixel that is background grows from here as heat falls


@dataclass(frozen=True)
class Schedule:
    """How landmarks and their looks are trained.

    Args:
        landmarks: how many there are.
        raw: whether the decoder sees the maps that landmarks are read from, in place of drawn landmarks.
        coordinates: whether the reader is told where each pixel lies.
        jitter: whether the second view is recoloured.
        mean_weight, covariance_weight: of the two losses that ask landmarks to move with the picture.
        separation, reach: weight of the penalty on landmarks closer than about `reach`; the picture is 2 wide.
        trace: weight of the penalty on wide landmarks.
        steps, batch, rate: of Adam.
        seed: of weights, pictures, warps and colours.

    Raises:
        ValueError: for a number that makes no sense; the message names the entry.
    """

    landmarks: int = 8
    raw: bool = False
    coordinates: bool = False
    jitter: bool = True
    mean_weight: float = 5.0
    covariance_weight: float = 0.1
    separation: float = 0.1
    reach: float = 0.22
    trace: float = 0.3
    steps: int = 1000
    batch: int = 16
    rate: float = 2e-3
    seed: int = 0

    def __post_init__(self):
        check_whole(landmarks=self.landmarks, steps=self.steps, batch=self.batch)
        check_whole(0, seed=self.seed)
        check_numbers(self, ("reach", "rate"), ("mean_weight", "covariance_weight", "separation", "trace"))


class Shape(NamedTuple):
    """Where the parts of pictures are: `maps` `[B, K, 16, 16]`, distributions over the pixels, and their moments."""

    maps: Tensor
    landmarks: Moments


class LandmarkReader(nn.Module):
    """A U-Net from pictures `[B, 3, 32, 32]` to a map for each landmark at 16 px.

    Unless it is told where each pixel lies, what it reads depends on what is there, and little on where.

    Args:
        landmarks: how many.
        coordinates: whether it is told where each pixel lies.
    """

    def __init__(self, landmarks: int, coordinates: bool = False):
        super().__init__()
        self.coordinates = coordinates
        self.enter = nn.Sequential(block(5 if coordinates else 3, 24, stride=2), block(24, 32))
        self.to_8, self.to_4 = block(32, 48, stride=2), block(48, 64, stride=2)
        self.from_4, self.from_8 = block(64 + 48, 48), block(48 + 32, 32)
        self.maps = nn.Conv2d(32, landmarks, 1)

    def forward(self, images: Tensor) -> Shape:
        """Return the landmarks of pictures."""
        at_16 = self.enter(with_coordinates(images) if self.coordinates else images)
        at_8 = self.to_8(at_16)
        h = self.from_4(torch.cat([doubled(self.to_4(at_8)), at_8], dim=1))
        h = self.from_8(torch.cat([doubled(h), at_16], dim=1))
        maps = spatial_softmax(self.maps(h))
        return Shape(maps, moments(maps))


class LookReader(nn.Module):
    """Averages of a picture under each landmark and over the background: three colours and 13 features."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(block(3, 24, stride=2), nn.Conv2d(24, LOOK - 3, 3, padding=1))

    def forward(self, images: Tensor, maps: Tensor, background: Tensor) -> Tensor:
        """Return the looks `[B, K + 1, 16]`; the background's is the last.

        Args:
            images: `[B, 3, 32, 32]`.
            maps: of the landmarks, `[B, K, 16, 16]`.
            background: how much every pixel belongs to it, `[B, 1, 16, 16]`.
        """
        seen = torch.cat([F.avg_pool2d(images, 2), self.features(images)], dim=1).float()
        shares = torch.cat([maps, background], dim=1)
        shares = shares / shares.sum(dim=(2, 3), keepdim=True)
        return (shares[:, :, None] * seen[:, None]).sum(dim=(3, 4))


class Decoder(nn.Module):
    """Draws pictures from heat maps and painted looks at 8, 16 and 32 px.

    Args:
        landmarks: how many.
    """

    def __init__(self, landmarks: int):
        super().__init__()
        given = landmarks + LOOK
        self.steps = nn.ModuleList((block(given, 64), block(64 + given, 48), block(48 + given, 32)))
        self.draw = nn.Conv2d(32, 3, 3, padding=1)

    def forward(self, heats: list[Tensor], looks: Tensor) -> Tensor:
        """Return pictures `[B, 3, 32, 32]` for heat maps at 8, 16 and 32 px and looks `[B, K + 1, 16]`."""
        h = None
        for step, heat in zip(self.steps, heats, strict=True):
            given = torch.cat([heat, painted(looks, heat)], dim=1)
            h = step(given if h is None else torch.cat([doubled(h), given], dim=1))
        return self.draw(h)


def ownership(heat: Tensor) -> Tensor:
    """Return how much of every pixel belongs to each landmark, and last to the background: `[B, K + 1, S, S]`, sum 1.

    Args:
        heat: of the landmarks, `[B, K, S, S]`; it is squared, so that a pixel belongs to the nearest one.
    """
    squared = heat.square()
    background = torch.full_like(heat[:, :1], BACKGROUND)
    return torch.cat([squared, background], dim=1) / (BACKGROUND + squared.sum(dim=1, keepdim=True))


def painted(looks: Tensor, heat: Tensor) -> Tensor:
    """Return each pixel's look, `[B, 16, S, S]`: the looks `[B, K + 1, 16]` in the shares of `ownership`."""
    return (looks.transpose(1, 2) @ ownership(heat).flatten(2)).unflatten(2, heat.shape[2:])


class PartModel(nn.Module):
    """Reader of landmarks, reader of looks and decoder together.

    Args:
        schedule: says how many landmarks there are and what the decoder sees; its seed draws the weights.
    """

    def __init__(self, schedule: Schedule):
        super().__init__()
        with drawn_from(schedule.seed):
            self.reader, self.look_reader = LandmarkReader(schedule.landmarks, schedule.coordinates), LookReader()
            self.decoder = Decoder(schedule.landmarks)
        self.raw = schedule.raw

    def shape(self, images: Tensor) -> Shape:
        """Return where the parts of pictures `[B, 3, 32, 32]` are."""
        return self.reader(images)

    def heat(self, shape: Shape, resolution: int) -> Tensor:
        """Return what the decoder sees of landmarks, `[B, K, S, S]` in [0, 1]."""
        if not self.raw:
            return heat_maps(shape.landmarks, resolution)
        maps = shape.maps / shape.maps.amax(dim=(2, 3), keepdim=True)
        if resolution < READ:
            return F.avg_pool2d(maps, READ // resolution)
        return F.interpolate(maps, size=(resolution, resolution), mode="bilinear", align_corners=False)

    def looks(self, images: Tensor, shape: Shape) -> Tensor:
        """Return the looks `[B, K + 1, 16]` of pictures whose landmarks are known; the background's is the last."""
        return self.look_reader(images, shape.maps, ownership(self.heat(shape, READ))[:, -1:])

    def draw(self, shape: Shape, looks: Tensor) -> Tensor:
        """Return pictures `[B, 3, 32, 32]` of landmarks and looks, not yet cut off at -1 and 1."""
        return self.decoder([self.heat(shape, resolution) for resolution in DRAWN], looks)

    def transfer(self, x: Tensor, onto: Tensor, parts: list[int] | None = None) -> Tensor:
        """Return pictures with the shape of `onto` and the look of `x`.

        Args:
            x, onto: pictures `[B, 3, 32, 32]`.
            parts: landmarks whose look comes from `x`, the others keep that of `onto`; None for all and the background.
        """
        shape = self.shape(onto)
        looks = self.looks(x, self.shape(x))
        if parts is not None:
            given, looks = looks, self.looks(onto, shape).clone()
            looks[:, parts] = given[:, parts]
        return self.draw(shape, looks).clamp(-1, 1)


def picture_loss(drawn: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of |d| + 2 d^2, d the difference of two pictures."""
    difference = drawn.float() - targets
    return (difference.abs() + 2 * difference.square()).mean()


def parts_loss(
    model: PartModel, x: Tensor, warp: Warp, jitter: Jitter | None, schedule: Schedule
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the loss of a batch and what it is made of, not weighted.

    Args:
        model: to be trained.
        x: pictures `[B, 3, 32, 32]` in [-1, 1].
        warp: of the first view, whose colours are those of `x`.
        jitter: of the second view, whose shape is that of `x`; None to leave it as it is.
        schedule: says the weights.
    """
    recoloured = x if jitter is None else jitter.apply(x)
    warped, both = warp.apply(torch.cat([x, recoloured], dim=1)).chunk(2, dim=1)
    views = torch.cat([warped, recoloured])
    shape = model.shape(views)
    exchanged = model.looks(views, shape).roll(len(x), dims=0)  # each view is drawn in the other one's colours
    rebuilt = picture_loss(model.draw(shape, exchanged), torch.cat([both, x]))
    maps, others = shape.maps.chunk(2)
    one, other = moments(maps, *warp.grid(READ)), moments(others)  # both in the coordinates of x
    terms = {
        "rebuilt": rebuilt,
        "mean": mean_loss(one, other),
        "covariance": covariance_loss(one, other),
        "separation": separation_loss(shape.landmarks, schedule.reach),
        "trace": trace_loss(shape.landmarks),
    }
    loss = (
        rebuilt
        + schedule.mean_weight * terms["mean"]
        + schedule.covariance_weight * terms["covariance"]
        + schedule.separation * terms["separation"]
        + schedule.trace * terms["trace"]
    )
    return loss, terms


def draw_batch(schedule: Schedule, generator: torch.Generator) -> Tensor:
    """Return a batch of fresh puppets `[B, 3, 32, 32]` in [-1, 1]."""
    return render(sample_pose(schedule.batch, generator), sample_appearance(schedule.batch, generator)).images


def train_parts(
    schedule: Schedule,
    batch_of: Callable[[Schedule, torch.Generator], Tensor] = draw_batch,
    compute: Compute | None = None,
) -> tuple[PartModel, list[dict]]:
    """Train landmarks and looks from single pictures; return the model frozen, and its losses every 25 steps.

    Args:
        schedule: of the training.
        batch_of: gives a batch of pictures; puppets unless other ones are given.
        compute: where it runs and in which number format; landmarks, heat maps and losses stay in float32.

    Raises:
        FloatingPointError: if the loss is not finite.
    """
    compute = compute or Compute(torch.device("cpu"))
    model = PartModel(schedule).to(compute.device, memory_format=torch.channels_last)
    generator = torch.Generator().manual_seed(1_000 + schedule.seed)
    history = []

    def loss_at(step: int) -> Tensor:
        x = batch_of(schedule, generator).to(compute.device)
        warp = sample_warp(len(x), generator, compute.device)
        jitter = sample_jitter(len(x), generator, compute.device) if schedule.jitter else None
        with compute.autocast():
            loss, terms = parts_loss(model, x, warp, jitter, schedule)
        if step % 25 == 0 or step == schedule.steps - 1:
            history.append({"step": step} | {name: term.item() for name, term in terms.items()})
        return loss

    descend(model, loss_at, schedule.steps, schedule.rate, betas=(0.9, 0.99), clip=5.0, falls_from=0.5)
    return model, history
