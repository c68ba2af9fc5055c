"""Content and style (Kotovenko, Sanakoyeu, Lang, Ommer, ICCV 2019): a photo is painted in the style of a painting.

A content encoder reads a map from the photo, a style encoder a code from a crop of the painting, and a decoder draws:
the code modulates what the decoder makes of the map. A critic of two scales says which pictures are real, and of which
family.

Written anew from the formulas of the public code; networks and settings are our own, for pictures of 32 pixels. Three
things are not in the paper: twelve fixed waves that the code may switch on, a decoder that ends without normalisation,
and, in some cases, a style encoder that learns by contrast between real crops.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.appearance.blocks import Modulation, doubled
from wwlib.base.checks import check_numbers, check_whole
from wwlib.base.seeds import drawn_from
from wwlib.datasets.styles.paintings import FAMILIES
from wwlib.datasets.styles.scenes import SIDE

CODE = 8  # numbers in a style code; its length is 1
CONTENT, MAPPED = 64, 64  # channels of the content map at 8 px; length of what the decoder makes of a style code
MIDDLE, LAST = 40, 24  # channels of the decoder at 16 and 32 px
WAVES, PERIOD = 12, 5.0  # fixed plane waves, 15 degrees apart, and their period in pixels


@dataclass(frozen=True)
class Schedule:
    """How content and style are trained.

    Args:
        triplet, margin: weight of the fixpoint triplet loss of styles, and its margin.
        disentangle: weight of the loss that asks a style code not to depend on the photo.
        content: weight of the content fixpoint.
        image: weight of the difference of blurred pictures.
        coloured: whether that difference is one of colours, not of grey.
        adversarial, family: weights of the critic's two verdicts.
        contrast: weight of the contrast between real crops. Above 0, the style encoder learns from this and from what
            the decoder needs: its weights are frozen where it reads drawn pictures, and the triplet and disentanglement
            losses pass no gradient to the codes of references.
        siblings: whether the two crops of a contrast come from two paintings in one style, not from one painting.
        apart: whether the style encoder learns from the contrast alone: the decoder passes no gradient to codes either.
        more: further paintings that take part in the contrast alone.
        features: weight of the difference between the critic's mean features of drawn and real pictures.
        angles: whether the stripes' angle varies beside the hue.
        steered: waves of the decoder whose direction and period the style sets, beside the twelve fixed ones.
        crop: side of the part that the style encoder sees in training, pixels.
        same_family: probability that the second reference is of the first one's family; else it is drawn freely.
        penalty: weight of the critic's squared gradient on real pictures (R1), taken every fourth step.
        warm_up: steps in which the drawing networks learn without the critic; it learns from then on.
        steps, batch, rate, clip: of Adam, for both players.
        seed: of weights, pictures and crops.
    """

    triplet: float = 4.0
    margin: float = 0.5
    disentangle: float = 2.0
    content: float = 2.0
    image: float = 30.0
    coloured: bool = False
    adversarial: float = 1.0
    family: float = 1.0
    contrast: float = 0.0
    siblings: bool = False
    apart: bool = False
    more: int = 0
    features: float = 0.0
    angles: bool = False
    steered: int = 0
    crop: int = 24
    same_family: float = 1 / 3
    penalty: float = 1.0
    warm_up: int = 50
    steps: int = 1200
    batch: int = 8
    rate: float = 1e-3
    clip: float = 5.0
    seed: int = 0

    def __post_init__(self):
        weights = ("triplet", "margin", "disentangle", "content", "image", "adversarial", "family", "contrast",
                   "more", "features", "steered", "same_family", "penalty", "warm_up")  # fmt: skip
        check_numbers(self, ("steps", "batch", "rate", "clip"), weights)
        check_whole(steps=self.steps, batch=self.batch, crop=self.crop)
        check_whole(0, more=self.more, steered=self.steered, warm_up=self.warm_up, seed=self.seed)
        if self.same_family > 1:
            raise ValueError(f"same_family must be 0 to 1, got {self.same_family}")
        if not 8 <= self.crop <= SIDE:
            raise ValueError(f"crop must be 8 to {SIDE} pixels, got {self.crop}")
        if self.apart and not self.contrast:
            raise ValueError(f"apart needs a contrast above 0 to learn from, got {self.contrast}")


def _normalised(inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2), nn.GroupNorm(8, outputs), nn.SiLU(inplace=True)
    )


class ContentEncoder(nn.Module):
    """Reads a map `[B, 64, 8, 8]` from pictures `[B, 3, 32, 32]`."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            _normalised(3, 32, 5, 2), _normalised(32, CONTENT, 3, 2), _normalised(CONTENT, CONTENT, 3, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the content of pictures."""
        return self.layers(images)


class StyleEncoder(nn.Module):
    """Reads a code `[B, 8]` of length 1 from pictures of any size; it does not know where in the picture it looks."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            _normalised(3, 32, 5, 2), _normalised(32, 48, 3, 1), nn.Conv2d(48, 64, 3, 2, 1), nn.SiLU(inplace=True)
        )
        self.head = nn.Sequential(nn.Linear(2 * 64, 64), nn.SiLU(inplace=True), nn.Linear(64, CODE))

    def forward(self, images: Tensor) -> Tensor:
        """Return the style codes of pictures `[B, 3, H, W]`."""
        h = self.layers(images).float()
        statistics = torch.cat([h.mean(dim=(2, 3)), (h.var(dim=(2, 3)) + 1e-5).sqrt()], dim=1)
        return F.normalize(self.head(statistics).float(), dim=1)


class StyledBlock(nn.Module):
    """Two 3 x 3 convolutions beside an identity; each is normalised in groups, then modulated by the style."""

    def __init__(self, channels: int):
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.modulate = nn.ModuleList(Modulation(MAPPED, channels) for _ in range(2))

    def forward(self, h: Tensor, style: Tensor) -> Tensor:
        """Return the new map for a mapped style `[B, 64]`."""
        new = h
        for convolve, modulate in zip(self.convolutions, self.modulate, strict=True):
            new = convolve(F.silu(modulate(F.group_norm(new, 8), style)))
        return h + new


def waves_along(vectors: Tensor) -> Tensor:
    """Return waves `[..., 32, 32]` in [-1, 1] with a crest in the middle of the picture.

    Args:
        vectors: `[..., 2]`, along which they run; length 1 is a period of 5 pixels, a longer one a shorter period.
    """
    places = torch.arange(SIDE, device=vectors.device) + 0.5 - SIDE / 2
    across, down = vectors[..., 0, None, None], vectors[..., 1, None, None]
    return (2 * math.pi / PERIOD * (across * places + down * places[:, None])).cos()


def directions(n: int) -> Tensor:
    """Return `n` directions `[n, 2]` that divide half a turn evenly."""
    angle = torch.arange(n) * (math.pi / n)
    return torch.stack([angle.cos(), angle.sin()], dim=1)


class Decoder(nn.Module):
    """Draws pictures `[B, 3, 32, 32]` from content maps and style codes.

    Args:
        steered: waves whose direction and period the style sets, beside the twelve fixed ones.
    """

    def __init__(self, steered: int = 0):
        super().__init__()
        self.map = nn.Sequential(nn.Linear(CODE, MAPPED), nn.SiLU(), nn.Linear(MAPPED, MAPPED), nn.SiLU())
        self.at_8 = nn.ModuleList(StyledBlock(CONTENT) for _ in range(2))
        self.to_16, self.at_16 = nn.Conv2d(CONTENT, MIDDLE, 3, padding=1), StyledBlock(MIDDLE)
        self.gates = nn.Linear(MAPPED, WAVES + steered)
        self.steer = nn.Linear(MAPPED, 2 * steered) if steered else None
        if self.steer:
            self.steer.bias.data = directions(steered).flatten()
        self.register_buffer("waves", waves_along(directions(WAVES)), persistent=False)
        widths = (MIDDLE + WAVES + steered, LAST), (LAST, LAST)
        self.at_32 = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in widths)
        self.modulate = nn.ModuleList(Modulation(MAPPED, LAST) for _ in widths)
        self.draw = nn.Conv2d(LAST, 3, 3, padding=1)

    def forward(self, content: Tensor, codes: Tensor) -> Tensor:
        """Return pictures in [-1, 1] of content maps `[B, 64, 8, 8]` in the styles `[B, 8]`."""
        style = self.map(codes * math.sqrt(CODE))  # numbers of about 1
        h = content
        for block in self.at_8:
            h = block(h, style)
        h = doubled(self.at_16(self.to_16(doubled(h)), style))
        waves = self.waves.expand(len(codes), -1, -1, -1)
        if self.steer:
            steered = waves_along(self.steer(style).float().unflatten(1, (-1, 2)))
            waves = torch.cat([waves, steered], dim=1)
        h = torch.cat([h, self.gates(style)[:, :, None, None] * waves], dim=1)
        for convolve, modulate in zip(self.at_32, self.modulate, strict=True):
            h = F.silu(modulate(convolve(h), style))
        return 2 * torch.sigmoid(self.draw(h).float()) - 1


class CriticScale(nn.Module):
    """One scale of the critic: a map of what looks real, the family of the whole picture, and features."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            (nn.Conv2d(3, 32, 4, 2, 1), nn.Conv2d(32, 64, 4, 2, 1), nn.Conv2d(64, 64, 3, padding=1))
        )
        self.real, self.family = nn.Conv2d(64, 1, 1), nn.Linear(64, len(FAMILIES))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the map `[B, 1, H, W]`, logits of families `[B, 3]` and pooled features `[B, 160]`."""
        h, pooled = images, []
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.2)
            pooled.append(h.float().mean(dim=(2, 3)))
        return self.real(h).float(), self.family(pooled[-1]).float(), torch.cat(pooled, dim=1)


class Critic(nn.Module):
    """Judges pictures at 32 and at 16 pixels.

    Args:
        seed: of the weights.
    """

    def __init__(self, seed: int = 0):
        super().__init__()
        with drawn_from(seed):
            self.scales = nn.ModuleList(CriticScale() for _ in range(2))

    def forward(self, images: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Return what each scale says of pictures `[B, 3, 32, 32]`; see `CriticScale`."""
        fine, coarse = self.scales
        return [fine(images), coarse(F.avg_pool2d(images, 2))]


class StyleModel(nn.Module):
    """Content encoder, style encoder and decoder together.

    Args:
        seed: of the weights.
        steered: as `Decoder`'s.
    """

    def __init__(self, seed: int = 0, steered: int = 0):
        super().__init__()
        with drawn_from(seed):
            self.content, self.style, self.decode = ContentEncoder(), StyleEncoder(), Decoder(steered)

    def transfer(self, photos: Tensor, references: Tensor) -> Tensor:
        """Return photos `[B, 3, 32, 32]` painted in the styles of as many references."""
        return self.decode(self.content(photos), self.style(references))
