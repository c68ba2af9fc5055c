"""A small convolutional autoencoder whose codes carry noise, so that they fill space instead of lying on a thin sheet.

It is a variational autoencoder with a weight below 1 on the divergence: enough that the noise does not shrink to
nothing. `wwlib.models.vae_losses` holds the losses.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wwlib.base.descent import descend
from wwlib.base.seeds import drawn_from
from wwlib.datasets.factors import FactorData
from wwlib.models.vae_losses import kl_divergence, reconstruction_loss


class Autoencoder(nn.Module):
    """An autoencoder of images `[B, 3, 32, 32]` in [-1, 1]; pixels enter and leave in blocks of 2 x 2.

    Args:
        codes: length d of the code.
        width: channels at 8 x 8; twice as many at 4 x 4.
        hidden: units between the maps and the code.
        seed: of the weights.
    """

    noise_resolutions: tuple[int, ...] = ()

    def __init__(self, codes: int = 32, width: int = 32, hidden: int = 256, seed: int = 0):
        super().__init__()
        self.codes, self.resolution = codes, 32
        with drawn_from(seed):
            self.encoder = nn.Sequential(
                nn.PixelUnshuffle(2),
                nn.Conv2d(12, width, 4, stride=2, padding=1),
                nn.LeakyReLU(0.1),
                nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
                nn.LeakyReLU(0.1),
                nn.Flatten(),
                nn.Linear(32 * width, hidden),
                nn.LeakyReLU(0.1),
                nn.Linear(hidden, 2 * codes),
            )
            self.decoder = nn.Sequential(
                nn.Linear(codes, hidden),
                nn.LeakyReLU(0.1),
                nn.Linear(hidden, 32 * width),
                nn.LeakyReLU(0.1),
                nn.Unflatten(1, (2 * width, 4, 4)),
                nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
                nn.LeakyReLU(0.1),
                nn.ConvTranspose2d(width, 12, 4, stride=2, padding=1),
                nn.PixelShuffle(2),
            )
            for layer in (*self.encoder, *self.decoder):
                if isinstance(layer, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
                    fan = layer.weight[0].numel() if isinstance(layer, nn.Linear) else layer.in_channels * 16
                    fan = (
                        fan / 4 if isinstance(layer, nn.ConvTranspose2d) else fan
                    )  # stride 2: an output sees a quarter of the kernel
                    nn.init.normal_(layer.weight, std=(2 / fan) ** 0.5)  # PyTorch's default weights are too small here
                    nn.init.zeros_(layer.bias)
            with torch.no_grad():
                self.encoder[-1].weight.mul_(0.3)
                self.encoder[-1].bias[codes:] = -4.0  # start with little noise

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation `[B, d]` of the codes of images."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, (log_variance / 2).exp()

    def decode(self, codes: Tensor) -> Tensor:
        """Return the images of codes `[B, d]`."""
        return (self.decoder(codes) / 2).tanh()

    def forward(self, codes: Tensor, noise: list[Tensor] | None = None) -> Tensor:
        """Return the images of codes `[B, d]`; called like a generator, so that the tools of Part I draw with it."""
        return self.decode(codes)

    def sample_noise(self, batch: int, generator: torch.Generator | None = None, device=None) -> list[Tensor]:
        """Return no noise maps: a decoder has none."""
        return []


def train_autoencoder(
    data: FactorData, steps: int = 1400, seed: int = 0, beta: float = 0.3, batch: int = 32, rate: float = 3e-3
) -> Autoencoder:
    """Train an autoencoder from nothing and return it frozen.

    Args:
        data: pictures.
        steps, batch, rate: of Adam, whose rate falls linearly to 0.
        seed: of weights, pictures and noise.
        beta: weight of the divergence from N(0, I); 1 would be a variational autoencoder.

    Raises:
        ValueError: unless the pictures are of 32 px with 3 channels.
    """
    if (data.resolution, data.channels) != (32, 3):
        raise ValueError(f"data must have 3 channels and 32 px, got {data.channels} and {data.resolution}")
    model, random = Autoencoder(seed=seed), torch.Generator().manual_seed(seed)

    def loss_at(step: int) -> Tensor:
        images = data.sample_images(batch, random)
        mean, log_variance = model.encoder(images).chunk(2, dim=1)
        warm = min(1.0, step / (steps / 2))  # the weight rises slowly, or the noise would hide the codes from the start
        z = mean + (log_variance / 2).exp() * torch.randn(mean.shape, generator=random)
        divergence = kl_divergence(mean, log_variance).sum()
        return reconstruction_loss(model.decoder(z), images) + beta * warm * divergence

    descend(model, loss_at, steps, rate)
    return model
