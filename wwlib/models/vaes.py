"""Five families of variational autoencoders, all with the same network, to compare with the GANs of Part I.

Each family adds one term that favours independent codes to the evidence lower bound, with one strength.
Losses as in disentanglement_lib (Locatello et al. 2019).
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wwlib.base.files import load_tensors
from wwlib.models.config import check_numbers

FAMILIES = ("beta-vae", "factor-vae", "beta-tcvae", "dip-vae-i", "dip-vae-ii")


@dataclass(frozen=True)
class VAEConfig:
    """Everything that decides the result of training one autoencoder.

    `strength` is beta (beta-VAE, beta-TCVAE), gamma (FactorVAE) or lambda_od (DIP-VAE; lambda_d is ten times that for
    the first kind and equal to it for the second).
    """

    family: str = "beta-vae"
    strength: float = 1.0
    dataset: str = "shapes3d"
    resolution: int = 32
    channels: int = 3
    codes: int = 10
    features: int = 256
    critic_width: int = 256
    batch: int = 64
    images: int = 96_000
    learning_rate: float = 1e-3
    seed: int = 0

    def __post_init__(self):
        if self.family not in FAMILIES:
            raise ValueError(f"family must be one of {FAMILIES}, got {self.family!r}")
        check_numbers(
            self,
            positive=("codes", "features", "critic_width", "batch", "images", "learning_rate"),
            from_zero=("strength",),
        )
        if self.batch < 2:
            raise ValueError(f"batch must be at least 2, its images are compared, got {self.batch}")
        if self.resolution not in WIDTHS:
            raise ValueError(f"resolution must be one of {tuple(WIDTHS)}, got {self.resolution}")

    @property
    def steps(self) -> int:
        """Steps needed to show `images` images."""
        return math.ceil(self.images / self.batch)


# channels after each halving down to 4 x 4; at 64 px the network of disentanglement_lib
WIDTHS = {32: (32, 64, 64), 64: (32, 32, 64, 64)}


def halve(images: Tensor, convolution: nn.Conv2d) -> Tensor:
    """Return a 4 x 4 convolution of stride 2 and padding 1, computed as a 2 x 2 one on blocks of 2 x 2 pixels.

    The sums are the same. With one or three input channels it is faster, since a CPU's vector units are better filled.

    Args:
        images: `[B, C, H, W]`, H and W even.
        convolution: holds weight `[O, C, 4, 4]` and bias.
    """
    blocks = F.pixel_unshuffle(F.pad(images, (1, 1, 1, 1)), 2).contiguous(memory_format=torch.channels_last)
    return F.conv2d(blocks, F.pixel_unshuffle(convolution.weight, 2), convolution.bias)


def double(x: Tensor, convolution: nn.ConvTranspose2d) -> Tensor:
    """Return a 4 x 4 transposed convolution of stride 2 and padding 1, computed as a 2 x 2 one that makes blocks.

    Args:
        x: `[B, C, H, W]`.
        convolution: holds weight `[C, O, 4, 4]` and bias.
    """
    inputs, outputs = convolution.weight.shape[:2]
    taps = convolution.weight.view(inputs, outputs, 2, 2, 2, 2).permute(1, 3, 5, 0, 2, 4)
    blocks = F.conv2d(x, taps.reshape(outputs * 4, inputs, 2, 2).flip(2, 3), padding=1)
    return F.pixel_shuffle(blocks, 2)[:, :, 1:-1, 1:-1] + convolution.bias[:, None, None]


class Encoder(nn.Module):
    """Images `[B, C, H, W]` in [-1, 1] to mean and log-variance `[B, d]` of the codes.

    Args:
        config: sizes.
    """

    def __init__(self, config: VAEConfig):
        super().__init__()
        widths = (config.channels, *WIDTHS[config.resolution])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(widths)
        )
        self.hidden = nn.Linear(widths[-1] * 16, config.features)
        self.out = nn.Linear(config.features, 2 * config.codes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        first, *others = self.convolutions
        x = F.relu(halve((images + 1) / 2, first), inplace=True)
        for convolution in others:
            x = F.relu(convolution(x), inplace=True)
        mean, log_variance = self.out(F.relu(self.hidden(x.flatten(1)))).chunk(2, dim=1)
        return mean, log_variance


class Decoder(nn.Module):
    """Codes `[B, d]` to images `[B, C, H, W]` in [-1, 1]; called like a generator, so that the same tools read it.

    Args:
        config: sizes.
    """

    noise_resolutions: tuple[int, ...] = ()

    def __init__(self, config: VAEConfig):
        super().__init__()
        widths = (*reversed(WIDTHS[config.resolution]), config.channels)
        self.codes, self.resolution, self.width = config.codes, config.resolution, widths[0]
        self.hidden = nn.Linear(config.codes, config.features)
        self.spread = nn.Linear(config.features, widths[0] * 16)
        self.convolutions = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in itertools.pairwise(widths)
        )

    def logits(self, codes: Tensor) -> Tensor:
        """Return the logit of each pixel's brightness in [0, 1]."""
        x = F.relu(self.spread(F.relu(self.hidden(codes)))).view(-1, self.width, 4, 4)
        x = x.contiguous(memory_format=torch.channels_last)
        for convolution in self.convolutions[:-1]:
            x = F.relu(convolution(x), inplace=True)
        last = self.convolutions[-1]
        return double(x, last) if last.out_channels == 1 else last(x)

    def forward(self, codes: Tensor, noise: list[Tensor] | None = None) -> Tensor:
        return (self.logits(codes) / 2).tanh()

    def sample_noise(self, batch: int, generator: torch.Generator | None = None, device=None) -> list[Tensor]:
        """Return no noise maps: a decoder has none."""
        return []


class VAE(nn.Module):
    """Encoder and decoder, which the tools of the course know as `recogniser` and `generator`.

    Args:
        config: sizes and family.
    """

    def __init__(self, config: VAEConfig):
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)

    @property
    def generator(self) -> Decoder:
        return self.decoder

    @property
    def codes(self) -> int:
        """Length d of the code vector."""
        return self.config.codes

    def recogniser(self, images: Tensor) -> Tensor:
        """Return the means of the codes `[B, d]`, the representation that scores measure."""
        return self.encoder(images)[0]


class Critic(nn.Module):
    """FactorVAE's critic: a classifier that tells code vectors of the encoder from vectors with shuffled codes.

    Five hidden layers of 256 units at the course's size; the paper and disentanglement_lib have six of 1,000, which
    would cost more than the rest of the step.

    Args:
        codes, width: sizes.
    """

    def __init__(self, codes: int, width: int):
        super().__init__()
        sizes = (codes, *[width] * 5)
        layers = [(nn.Linear(a, b), nn.LeakyReLU(0.2)) for a, b in itertools.pairwise(sizes)]
        self.layers = nn.Sequential(*(part for pair in layers for part in pair), nn.Linear(width, 1))

    def forward(self, z: Tensor) -> Tensor:
        """Return the logit `[B]` that `z` `[B, d]` is a true code vector."""
        return self.layers(z)[:, 0]


def load_vae(path: str | Path, device: torch.device | str = "cpu") -> VAE:
    """Load what `train_vae` wrote, ready for use.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged or holds something else.
    """
    tensors, about = load_tensors(path)
    if about.get("kind") != "vae":
        raise ValueError(f"{path} must hold an autoencoder, got kind {about.get('kind')!r}")
    model = VAE(VAEConfig(**about["config"]))
    model.load_state_dict(tensors)
    return model.to(device).eval().requires_grad_(False)
